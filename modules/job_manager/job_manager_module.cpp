// SPDX-License-Identifier: Apache-2.0
#include "job_manager_module.hpp"

#include "job_service.hpp"
#include "routes.hpp"

namespace icos::job_manager {
namespace {

template <class Port>
Result<Port*> require(const Ports& ports, std::string_view what) {
    if (Port* port = ports.find<Port>()) return port;
    return Error{
        icos::errc::invalid,
        "job_manager needs " + std::string(what) + ", and no enabled module provides it",
        "enable the modules fleet and matchmaker"
    };
}

class JobManagerModule final : public Module {
public:
    std::string_view name() const noexcept override { return "job_manager"; }

    Result<void> configure(ModuleContext& context) override {
        const auto matchmaker = require<Matchmaker>(context.ports, "a matchmaker");
        if (matchmaker.has_error()) return matchmaker.error();
        const auto topology = require<TopologyView>(context.ports, "a topology");
        if (topology.has_error()) return topology.error();
        const auto executors = require<ExecutorRegistry>(context.ports, "an executor");
        if (executors.has_error()) return executors.error();
        Settings settings;
        settings.debounce = context.config.duration("debounce");
        settings.pending_refresh = context.config.duration("pending_refresh");
        settings.drain = context.config.duration("drain");
        settings.keep_generations = static_cast<std::size_t>(context.config.integer("keep_generations"));
        service_ = std::make_unique<JobService>(
            JobService::Ports{
                context.runtime,
                context.bus,
                context.store,
                **matchmaker,
                **topology,
                (*executors)->executor()
            },
            settings
        );
        tasks_ = std::make_unique<TaskGroup>(context.runtime);
        (*executors)->attach(*service_);
        context.ports.provide<ClaimsView>(*service_);
        add_app_routes(context.router, context.runtime, *service_);
        add_generation_routes(context.router, *service_);
        add_credential_routes(context.router, *service_);
        add_list_routes(context.router, context.runtime, context.store, *service_);
        add_event_routes(context.router, context.runtime, context.store, *tasks_);
        add_log_routes(context.router, context.runtime, *service_, *tasks_);
        add_exec_routes(context.router, context.runtime, context.store, *service_, *tasks_);
        return {};
    }
    Task<Result<void>> start() override { return service_->start(); }
    Task<> stop(Duration deadline) override {
        if (!service_) co_return;
        static_cast<void>(co_await tasks_->stop(deadline / 2));
        co_await service_->stop(deadline / 2);
    }
    Health health() const override { return service_ ? service_->health() : Health{}; }
    std::string metrics() const override { return service_ ? service_->metrics() : std::string(); }

private:
    std::unique_ptr<JobService> service_;
    std::unique_ptr<TaskGroup> tasks_;
};

}  // namespace

ModuleDescriptor descriptor() {
    using config::Type;
    ModuleDescriptor module;
    module.name = "job_manager";
    module.needs = {"fleet", "matchmaker"};
    module.schema.keys = {
        {.name = "debounce",
         .type = Type::duration,
         .fallback = "50ms",
         .description = "Changes of nodes within this time are planned for together.",
         .min = 0,
         .max = 60'000},
        {.name = "pending_refresh",
         .type = Type::duration,
         .fallback = "30s",
         .description =
             "How often the reasons of what waits for a node are made anew, without any change of nodes.",
         .min = 1000,
         .max = 3'600'000},
        {.name = "drain",
         .type = Type::duration,
         .fallback = "10s",
         .description =
             "How long a copy that was replaced on another node goes on after all connections are made "
             "to its successor, so that open ones can end.",
         .min = 0,
         .max = 3'600'000},
        {.name = "keep_generations",
         .type = Type::integer,
         .fallback = "10",
         .description = "Descriptor texts kept per application, the present one included; older ones stay "
                        "while a placement runs them.",
         .min = 1,
         .max = 1000},
    };
    module.make = [] { return std::unique_ptr<Module>(std::make_unique<JobManagerModule>()); };
    return module;
}

}  // namespace icos::job_manager
