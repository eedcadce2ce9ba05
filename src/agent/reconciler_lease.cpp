// SPDX-License-Identifier: Apache-2.0
#include "icos/core/log.hpp"
#include "reconciler.hpp"

#include <algorithm>

namespace icos::agent {
namespace {

const Log kLog("agent.lease");
/// The controller waits 15 s after the lease: time to be started again (2 s), for the grace of a restart,
/// this one and an engine that does not answer.
constexpr Duration kInterruptGrace{4'000};
/// Between looks for what an engine started although it was told in time.
constexpr Duration kInterruptPoll{2'000};

bool is_exclusive(const Unit& unit) {
    return unit.wanted && unit.wanted->exclusive && unit.wanted->run;
}

}  // namespace

void Reconciler::lease_answered(BootTime sent, Duration length) {
    lease_.answered(runtime_.boot(), sent, length);
    lease_moved();
}

void Reconciler::lease_confirmed() {
    if (has_given_up_) return;
    lease_.confirm(runtime_.boot());
    lease_moved();
}

void Reconciler::lease_moved() {
    for (const auto& [id, unit] : units_) {
        if (!unit->awaits_lease) continue;
        unit->retry_at.reset();
        unit->poke();
    }
}

bool Reconciler::is_bound(const Unit& unit) const {
    return is_exclusive(unit) || (!unit.wanted && !records_.exclusive_of(unit.id.value).empty());
}

bool Reconciler::has_exclusive() const {
    return std::any_of(units_.begin(), units_.end(), [&](const auto& entry) {
        return is_bound(*entry.second);
    });
}

Task<> Reconciler::interrupt_all(Self self, Duration grace) {
    std::vector<Task<Result<void>>> work;
    std::vector<UnitPtr> units;
    for (const auto& [id, unit] : self->units_) {
        if (!self->is_bound(*unit)) continue;
        if (unit->wanted) {
            // A pass under way ends at its next step.
            if (!unit->awaits_lease) ++unit->epoch;
            unit->awaits_lease = true;
        }
        units.push_back(unit);
        work.push_back(self->rollout_->interrupt(id, grace));
    }
    const Result<void> done = co_await all_succeed(self->runtime_, std::move(work));
    if (done.has_error()) kLog.warning("not everything could be stopped when the lease ended", done.error());
    for (const UnitPtr& unit : units) unit->poke();
}

Task<> Reconciler::keep_lease(Self self) {
    bool was_held = true;
    while (true) {
        const BootTime now = self->runtime_.boot();
        if (self->lease_.holds(now)) {
            was_held = true;
            co_await sleep_for(self->runtime_, std::chrono::ceil<Duration>(self->lease_.end() - now));
            continue;
        }
        if (was_held && self->has_exclusive()) {
            ++self->counters_.lease_ends;
            kLog.warning("the lease ended: what only one node may run is stopped until the controller answers"
            );
        }
        was_held = false;
        co_await interrupt_all(self, kInterruptGrace);
        co_await sleep_for(self->runtime_, kInterruptPoll);
    }
}

Task<> Reconciler::give_up_lease(Self self, Duration grace) {
    self->has_given_up_ = true;
    self->lease_ = Lease(BootTime{});
    co_await interrupt_all(self, grace);
}

}  // namespace icos::agent
