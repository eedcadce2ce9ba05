// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/agent.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace icos::agent {

inline constexpr std::string_view kAgentVersion = "0.1.0";

/// What the join fixed about this node, besides the host's own files.
struct DeclaredFacts {
    std::map<std::string, std::string> labels;
    std::vector<Device> devices;
    std::string controller;  ///< "host:port": which of the node's addresses faces it
};

/// Lines of /etc/machine-labels (`name=value`; blank lines and `#` comments are skipped). Lines of another
/// form are added to `problems`.
std::map<std::string, std::string> parse_machine_labels(
    std::string_view text, std::vector<std::string>& problems
);
/// Lines of /etc/machine-devices (`name=path`, or just `name`).
std::vector<Device> parse_machine_devices(std::string_view text, std::vector<std::string>& problems);
/// /etc/machine-location: `lat:lon` becomes "lat,lon"; other text is kept.
std::string parse_machine_location(std::string_view text);
/// "amd64" -> "x86_64", "aarch64" -> "arm64"; others as they are.
std::string normalise_architecture(std::string_view machine);

/// Facts from the files of a root directory ("/" in production), as the host identity contract describes
/// them: /etc/machine-{id,labels,devices,location}, /etc/os-release, /proc. Labels of the join win over those
/// of the file. Devices whose path is absent are left out. Blocking.
class HostFacts final : public FactsSource {
public:
    HostFacts(std::string root, DeclaredFacts declared);
    Facts read() override;
    std::string boot_id() override;

private:
    std::string file(std::string_view path) const;
    void report(std::string_view path, const std::vector<std::string>& problems);
    std::string root_;
    DeclaredFacts declared_;
    std::map<std::string, std::string> reported_;  ///< file -> problems already logged
};

/// The machine id this node shows: a hash, so that the raw id (a host secret by machine-id(5)) stays here.
std::string hashed_machine_id(std::string_view machine_id);

}  // namespace icos::agent
