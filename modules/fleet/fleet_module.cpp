// SPDX-License-Identifier: Apache-2.0
#include "fleet_module.hpp"

#include "conditions.hpp"
#include "icos/bus/bus.hpp"
#include "icos/store/disk.hpp"
#include "routes.hpp"
#include "row_json.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <optional>

namespace icos::fleet {
namespace {

constexpr Duration kLeaseCheck{1'000};
constexpr std::string_view kAuthorityRow = "fleet_ca";
constexpr std::string_view kAuthorityId = "current";

class FleetModule final : public Module, TopologyView, ExecutorRegistry, LinkAcceptor {
public:
    explicit FleetModule(CertificateAuthorityFactory factory) : factory_(std::move(factory)) {}

    std::string_view name() const noexcept override { return "fleet"; }
    Result<void> configure(ModuleContext& context) override;
    Task<Result<void>> start() override;
    Task<> stop(Duration deadline) override;
    std::string metrics() const override;

    std::shared_ptr<const Topology> current() const override { return parts_->journal.state().topology(); }
    Executor& executor() override { return parts_->links; }
    void attach(ExecutorListener& listener) override {
        listener_ = &listener;
        parts_->links.attach(listener);
    }
    Task<> serve(http::PeerKey peer, std::unique_ptr<http::FrameStream> stream) override {
        return parts_->links.serve(std::move(peer), std::move(stream));
    }
    void advertise(std::string address) override { settings_.advertise = with_port(std::move(address)); }

private:
    /// Built in configure(), in this order.
    struct Parts {
        Parts(FleetModule& module, ModuleContext& context, CertificateAuthority& authority);

        TaskGroup tasks;
        Journal journal;
        NodeService nodes;
        TokenService tokens;
        JoinService joins;
        LinkService links;
        Routes routes;
    };

    std::map<NodeId, ClaimSum> claims() const {
        return claims_ == nullptr ? std::map<NodeId, ClaimSum>() : claims_->current();
    }
    ClaimSum claim(const NodeId& node) const {
        const std::map<NodeId, ClaimSum> all = claims();
        const auto found = all.find(node);
        return found == all.end() ? ClaimSum{} : found->second;
    }
    void topology_changed();
    Task<> lease_loop();
    Task<Result<void>> check_authority();

    CertificateAuthorityFactory factory_;
    Settings settings_;
    Runtime* runtime_ = nullptr;
    Store* store_ = nullptr;
    Ports* ports_ = nullptr;
    const ClaimsView* claims_ = nullptr;
    ExecutorListener* listener_ = nullptr;
    std::unique_ptr<CertificateAuthority> authority_;
    std::optional<Parts> parts_;
    std::unique_ptr<Timer> topology_timer_;
    bool topology_pending_ = false;
};

FleetModule::Parts::Parts(FleetModule& module, ModuleContext& context, CertificateAuthority& authority)
    : tasks(context.runtime),
      journal(
          context.runtime,
          context.store,
          context.bus,
          tasks,
          [&module] {
              module.parts_->links.reloaded();
              module.topology_changed();
          }
      ),
      nodes(
          context.runtime,
          journal,
          module.settings_,
          NodeService::Hooks{
              [&module] { module.topology_changed(); },
              [&module](const NodeId& node) { module.parts_->links.forget(node); },
              [&module](const NodeId& node) { return module.claim(node); },
          }
      ),
      tokens(context.runtime, journal, module.settings_, authority),
      joins(
          context.runtime,
          journal,
          module.settings_,
          authority,
          JoinService::Hooks{
              [&module] { module.topology_changed(); },
              [&module](const NodeId& node) { module.parts_->links.key_changed(node); },
          }
      ),
      links(context.runtime, context.store, journal, nodes, authority, module.settings_),
      routes(Routes::Services{
          context.runtime,
          context.store,
          module.settings_,
          journal,
          nodes,
          tokens,
          joins,
          links,
          [&module] { return module.claims(); }
      }) {}

Result<void> FleetModule::configure(ModuleContext& context) {
    runtime_ = &context.runtime;
    store_ = &context.store;
    ports_ = &context.ports;
    settings_ = read_settings(context.config);
    settings_.controller_id = context.controller_id;
    settings_.controller_name = context.controller_name;
    settings_.advertise = with_port(context.advertise.empty() ? context.controller_name : context.advertise);
    Result<std::unique_ptr<CertificateAuthority>> authority = factory_(AuthoritySettings{
        context.disk,
        context.data_dir + "/ca",
        context.controller_name,
        {host_of(settings_.advertise), context.controller_name},
        context.runtime.wall()
    });
    if (authority.has_error()) return authority.error();
    authority_ = std::move(*authority);
    parts_.emplace(*this, context, *authority_);
    parts_->journal.state().set_lease(settings_.lease);
    parts_->routes.add_to(context.router);
    context.ports.provide<TopologyView>(*this);
    context.ports.provide<ExecutorRegistry>(*this);
    context.ports.provide<LinkAcceptor>(*this);
    context.ports.provide<CertificateAuthority>(*authority_);
    return {};
}

/// A data directory whose CA was lost or swapped is refused: with a new one no node could ever come back, and
/// nothing would say why.
Task<Result<void>> FleetModule::check_authority() {
    const Result<std::vector<Row>> rows = co_await store_->load(std::string(kAuthorityRow));
    if (rows.has_error()) co_return rows.error();
    const std::string pin = authority_->ca_pin();
    for (const Row& row : *rows) {
        RowReader reader(kAuthorityRow, row.id, row.body);
        const std::string known = reader.text("pin");
        if (reader.error()) co_return *reader.error();
        if (known == pin) co_return Result<void>();
        co_return Error{
            icos::errc::invalid,
            "the certificate authority is not the one that this controller's nodes joined with",
            "restore ca/ca.pem in the data directory from a backup"
        };
    }
    ChangeSet changes;
    changes.changes.push_back(Change{
        std::string(kAuthorityRow), std::string(kAuthorityId), json::serialize(json::object{{"pin", pin}})
    });
    const Result<std::uint64_t> version = co_await store_->commit(std::move(changes));
    if (version.has_error()) co_return version.error();
    co_return Result<void>();
}

Task<Result<void>> FleetModule::start() {
    // Its provider is configured after fleet, so that only now it can be there.
    claims_ = ports_->find<ClaimsView>();
    Result<void> ready = co_await check_authority();
    if (ready.has_error()) co_return ready;
    ready = co_await parts_->journal.load();
    if (ready.has_error()) co_return ready;
    parts_->tasks.spawn("fleet.leases", lease_loop());
    topology_changed();
    co_return Result<void>();
}

Task<> FleetModule::lease_loop() {
    for (;;) {
        co_await sleep_for(*runtime_, kLeaseCheck);
        parts_->links.collect_heartbeats();
        parts_->nodes.check_leases();
        parts_->nodes.check_clocks();
        parts_->links.renew_certificates();
    }
}

void FleetModule::topology_changed() {
    if (topology_pending_) return;
    topology_pending_ = true;
    // Never inline: whoever changed something is in the middle of it. Several changes are told once.
    topology_timer_ = runtime_->schedule(Duration{0}, [this] {
        topology_pending_ = false;
        if (listener_ != nullptr) listener_->topology_changed();
    });
}

Task<> FleetModule::stop(Duration deadline) {
    if (!parts_) co_return;
    topology_timer_.reset();
    topology_pending_ = true;
    const BootTime end = runtime_->boot() + deadline;
    co_await parts_->links.stop(deadline);
    const auto left = std::chrono::ceil<Duration>(end - runtime_->boot());
    co_await parts_->tasks.stop(std::max(left, Duration{10}));
}

std::string FleetModule::metrics() const {
    if (!parts_) return {};
    std::map<NodeState, std::size_t> states;
    for (const auto& [id, entry] : parts_->journal.state().nodes()) ++states[entry.life.state];
    std::string out = "# TYPE icos_fleet_nodes gauge\n";
    for (const NodeState state :
         {NodeState::joining, NodeState::ready, NodeState::suspect, NodeState::lost}) {
        out += "icos_fleet_nodes{state=\"" + std::string(to_string(state)) + "\"} " +
               std::to_string(states[state]) + "\n";
    }
    return out +
           condition_metrics(
               parts_->journal.state(), {runtime_->wall(), runtime_->boot(), settings_.certificate_validity}
           ) +
           parts_->links.metrics();
}

}  // namespace

ModuleDescriptor descriptor(CertificateAuthorityFactory authority) {
    return ModuleDescriptor{
        "fleet",
        {},
        schema(),
        [authority = std::move(authority)]() -> std::unique_ptr<Module> {
            return std::make_unique<FleetModule>(authority);
        },
    };
}

}  // namespace icos::fleet
