// SPDX-License-Identifier: Apache-2.0
#include "icos/runtime/application.hpp"

#include "icos/async/runtime.hpp"
#include "icos/core/log.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <exception>

namespace icos {
namespace {
const Log kLog("controller");
}  // namespace

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

namespace {

// An exception of one module is its error: the others are stopped in order all the same.
Task<Result<void>> start_one(Module& module) {
    try {
        Result<void> started = co_await module.start();
        co_return started;
    } catch (const std::exception& failure) {
        co_return Error{errc::internal, failure.what()};
    }
}

Task<> stop_one(Module& module, Duration deadline) {
    try {
        co_await module.stop(deadline);
    } catch (const boost::system::system_error& failure) {
        // Aborted at its deadline: told by the caller.
        if (failure.code() == boost::asio::error::operation_aborted) co_return;
        kLog.error("a module stopped with an error", {{"module", module.name()}, {"reason", failure.what()}});
    } catch (const std::exception& failure) {
        kLog.error("a module stopped with an error", {{"module", module.name()}, {"reason", failure.what()}});
    }
}

}  // namespace

Task<Result<void>> Application::start() {
    for (const auto& module : modules_) {
        const Result<void> started = co_await start_one(*module);
        if (started.has_error()) {
            kLog.error("module '" + std::string(module->name()) + "' cannot start", started.error());
            co_await stop(Duration{5000});
            co_return started;
        }
        ++started_;
    }
    running_ = true;
    co_return Result<void>{};
}

Task<> Application::stop(Duration deadline) {
    running_ = false;
    const BootTime end = environment_.runtime.boot() + deadline;
    while (started_ > 0) {
        Module& module = *modules_[--started_];
        // An equal share of what is left, so that one slow module does not take the others' time.
        const auto left = std::chrono::duration_cast<Duration>(end - environment_.runtime.boot());
        const Duration share = std::max(Duration{50}, left / static_cast<int>(started_ + 1));
        const bool in_time =
            co_await finish_within(environment_.runtime, share + Duration{50}, stop_one(module, share));
        if (!in_time) kLog.warning("a module did not stop in time", {{"module", module.name()}});
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
