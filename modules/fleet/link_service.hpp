// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/backoff.hpp"
#include "icos/async/task_group.hpp"
#include "icos/core/log.hpp"
#include "icos/ports/executor.hpp"
#include "icos/ports/fleet.hpp"
#include "icos/store/store.hpp"
#include "journal.hpp"
#include "link_counters.hpp"
#include "node_link.hpp"
#include "node_service.hpp"
#include "settings.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace icos::fleet {

/// Serves the agents' links: handshake, desired and observed sets, facts, channels. Loop-confined.
class LinkService final : public Executor {
public:
    LinkService(
        Runtime& runtime,
        Store& store,
        Journal& journal,
        NodeService& nodes,
        CertificateAuthority& authority,
        const Settings& settings
    );

    /// Whether a key may connect: node.unknown_key or node.revoked otherwise. An expired certificate may:
    /// only the key counts, and the agent renews the rest over the link.
    Result<NodeId> admit(const http::PeerKey& peer);
    /// Records that a key was refused, once an hour for each: `node.link_refused`.
    void record_refusal(const http::PeerKey& peer, const std::string& remote, const Error& error);
    Task<> serve(http::PeerKey peer, std::unique_ptr<http::FrameStream> stream);

    void attach(ExecutorListener& listener) noexcept { listener_ = &listener; }
    void offer(const TargetId& target, std::shared_ptr<const TargetPlan> plan) override;
    Task<Result<std::unique_ptr<NodeStream>>> open_stream(
        TargetId target, std::string kind, std::string arguments
    ) override;

    /// Renews the lease of every node whose link carried a frame since the last call.
    void collect_heartbeats();
    /// The node is no longer known: its link ends, its plan is forgotten.
    void forget(const NodeId& node);
    /// The node has another key now: its link ends, its plan stays.
    void key_changed(const NodeId& node);
    /// Renews what ends soon, of nodes that are connected; call about once a second.
    void renew_certificates();
    /// Memory was read again after a failed write: links of nodes that are not stored end, and the others
    /// report everything anew, because what they said last may not have been kept.
    void reloaded();
    /// Ends every link and waits for them.
    Task<> stop(Duration deadline);

    std::size_t size() const noexcept { return links_.size(); }
    std::string metrics() const;

private:
    class Serving;
    using LinkPtr = std::shared_ptr<NodeLink>;

    Task<> refuse(LinkPtr link, Error error);
    Task<> note_stopping(LinkPtr link);
    Task<Result<void>> settle_identity(LinkPtr link);
    Task<> send_loop(LinkPtr link);
    Task<> read_loop(LinkPtr link);
    static Task<> run_session(LinkPtr link);
    Result<void> handle(NodeLink& link, const std::string& message);
    void handle_accepted(NodeLink& link, const agent::Accepted& accepted);
    void handle_observed(NodeLink& link, const agent::Observed& observed);
    void tell_accepted(NodeLink& link);
    std::string welcome(const NodeLink& link) const;
    void start(const LinkPtr& link, agent::Hello hello);
    void ended(const LinkPtr& link);
    void ask_all_for_reports();
    void report_duplicate(const NodeLink& refused, const NodeLink& present);
    /// Puts a newer certificate into `link->certificate` if the node needs one.
    void provide_certificate(NodeLink& link);
    bool is_beyond_grace(const NodeLink& link) const;

    Runtime& runtime_;
    Store& store_;
    Journal& journal_;
    NodeService& nodes_;
    CertificateAuthority& authority_;
    const Settings& settings_;
    Log log_{"fleet"};
    ExecutorListener* listener_ = nullptr;
    bool stopping_ = false;
    std::size_t serving_ = 0;
    Signal idle_;
    std::map<NodeId, LinkPtr> links_;
    std::set<NodeId> contended_;  ///< a second link waits for the first one's sign of life
    std::map<NodeId, std::shared_ptr<const TargetPlan>> plans_;
    std::map<NodeId, std::string> observed_;  ///< digest of what the listener was told last
    LinkCounters counters_;
    Backoff ask_backoff_;
    std::optional<BootTime> reloaded_at_;
    std::optional<BootTime> renewed_at_;
    std::map<std::string, BootTime> refusals_told_;  ///< by key id; of the last hour
    std::unique_ptr<Timer> ask_timer_;
    std::set<NodeId> seen_;  ///< had a link before
    TaskGroup tasks_;        ///< last: what runs in it refers to the rest
};

}  // namespace icos::fleet
