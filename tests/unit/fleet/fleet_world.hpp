// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fleet/fleet_module.hpp"
#include "frame_pipe.hpp"
#include "icos/async/task_group.hpp"
#include "icos/bus/bus.hpp"
#include "icos/http/router.hpp"
#include "icos/link/session.hpp"
#include "icos/messages/topology.hpp"
#include "icos/ports/claims.hpp"
#include "icos/ports/executor.hpp"
#include "icos/ports/fleet.hpp"
#include "icos/ports/topology_view.hpp"
#include "icos/store/disk.hpp"
#include "manual_runtime.hpp"
#include "memory_store.hpp"

#include <boost/json/object.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace icos::fleet::test {

/// An authority without keys: its certificates are their own description.
class NumberedAuthority final : public CertificateAuthority {
public:
    std::string ca_certificate() const override { return "the CA"; }
    std::string ca_pin() const override { return std::string(64, 'a'); }
    Result<std::string> issue(
        const http::PeerKey& peer, const std::string& node_id, std::int64_t from, std::int64_t to
    ) override;
    std::pair<std::string, std::string> server_pair() const override { return {"server", "key"}; }
    std::pair<std::string, std::string> operator_pair() const override { return {"operator", "key"}; }

private:
    int issued_ = 0;
};

/// What the Job Manager would be told.
struct RecordingListener final : ExecutorListener {
    struct Observed {
        TargetId target;
        bool full = false;
        std::vector<agent::ObservedPlacement> upsert;
        std::vector<PlacementId> removed;
    };
    std::vector<std::pair<TargetId, std::string>> accepted_digests;
    int unknowns = 0;  ///< times it was told that it is not known what the target holds
    std::vector<std::string> problems;
    std::vector<Observed> reports;
    int topology_changes = 0;

    void accepted(const TargetId& target, const std::string& digest, const std::string& problem) override;
    void observed(
        const TargetId& target,
        bool full,
        const std::vector<agent::ObservedPlacement>& upsert,
        const std::vector<PlacementId>& removed
    ) override;
    void topology_changed() override { ++topology_changes; }
};

struct FixedClaims final : ClaimsView {
    std::map<NodeId, ClaimSum> claims;
    std::map<NodeId, ClaimSum> current() const override { return claims; }
};

/// The fleet module over a store in memory, under virtual time. `restart()` is a controller that was stopped
/// and started on the same data.
class FleetWorld {
public:
    FleetWorld();
    ~FleetWorld();

    icos::test::ManualRuntime runtime;
    icos::test::MemoryStore store{runtime};
    FixedClaims claims;
    RecordingListener listener;
    std::vector<messages::NodeChanged> changes;  ///< from the bus

    void start(CertificateAuthorityFactory factory = numbered());
    Result<void> try_start(CertificateAuthorityFactory factory);
    void stop();
    void restart();
    static CertificateAuthorityFactory numbered();

    struct Answer {
        unsigned status = 0;
        boost::json::object body;
        std::string etag;
        std::string code() const;
        std::string text(const char* member) const;
    };
    Answer call(
        http::Method method, const std::string& path, const std::string& body = {}, http::Headers headers = {}
    );
    Answer call_as(
        http::Caller caller, http::Method method, const std::string& path, const std::string& body
    );
    /// A new token's text.
    std::string make_token(const std::string& body = "{}");
    Answer join(const std::string& token, const std::string& name, const std::string& key);
    Answer join(const agent::JoinRequest& request, const std::string& key);
    /// Joins with a fresh token; the node's id.
    NodeId join_node(const std::string& name);

    const Node* node(const std::string& name);
    NodeState state_of(const std::string& name);
    std::vector<std::string> event_messages(const std::string& kind) const;
    std::uint64_t metric(const std::string& name_and_labels);

    LinkAcceptor& acceptor() { return *ports_->find<LinkAcceptor>(); }
    Executor& executor() { return ports_->find<ExecutorRegistry>()->executor(); }
    TopologyView& topology() { return *ports_->find<TopologyView>(); }
    CertificateAuthority& authority() { return *ports_->find<CertificateAuthority>(); }
    http::Router& router() { return *router_; }

    static http::PeerKey peer(const std::string& key);
    static http::Caller agent_caller(const std::string& key);

private:
    std::unique_ptr<Disk> disk_ = make_posix_disk();
    std::unique_ptr<Bus> bus_;
    std::unique_ptr<http::Router> router_;
    std::unique_ptr<Ports> ports_;
    std::unique_ptr<Module> module_;
    std::shared_ptr<void> subscription_;
};

/// The node's side of a link, as far as tests decide what it says.
class FakeAgent {
public:
    /// Connects at once; says nothing yet.
    FakeAgent(FleetWorld& world, const std::string& key, std::string remote = "192.0.2.7:40000");
    /// One that shows a certificate of our authority which is valid until then.
    FakeAgent(FleetWorld& world, const std::string& key, WallTime certificate_until);
    ~FakeAgent();
    FakeAgent(const FakeAgent&) = delete;
    FakeAgent& operator=(const FakeAgent&) = delete;

    agent::Hello hello;  ///< what say_hello() says
    void say_hello();
    void say(std::string message);
    void go_silent() { middle->silent = true; }
    void hang_up() { session->close(); }

    bool is_connected() const noexcept { return !ended; }
    std::vector<std::string> of_type(const std::string& type) const;
    std::optional<agent::Welcome> welcome() const;
    std::vector<agent::Desired> desired() const;
    std::string refusal() const;  ///< code

    std::shared_ptr<icos::test::FramePipeMiddle> middle;
    std::unique_ptr<link::Session> session;
    std::vector<std::string> inbox;
    std::vector<std::shared_ptr<link::Channel>> channels;
    bool ended = false;
    bool served = false;  ///< the controller's serve() returned

private:
    FakeAgent(FleetWorld& world, const std::string& key, std::string remote, http::PeerKey peer);
    static Task<> pump(FakeAgent* self);
    static Task<> read(FakeAgent* self);
    static Task<> write(FakeAgent* self, std::string message);
    static Task<> serve(FakeAgent* self, Task<> serving);

    FleetWorld& world_;
    TaskGroup tasks_;
};

agent::Facts some_facts(const std::string& hostname);
agent::DesiredPlacement placement(const std::string& id, const std::string& digest);
std::shared_ptr<const TargetPlan> plan(
    std::vector<agent::DesiredPlacement> placements, std::uint64_t version = 0
);

}  // namespace icos::fleet::test
