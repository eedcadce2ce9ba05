// SPDX-License-Identifier: Apache-2.0
#include "icos/runtime/application.hpp"

#include "icos/async/runtime.hpp"
#include "icos/core/log.hpp"

#include <algorithm>

namespace icos {

Application::~Application() {
    // Reverse order: references between modules point to earlier ones.
    while (!modules_.empty()) modules_.pop_back();
}

Result<void> Application::configure(const std::vector<const ModuleDescriptor*>& order) {
    for (const ModuleDescriptor* descriptor : order) {
        const std::string section = "modules." + std::string(descriptor->name);
        const auto values = environment_.config.sections.find(section);
        ModuleContext context{
            environment_.runtime,
            environment_.bus,
            environment_.store,
            environment_.disk,
            environment_.router,
            ports_,
            values == environment_.config.sections.end() ? config::defaults(descriptor->schema)
                                                         : values->second,
            environment_.data_dir,
            environment_.controller_id,
            environment_.controller_name,
            environment_.advertise,
        };
        modules_.push_back(descriptor->make());
        if (Result<void> configured = modules_.back()->configure(context); configured.has_error())
            return configured;
    }
    return {};
}

Task<Result<void>> Application::start() {
    for (const auto& module : modules_) {
        Result<void> started = co_await module->start();
        if (started.has_error()) {
            Log("controller")
                .error("module '" + std::string(module->name()) + "' cannot start", started.error());
            co_await stop(Duration{5000});
            co_return started;
        }
        ++started_;
    }
    running_ = true;
    co_return Result<void>{};
}

static Task<> stop_one(Module& module, Duration deadline) {
    co_await module.stop(deadline);
}

Task<> Application::stop(Duration deadline) {
    running_ = false;
    const BootTime end = environment_.runtime.boot() + deadline;
    while (started_ > 0) {
        Module& module = *modules_[--started_];
        const auto left = std::chrono::duration_cast<Duration>(end - environment_.runtime.boot());
        const Duration share = std::max(Duration{50}, left / static_cast<int>(started_ + 1));
        const bool in_time =
            co_await finish_within(environment_.runtime, share + Duration{50}, stop_one(module, share));
        if (!in_time) Log("controller").warning("a module did not stop in time", {{"module", module.name()}});
    }
}

std::vector<Application::Status> Application::health() const {
    std::vector<Status> all;
    for (const auto& module : modules_) all.push_back({std::string(module->name()), module->health()});
    return all;
}

std::vector<std::string> Application::module_names() const {
    std::vector<std::string> names;
    for (const auto& module : modules_) names.emplace_back(module->name());
    return names;
}

std::string Application::metrics() const {
    std::string text;
    for (const auto& module : modules_) text += module->metrics();
    return text;
}

}  // namespace icos
