// SPDX-License-Identifier: Apache-2.0
#include "icos/runtime/application.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace icos {
namespace {

enum class Mark { none, open, done };

struct Visit {
    const std::vector<ModuleDescriptor>& known;
    const std::vector<std::string>& enabled;
    std::map<std::string_view, Mark> marks{};
    std::vector<const ModuleDescriptor*> order{};

    Result<void> of(std::string_view name, std::string_view wanted_by) {
        const auto found =
            std::find_if(known.begin(), known.end(), [&](const auto& module) { return module.name == name; });
        if (found == known.end()) {
            return Error{
                application_errc::unknown_module,
                "there is no module '" + std::string(name) + "'",
                "icos-controller modules lists them"
            };
        }
        if (std::find(enabled.begin(), enabled.end(), name) == enabled.end()) {
            return Error{
                application_errc::module_missing,
                "module '" + std::string(wanted_by) + "' needs '" + std::string(name) +
                    "', which is not enabled",
                "add it to modules.enabled"
            };
        }
        Mark& mark = marks[name];
        if (mark == Mark::done) return {};
        if (mark == Mark::open)
            return Error{
                application_errc::module_cycle, "modules need each other in a circle: " + std::string(name)
            };
        mark = Mark::open;
        for (const std::string_view need : found->needs) {
            if (Result<void> visited = of(need, name); visited.has_error()) return visited;
        }
        marks[name] = Mark::done;
        order.push_back(&*found);
        return {};
    }
};

}  // namespace

const ErrorDomain& application_domain() noexcept {
    static constexpr std::array<ErrorEntry, 3> kEntries{{
        {"unknown_module", ErrorKind::invalid},
        {"module_cycle", ErrorKind::invalid},
        {"module_missing", ErrorKind::invalid},
    }};
    static const ErrorDomain kDomain("config", kEntries);
    return kDomain;
}

Result<std::vector<const ModuleDescriptor*>> start_order(
    const std::vector<ModuleDescriptor>& known, const std::vector<std::string>& enabled
) {
    Visit visit{known, enabled};
    for (const std::string& name : enabled) {
        if (const Result<void> visited = visit.of(name, "modules.enabled"); visited.has_error())
            return visited.error();
    }
    return std::move(visit.order);
}

}  // namespace icos
