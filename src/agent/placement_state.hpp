// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/container_plan.hpp"
#include "icos/agent/engine.hpp"
#include "icos/agent/protocol.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

/// What the containers of a placement amount to. Pure rules: times and records are parameters.
namespace icos::agent {

/// What the plan says about a service; remembered so that containers of an earlier plan can still be judged.
struct ServiceTraits {
    RestartPolicy restart = RestartPolicy::no;
    std::uint32_t max_retries = 0;
    Duration stop_grace{10'000};
    unsigned level =
        0;  ///< 1 + the highest level it depends on: started in this order, stopped in the reverse
    bool has_healthcheck = false;
};
using Traits = std::map<std::string, ServiceTraits>;
Traits traits_of(const PlacementPlan& plan);

std::string label_of(const ContainerState& container, std::string_view key);
/// "web" or, with deploy.replicas, "web.2".
std::string service_title(const ContainerState& container, bool several);

struct Judgement {
    PlacementState state = PlacementState::pending;
    std::string reason;
    std::string reason_code;
    std::optional<Duration> look_again;  ///< the same containers mean something else after this long
};
/// Judges containers of one digest. `last_exit` holds exit codes by container id that were seen while it was
/// down (a running container does not tell the last one).
Judgement judge(
    const std::vector<const ContainerState*>& containers,
    const Traits& traits,
    const std::map<std::string, int>& last_exit,
    Duration health_timeout,
    std::int64_t now_ms
);

/// Whether a new generation has proved itself.
enum class Verdict { wait, passed, failed };
struct Gate {
    Verdict verdict = Verdict::wait;
    std::string reason;
    std::string reason_code;
    std::optional<Duration> look_again;
};
/// `settle`: how long a service without a health check has to run before it counts as up.
Gate gate(
    const std::vector<const ContainerState*>& containers,
    std::size_t expected,
    const Traits& traits,
    const std::map<std::string, int>& last_exit,
    Duration settle,
    std::int64_t now_ms
);

/// Whether `condition` on a service's containers holds.
Gate meets(
    const std::vector<const ContainerState*>& containers, StartCondition condition, const std::string& service
);

std::vector<ObservedService> observed_services(
    const std::vector<ContainerState>& containers,
    const std::string& network,
    const std::map<std::string, int>& last_exit
);

/// "image.not_found", "port.taken", …: the stable reason code of an engine or plan error.
std::string reason_code_of(const Error& error);
/// Whether trying the same again may help without anybody changing the application.
bool may_heal(const Error& error);

}  // namespace icos::agent
