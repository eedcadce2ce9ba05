// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace icos::sim {

/// One component as the simulated user wants it. `revision` is unique over the run: it names the content.
struct ComponentSpec {
    std::string name{};
    std::uint64_t revision = 0;
    std::string image = "web";  ///< what its containers do, see traits_of()
    std::uint32_t cpu_milli = 250;
    std::uint64_t memory_mib = 128;
    std::vector<std::string> zones{};  ///< one replica per value of the node label `zone`
    bool has_health_check = false;
    bool has_volume = false;
    bool talks_to_first = false;  ///< joined by communication to the first component
    std::size_t padding = 0;      ///< bytes of environment, to make it heavy
    std::string restart = "unless-stopped";
    std::string on_node_loss{};  ///< replace, exclusive or keep; empty: left to the default
    std::size_t copies = 1;      ///< without zones
    std::size_t replicas() const { return zones.empty() ? copies : zones.size(); }
    bool is_exclusive() const { return on_node_loss == "exclusive"; }
    /// Data is where it runs: it is not to begin anew somewhere else.
    bool is_kept() const { return on_node_loss == "keep" || (on_node_loss.empty() && has_volume); }
    /// Some contents hold a secret. Revisions are unique, so each content has a secret of its own.
    bool has_secret() const { return revision % 3 == 0; }
};

struct AppSpec {
    std::vector<ComponentSpec> components{};
    const ComponentSpec* find(const std::string& component) const;
};

/// What every secret of the simulation begins with: no disk may hold it.
inline constexpr const char* kSecretMark = "sim-secret-";

/// The descriptor a user would write for it.
std::string descriptor_of(const std::string& app, const AppSpec& spec);

}  // namespace icos::sim
