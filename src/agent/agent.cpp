// SPDX-License-Identifier: Apache-2.0
#include "icos/agent/agent.hpp"

#include "accepted_log.hpp"
#include "icos/async/backoff.hpp"
#include "icos/core/log.hpp"
#include "link_conversation.hpp"
#include "node_records.hpp"
#include "reconciler.hpp"

#include <algorithm>

namespace icos::agent {
namespace {

const Log kLog("agent");
constexpr Duration kFactsInterval{60'000};
constexpr Duration kFirstPause{500};
/// A connection that lasted this long was a good one.
constexpr Duration kGoodLink{10'000};
/// What the engine shows is waited for this long before the first hello: half of it would look like a change.
constexpr Duration kInformedWait{5'000};

}  // namespace

struct Agent::Impl : std::enable_shared_from_this<Agent::Impl> {
    Impl(Runtime& rt, Disk& disk, Engine& engine, Dialer& d, FactsSource& f, Settings settings)
        : runtime(rt),
          dialer(d),
          facts_source(f),
          log(rt, disk, settings.state_dir),
          records(rt, disk, settings.state_dir),
          node(std::make_shared<NodeState>(rt, engine, log)),
          tasks(rt) {
        node->settings = std::move(settings);
        node->controllers = node->settings.controllers;
    }

    using Self = std::shared_ptr<Impl>;
    static Task<Result<void>> start(Self self);
    static Task<> stop(Self self, Duration deadline);
    static Task<> keep_link(Self self);
    static Task<> refresh_facts(Self self);
    static Task<Facts> read_facts(Self self);
    void take_facts(Facts facts);
    void add_engine(Facts& facts) const;

    Runtime& runtime;
    Dialer& dialer;
    FactsSource& facts_source;
    AcceptedLog log;
    NodeRecords records;
    std::shared_ptr<NodeState> node;
    std::uint64_t dials = 0;
    std::uint64_t dial_failures = 0;
    TaskGroup tasks;
};

void Agent::Impl::add_engine(Facts& facts) const {
    facts.engine.clear();
    facts.engine_version.clear();
    facts.engine_problem = node->reconciler->engine_problem();
    if (const auto& engine = node->reconciler->engine()) {
        facts.engine = engine->kind;
        facts.engine_version = engine->version;
    }
}

void Agent::Impl::take_facts(Facts facts) {
    add_engine(facts);
    if (facts == node->facts) return;
    node->facts = std::move(facts);
    ++node->facts_version;
    node->changed.notify();
}

Task<Facts> Agent::Impl::read_facts(Self self) {
    auto work = [self] { return self->facts_source.read(); };
    return offload(self->runtime, Pool::blocking, std::move(work));
}

Task<Result<void>> Agent::Impl::start(Self self) {
    NodeState& node = *self->node;
    Result<void> opened = co_await self->log.open();
    if (opened.has_error()) co_return opened;
    co_await self->records.open();
    auto boot = [self] { return self->facts_source.boot_id(); };
    node.boot_id = co_await offload(self->runtime, Pool::blocking, std::move(boot));
    node.process_nonce = random_hex(self->runtime, 8);

    Reconciler::Settings settings;
    settings.target = node.settings.node_id;
    settings.boot_id = node.boot_id;
    settings.interval = node.settings.reconcile_interval;
    const std::weak_ptr<Impl> weak = self;
    settings.observed_changed = [weak] {
        if (const Self alive = weak.lock()) alive->node->changed.notify();
    };
    settings.engine_changed = [weak] {
        if (const Self alive = weak.lock()) alive->take_facts(alive->node->facts);
    };
    node.reconciler =
        std::make_shared<Reconciler>(self->runtime, node.engine, self->records, std::move(settings));
    node.reconciler->set_desired(self->log.set());
    if (self->log.is_whole()) node.reconciler->trust_desired();
    node.reconciler->start();
    kLog.info("accepted set read", {{"placements", self->log.set().size()}, {"bytes", self->log.size()}});

    Facts facts = co_await read_facts(self);
    self->take_facts(std::move(facts));
    self->tasks.spawn("agent.facts", refresh_facts(self));
    if (!node.controllers.empty()) self->tasks.spawn("agent.link", keep_link(self));
    co_return Result<void>();
}

Task<> Agent::Impl::refresh_facts(Self self) {
    while (true) {
        co_await sleep_for(self->runtime, kFactsInterval);
        Facts facts = co_await read_facts(self);
        self->take_facts(std::move(facts));
    }
}

Task<> Agent::Impl::keep_link(Self self) {
    NodeState& node = *self->node;
    const BootTime patience = self->runtime.boot() + kInformedWait;
    while (!node.reconciler->is_informed() && self->runtime.boot() < patience) {
        co_await node.changed.wait_for(Duration(200));
    }
    Backoff backoff({kFirstPause, node.settings.longest_pause});
    std::size_t turn = 0;
    std::string last_problem;
    while (true) {
        const std::string controller = node.controllers[turn % node.controllers.size()];
        ++self->dials;
        Result<std::unique_ptr<http::FrameStream>> dialled = co_await self->dialer.dial(controller);
        Error why;
        if (dialled.has_value()) {
            const BootTime since = self->runtime.boot();
            const auto conversation = std::make_shared<Conversation>(self->node, std::move(*dialled));
            why = co_await Conversation::hold(conversation);
            const bool was_good = conversation->was_welcomed() && self->runtime.boot() - since >= kGoodLink;
            if (was_good) backoff.reset();
            if (!conversation->was_welcomed()) ++turn;
            if (why.code != link::errc::refused)
                kLog.info("the link ended", {{"controller", controller}, {"reason", describe(why)}});
            else if (describe(why) != last_problem)
                kLog.warning("no link", why);
        } else {
            ++self->dial_failures;
            ++turn;
            why = dialled.error();
            // For ever, so once per reason.
            if (describe(why) != last_problem) kLog.warning("no link", why);
        }
        last_problem = describe(why);
        const Duration pause = backoff.next(self->runtime);
        co_await sleep_for(self->runtime, pause);
    }
}

Task<> Agent::Impl::stop(Self self, Duration deadline) {
    // The link first: what the controller sees last is the state that stays.
    co_await self->tasks.stop(deadline / 2);
    if (self->node->reconciler) co_await self->node->reconciler->stop(deadline / 2);
}

Agent::Agent(
    Runtime& runtime, Disk& disk, Engine& engine, Dialer& dialer, FactsSource& facts, Settings settings
)
    : impl_(std::make_shared<Impl>(runtime, disk, engine, dialer, facts, std::move(settings))) {}

Agent::~Agent() {
    impl_->tasks.cancel();
    if (impl_->node->reconciler) impl_->node->reconciler->cancel();
}

Task<Result<void>> Agent::start() {
    return Impl::start(impl_);
}
Task<> Agent::stop(Duration deadline) {
    return Impl::stop(impl_, deadline);
}
bool Agent::connected() const noexcept {
    return impl_->node->is_connected;
}

std::string Agent::metrics() const {
    std::string out;
    const auto add = [&](std::string_view name, std::string_view type, std::uint64_t value) {
        out += "# TYPE " + std::string(name) + " " + std::string(type) + "\n" + std::string(name) + " " +
               std::to_string(value) + "\n";
    };
    add("icos_agent_connected", "gauge", connected() ? 1 : 0);
    add("icos_agent_dials_total", "counter", impl_->dials);
    add("icos_agent_dial_failures_total", "counter", impl_->dial_failures);
    add("icos_agent_accepted_log_bytes", "gauge", impl_->log.size());
    add("icos_agent_accepted_log_written_bytes_total", "counter", impl_->log.bytes_written());
    add("icos_agent_accepted_log_compactions_total", "counter", impl_->log.compactions());
    add("icos_agent_placements", "gauge", impl_->log.set().size());
    if (const auto& reconciler = impl_->node->reconciler) {
        const Reconciler::Counters& counters = reconciler->counters();
        add("icos_agent_reconcile_passes_total", "counter", counters.passes);
        add("icos_agent_reconcile_failures_total", "counter", counters.failures);
        add("icos_agent_engine_events_total", "counter", counters.events);
        add("icos_agent_engine_losses_total", "counter", counters.engine_losses);
        add("icos_agent_orphans_total", "counter", counters.orphans);
        add("icos_agent_pulls_total", "counter", reconciler->pulls());
    }
    return out;
}

}  // namespace icos::agent
