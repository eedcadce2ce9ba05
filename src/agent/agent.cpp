// SPDX-License-Identifier: Apache-2.0
#include "icos/agent/agent.hpp"

#include "accepted_log.hpp"
#include "disk_watch.hpp"
#include "icos/async/backoff.hpp"
#include "icos/core/log.hpp"
#include "icos/link/digest.hpp"
#include "link_conversation.hpp"
#include "node_records.hpp"
#include "reconciler.hpp"

#include <algorithm>

namespace icos::agent {
namespace {

const Log kLog("agent");
constexpr Duration kFactsInterval{60'000};
constexpr Duration kDiskInterval{60'000};
constexpr Duration kLowDiskInterval{15'000};
constexpr Duration kClockInterval{10'000};
constexpr Duration kFirstPause{500};
/// A connection that lasted this long was a good one.
constexpr Duration kGoodLink{10'000};
/// What the engine shows is waited for this long before the first hello: half of it would look like a change.
constexpr Duration kInformedWait{5'000};

}  // namespace

struct Agent::Impl : std::enable_shared_from_this<Agent::Impl> {
    Impl(Runtime& rt, Disk& files, Engine& engine, Relay& r, Dialer& d, FactsSource& f, Settings settings)
        : runtime(rt),
          relay(r),
          dialer(d),
          facts_source(f),
          log(rt, files, settings.state_dir),
          records(rt, files, settings.state_dir),
          secrets(rt, files, settings.state_dir, settings.secrets_dir),
          disk(files),
          disks(std::make_shared<DiskWatch>(rt, files, engine, records, settings.state_dir)),
          node(std::make_shared<NodeState>(rt, engine, d, log)),
          tasks(rt) {
        node->status = std::make_shared<StatusFile>(rt, disk, settings.state_dir);
        node->settings = std::move(settings);
        node->controllers = node->settings.controllers;
    }

    using Self = std::shared_ptr<Impl>;
    static Task<Result<void>> start(Self self);
    static Task<Result<void>> begin(Self self);
    static Task<> stop(Self self, Duration deadline);
    static Task<> keep_link(Self self);
    static Task<> refresh_facts(Self self);
    static Task<> watch_disks(Self self);
    static Task<> watch_clock(Self self);
    static Task<Facts> read_facts(Self self);
    static Task<Result<void>> open_state(Self self);
    void take_facts(Facts facts);
    void add_engine(Facts& facts) const;

    Runtime& runtime;
    Relay& relay;
    Dialer& dialer;
    FactsSource& facts_source;
    AcceptedLog log;
    NodeRecords records;
    SecretStore secrets;
    Disk& disk;
    std::shared_ptr<DiskWatch> disks;
    std::shared_ptr<NodeState> node;
    std::uint64_t secrets_lost = 0;
    bool is_starting = false;
    bool is_stopping = false;
    std::uint64_t dials = 0;
    std::uint64_t dial_failures = 0;
    TaskGroup tasks;
};

void Agent::Impl::add_engine(Facts& facts) const {
    facts.keeps_lease = !is_stopping;
    facts.engine.clear();
    facts.engine_version.clear();
    facts.engine_problem = node->reconciler->engine_problem();
    facts.engine_id.clear();
    facts.disk_problem = disks->problem();
    if (const auto& engine = node->reconciler->engine()) {
        facts.engine = engine->kind;
        facts.engine_version = engine->version;
        // With the boot, because a copied disk brings the engine's own identity along.
        facts.engine_id = link::sha256_hex(engine->id + "@" + node->boot_id).substr(0, 32);
    }
    node->status->set_problems(facts.engine_problem, facts.disk_problem);
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

/// What the node keeps on disk, sealed: what it shall run, and the secrets of what it runs.
Task<Result<void>> Agent::Impl::open_state(Self self) {
    const Settings& settings = self->node->settings;
    const SealKeyPlaces places{settings.credentials_dir, settings.state_dir};
    auto load = [self, places] { return load_seal_key(self->disk, places); };
    Result<Seal> key = co_await offload(self->runtime, Pool::storage, std::move(load));
    if (key.has_error() && key.error().code == seal_errc::no_key) {
        kLog.info("made the key that seals this node's state", {{"file", settings.state_dir + "/seal.key"}});
        auto write = [self, directory = settings.state_dir, fresh = random_seal_key(self->runtime)] {
            return write_seal_key(self->disk, directory, fresh);
        };
        key = co_await offload(self->runtime, Pool::storage, std::move(write));
    }
    if (key.has_error()) co_return key.error();
    const auto seal = std::make_shared<const Seal>(std::move(*key));
    Result<void> opened = co_await self->log.open(seal);
    if (opened.has_error()) co_return opened;
    const Result<void> secrets = co_await self->secrets.open(seal);
    if (secrets.has_error()) {
        // The accepted set holds the secrets of what is wanted; only those of an earlier generation are gone.
        ++self->secrets_lost;
        kLog.error("the secrets kept for the next boot cannot be used", secrets.error());
    }
    co_return Result<void>();
}

Task<Result<void>> Agent::Impl::start(Self self) {
    self->is_starting = true;
    Result<void> started = co_await begin(self);
    self->is_starting = false;
    self->node->changed.notify();
    co_return started;
}

Task<Result<void>> Agent::Impl::begin(Self self) {
    NodeState& node = *self->node;
    Result<void> opened = co_await open_state(self);
    if (opened.has_error()) co_return opened;
    co_await self->records.open();
    auto boot = [self] { return self->facts_source.boot_id(); };
    node.boot_id = co_await offload(self->runtime, Pool::blocking, std::move(boot));
    node.process_nonce = random_hex(self->runtime, 8);

    Reconciler::Settings settings;
    settings.target = node.settings.node_id;
    settings.boot_id = node.boot_id;
    settings.interval = node.settings.reconcile_interval;
    settings.claim = node.settings.claim;
    settings.time = [&node] { return node.clock.time(node.runtime.wall()); };
    const std::weak_ptr<Impl> weak = self;
    settings.observed_changed = [weak] {
        if (const Self alive = weak.lock()) alive->node->changed.notify();
    };
    settings.engine_changed = [weak] {
        if (const Self alive = weak.lock()) alive->take_facts(alive->node->facts);
    };
    if (self->is_stopping) co_return Error{errc::cancelled, "the agent is stopped while it starts"};
    node.reconciler = std::make_shared<Reconciler>(
        self->runtime, node.engine, self->relay, self->records, self->secrets, std::move(settings)
    );
    node.reconciler->images().set_permission([disks = self->disks] { return disks->may_pull(); });
    node.reconciler->set_desired(self->log.set());
    if (self->log.is_whole()) node.reconciler->trust_desired();
    node.reconciler->start();
    kLog.info("accepted set read", {{"placements", self->log.set().size()}, {"bytes", self->log.size()}});

    Facts facts = co_await read_facts(self);
    self->take_facts(std::move(facts));
    if (self->is_stopping) co_return Result<void>();
    self->tasks.spawn("agent.facts", refresh_facts(self));
    self->tasks.spawn("agent.disks", watch_disks(self));
    self->tasks.spawn("agent.clock", watch_clock(self));
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

Task<> Agent::Impl::watch_disks(Self self) {
    while (true) {
        const auto& engine = self->node->reconciler->engine();
        std::string data_root = engine ? engine->data_root : std::string();
        co_await DiskWatch::look(self->disks, std::move(data_root));
        self->take_facts(self->node->facts);
        co_await sleep_for(self->runtime, self->disks->is_low() ? kLowDiskInterval : kDiskInterval);
    }
}

/// A clock that is set while the link lives is told, or what the controller shows would stay wrong.
Task<> Agent::Impl::watch_clock(Self self) {
    NodeState& node = *self->node;
    while (true) {
        if (node.clock.look(self->runtime.wall(), self->runtime.boot())) {
            kLog.warning("the node's clock was set", {{"now", to_rfc3339(self->runtime.wall())}});
            node.changed.notify();
        }
        co_await sleep_for(self->runtime, kClockInterval);
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
            const auto conversation =
                std::make_shared<Conversation>(self->node, std::move(*dialled), controller);
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
        node.status->disconnected(controller, why);
        const Duration pause = backoff.next(self->runtime);
        co_await sleep_for(self->runtime, pause);
    }
}

Task<> Agent::Impl::stop(Self self, Duration deadline) {
    // Nobody stops what is exclusive when the lease ends from here on: either the controller knows that, or
    // it is stopped now.
    self->is_stopping = true;
    const BootTime patience = self->runtime.boot() + deadline / 4;
    while (self->is_starting && self->runtime.boot() < patience) {
        co_await self->node->changed.wait_for(std::chrono::ceil<Duration>(patience - self->runtime.boot()));
    }
    if (self->node->reconciler && self->node->reconciler->has_exclusive()) {
        bool is_known = false;
        if (const auto conversation = self->node->conversation.lock())
            is_known = co_await Conversation::say_stopping(conversation, deadline / 4);
        if (!is_known) co_await Reconciler::give_up_lease(self->node->reconciler, deadline / 2);
    }
    // The link before the rest: what the controller sees last is the state that stays.
    co_await self->tasks.stop(deadline / 2);
    if (self->node->reconciler) co_await self->node->reconciler->stop(deadline / 2);
}

Agent::Agent(
    Runtime& runtime,
    Disk& disk,
    Engine& engine,
    Relay& relay,
    Dialer& dialer,
    FactsSource& facts,
    Settings settings
)
    : impl_(std::make_shared<Impl>(runtime, disk, engine, relay, dialer, facts, std::move(settings))) {}

Agent::~Agent() {
    impl_->tasks.cancel();
    impl_->node->status->cancel();
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
    add("icos_agent_accepted_log_unreadable", "gauge", impl_->log.was_unreadable() ? 1 : 0);
    add("icos_agent_secrets", "gauge", impl_->secrets.size());
    add("icos_agent_secrets_lost_total", "counter", impl_->secrets_lost);
    add("icos_agent_placements", "gauge", impl_->log.set().size());
    const RelayCounters relay = impl_->relay.counters();
    add("icos_agent_relay_listeners", "gauge", relay.listeners);
    add("icos_agent_relay_connections", "gauge", relay.connections);
    add("icos_agent_relay_accepted_total", "counter", relay.accepted);
    add("icos_agent_relay_refused_at_limit_total", "counter", relay.refused_at_limit);
    add("icos_agent_relay_connect_failures_total", "counter", relay.connect_failures);
    add("icos_agent_relay_unserved_total", "counter", relay.unserved);
    add("icos_agent_relay_cut_total", "counter", relay.cut);
    add("icos_agent_relay_in_bytes_total", "counter", relay.bytes_in);
    add("icos_agent_relay_out_bytes_total", "counter", relay.bytes_out);
    const DiskWatch::Counters& disks = impl_->disks->counters();
    if (disks.own_free) add("icos_agent_state_disk_free_bytes", "gauge", *disks.own_free);
    if (disks.engine_free) add("icos_agent_engine_disk_free_bytes", "gauge", *disks.engine_free);
    add("icos_agent_images_pruned_total", "counter", disks.pruned);
    if (const auto& reconciler = impl_->node->reconciler) {
        const Reconciler::Counters& counters = reconciler->counters();
        add("icos_agent_reconcile_passes_total", "counter", counters.passes);
        add("icos_agent_reconcile_failures_total", "counter", counters.failures);
        add("icos_agent_engine_events_total", "counter", counters.events);
        add("icos_agent_engine_losses_total", "counter", counters.engine_losses);
        add("icos_agent_orphans_total", "counter", counters.orphans);
        add("icos_agent_lease_ends_total", "counter", counters.lease_ends);
        add("icos_agent_pulls_total", "counter", reconciler->pulls());
        add("icos_agent_pulls_refused_total", "counter", reconciler->images().refused());
    }
    return out;
}

}  // namespace icos::agent
