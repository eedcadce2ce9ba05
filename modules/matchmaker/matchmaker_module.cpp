// SPDX-License-Identifier: Apache-2.0
#include "matchmaker_module.hpp"

#include "capacity_matchmaker.hpp"

#include <atomic>

namespace icos::matchmaker {
namespace {

/// Counts the port's calls; place() runs on pool threads.
class CountedMatchmaker final : public Matchmaker {
public:
    explicit CountedMatchmaker(SearchLimits limits) : inner_(limits) {}
    PlaceResult place(const Topology& topology, const PlaceRequest& request) const override {
        PlaceResult result = inner_.place(topology, request);
        ++runs_;
        for (const ReplicaDecision& decision : result.decisions) ++(decision.node ? placed_ : unplaced_);
        return result;
    }
    std::string metrics() const {
        std::string text;
        const auto counter = [&text](std::string_view name, std::string_view help, std::uint64_t value) {
            const std::string full = "icos_matchmaker_" + std::string(name);
            text += "# HELP " + full + " " + std::string(help) + "\n# TYPE " + full + " counter\n" + full +
                    " " + std::to_string(value) + "\n";
        };
        counter("runs_total", "Placement runs.", runs_);
        counter("replicas_placed_total", "Replicas a run found a node for.", placed_);
        counter("replicas_unplaced_total", "Replicas a run found no node for.", unplaced_);
        return text;
    }

private:
    CapacityMatchmaker inner_;
    mutable std::atomic<std::uint64_t> runs_{0};
    mutable std::atomic<std::uint64_t> placed_{0};
    mutable std::atomic<std::uint64_t> unplaced_{0};
};

class MatchmakerModule final : public Module {
public:
    std::string_view name() const noexcept override { return "matchmaker"; }
    Result<void> configure(ModuleContext& context) override {
        SearchLimits limits;
        limits.exact_units = static_cast<std::size_t>(context.config.integer("exact_replicas"));
        limits.exact_nodes = static_cast<std::size_t>(context.config.integer("exact_nodes"));
        limits.exact_steps = static_cast<std::size_t>(context.config.integer("exact_steps"));
        matchmaker_ = std::make_unique<CountedMatchmaker>(limits);
        context.ports.provide<Matchmaker>(*matchmaker_);
        return {};
    }
    Task<Result<void>> start() override { co_return Result<void>{}; }
    Task<> stop(Duration /*deadline*/) override { co_return; }
    std::string metrics() const override { return matchmaker_ ? matchmaker_->metrics() : std::string(); }

private:
    std::unique_ptr<CountedMatchmaker> matchmaker_;
};

}  // namespace

ModuleDescriptor descriptor() {
    using config::Type;
    ModuleDescriptor module;
    module.name = "matchmaker";
    module.schema.keys = {
        {.name = "exact_replicas",
         .type = Type::integer,
         .fallback = "12",
         .description = "Up to this many replicas (groups count once) are placed by exact search; more by a "
                        "greedy choice with repair.",
         .min = 0,
         .max = 64},
        {.name = "exact_nodes",
         .type = Type::integer,
         .fallback = "40",
         .description = "Exact search is used up to this many nodes.",
         .min = 0,
         .max = 1000},
        {.name = "exact_steps",
         .type = Type::integer,
         .fallback = "30000",
         .description = "Bound of the exact search in steps; the best placement found until then is taken.",
         .min = 0,
         .max = 10'000'000},
    };
    module.make = [] { return std::unique_ptr<Module>(std::make_unique<MatchmakerModule>()); };
    return module;
}

}  // namespace icos::matchmaker
