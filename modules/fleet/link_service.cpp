// SPDX-License-Identifier: Apache-2.0
#include "link_service.hpp"

#include "conditions.hpp"
#include "error.hpp"

#include <algorithm>

namespace icos::fleet {
namespace {

constexpr Duration kSendTime{60'000};
constexpr Duration kRefusalTime{2'000};
constexpr Duration kProblemRetry{30'000};
constexpr Duration kAskAgain{1'000};
const Backoff::Settings kAskAfterReload{Duration{1'000}, Duration{30'000}};
constexpr Duration kCalm{60'000};      ///< without a failed write: the next one is a first one again
constexpr Duration kFreshness{6'000};  ///< a link that idles is still heard from this often
constexpr Duration kReachTime{5'000};
constexpr Duration kTellAgain{std::chrono::hours(1)};
constexpr std::size_t kMostRefusalsTold = 20;
constexpr Duration kBackdate{std::chrono::hours(24)};
constexpr Duration kRenewalCheck{60'000};
/// Certificates know whole seconds only.
constexpr Duration kSameMoment{60'000};

Error unreachable(const NodeEntry& entry, WallTime now) {
    std::string detail = "node " + entry.record.name + " is not connected";
    if (entry.life.last_seen && *entry.life.last_seen <= now)
        detail += "; last seen " + for_people(now - *entry.life.last_seen) + " ago";
    return Error{errc::unreachable, detail, "look at the agent there: systemctl status icos-agent"};
}

}  // namespace

/// Counts a running `serve` and takes its link out of the table however it ends.
class LinkService::Serving {
public:
    Serving(LinkService& service, LinkPtr link) : service_(service), link_(std::move(link)) {
        ++service_.serving_;
    }
    ~Serving() {
        link_->close();
        service_.ended(link_);
        if (--service_.serving_ == 0) service_.idle_.notify();
    }
    Serving(const Serving&) = delete;
    Serving& operator=(const Serving&) = delete;

private:
    LinkService& service_;
    LinkPtr link_;
};

LinkService::LinkService(
    Runtime& runtime,
    Store& store,
    Journal& journal,
    NodeService& nodes,
    CertificateAuthority& authority,
    const Settings& settings
)
    : runtime_(runtime),
      store_(store),
      journal_(journal),
      nodes_(nodes),
      authority_(authority),
      settings_(settings),
      idle_(runtime),
      ask_backoff_(kAskAfterReload),
      tasks_(runtime) {}

Result<NodeId> LinkService::admit(const http::PeerKey& peer) {
    if (const RevokedKey* revoked = journal_.state().find_revoked(peer.key_id)) {
        return Error{
            errc::revoked,
            "node " + revoked->node + " was forgotten at " + to_rfc3339(revoked->at) +
                " and its key is revoked",
            "join again with a new key and a new token: icos node token"
        };
    }
    const NodeEntry* entry = journal_.state().find_key(peer.key_id);
    if (entry == nullptr) {
        return Error{
            errc::unknown_key,
            "no node with this key has joined" +
                (peer.common_name.empty() ? std::string()
                                          : " (its certificate names node " + peer.common_name + ")"),
            "join first: icos node token prints the command"
        };
    }
    return entry->record.id;
}

void LinkService::record_refusal(const http::PeerKey& peer, const std::string& remote, const Error& error) {
    const BootTime now = runtime_.boot();
    std::erase_if(refusals_told_, [now](const auto& entry) { return now - entry.second >= kTellAgain; });
    // Anybody can make keys: beyond this the log and the counter are enough.
    if (refusals_told_.size() >= kMostRefusalsTold || !refusals_told_.emplace(peer.key_id, now).second)
        return;
    EventDraft event;
    event.kind = "node.link_refused";
    event.layer = Layer::security;
    // Without a subject: the last event of each is kept for good, and keys are without number.
    event.subject_kind = "key";
    if (const RevokedKey* revoked = journal_.state().find_revoked(peer.key_id)) event.node = revoked->node;
    event.message = "an agent from " + remote + " was refused: " + error.detail + "; " + error.hint;
    event.actor = "agent:" + peer.key_id;
    ChangeSet changes;
    changes.events.push_back(std::move(event));
    journal_.write_behind(std::move(changes));
}

Task<> LinkService::run_session(LinkPtr link) {
    const Error why = co_await link->session.run();
    link->why = describe(why);
    link->close();
}

Task<> LinkService::serve(http::PeerKey peer, std::unique_ptr<http::FrameStream> stream) {
    if (stopping_) {
        stream->close();
        co_return;
    }
    const auto link = std::make_shared<NodeLink>(runtime_, std::move(stream));
    const Serving serving(*this, link);
    tasks_.spawn("fleet.link.session", run_session(link));
    const Result<NodeId> admitted = admit(peer);
    if (admitted.has_error()) {
        record_refusal(peer, link->remote, admitted.error());
        co_await refuse(link, admitted.error());
        co_return;
    }
    link->node = *admitted;
    Result<agent::Hello> hello = co_await NodeLink::read_hello(link, settings_.hello_time);
    if (hello.has_error()) {
        log_.warning("an agent's link from " + link->remote + " did not start", hello.error());
        co_return;
    }
    if (!hello->node_id.empty() && hello->node_id != link->node.value) {
        // Its containers carry another node's target: it would take them for orphans.
        Error mixed{
            errc::unknown_key,
            "the agent says it is node " + hello->node_id + ", but its key belongs to node " +
                link->node.value,
            "its state directory mixes two identities: remove it and join again"
        };
        co_await refuse(link, std::move(mixed));
        co_return;
    }
    link->peer = std::move(peer);
    link->hostname = hello->facts.hostname;
    link->boot_id = hello->boot_id;
    link->process_nonce = hello->process_nonce;
    const Result<void> settled = co_await settle_identity(link);
    if (settled.has_error()) {
        co_await refuse(link, settled.error());
        co_return;
    }
    if (link->closed) co_return;
    provide_certificate(*link);
    if (is_beyond_grace(*link)) {
        // Only renewed: the agent comes again with what it gets here.
        std::string renewed = agent::encode(agent::CertificateRenewed{std::move(link->certificate)});
        if (!co_await NodeLink::send(link, std::move(renewed), kRefusalTime)) co_return;
        Error expired{
            errc::certificate_expired,
            "the node's certificate expired at " + to_rfc3339(from_ms(link->peer.not_after_ms)) +
                ", beyond its grace; it was renewed now",
            "the agent connects again by itself; if it does not, upgrade it, or join it again: icos node "
            "token "
            "--replace " +
                journal_.state().find(link->node)->record.name
        };
        co_await refuse(link, std::move(expired));
        co_return;
    }
    start(link, std::move(*hello));
    co_await read_loop(link);
}

Task<> LinkService::refuse(LinkPtr link, Error error) {
    ++counters_.refused;
    log_.warning("refused an agent's link from " + link->remote, error);
    co_await NodeLink::send(link, encode_refusal(error), kRefusalTime);
}

/// The identity is this link's alone, or an error to refuse it with.
Task<Result<void>> LinkService::settle_identity(LinkPtr link) {
    for (;;) {
        if (journal_.state().find(link->node) == nullptr)
            co_return Error{errc::unknown_key, "the node was forgotten meanwhile"};
        const auto present = links_.find(link->node);
        if (present == links_.end()) co_return Result<void>();
        const LinkPtr other = present->second;
        const bool same_process =
            other->boot_id == link->boot_id && other->process_nonce == link->process_nonce;
        bool alive = false;
        if (!same_process) {
            if (!contended_.insert(link->node).second)
                co_return Error{
                    errc::duplicate, "another agent claims this identity too", "try again in 5 s"
                };
            struct Release {
                std::set<NodeId>& set;
                NodeId id;
                ~Release() { set.erase(id); }
            } const release{contended_, link->node};
            alive = co_await other->session.ping(settings_.duplicate_ping);
        }
        const auto now = links_.find(link->node);
        if (now == links_.end() || now->second != other) continue;
        if (alive) {
            report_duplicate(*link, *other);
            co_return Error{
                errc::duplicate,
                "node " + other->name + " is connected already, from " + other->remote,
                "two machines use one identity (a cloned disk?): on the copy, stop the agent, run icos-agent "
                "reset-identity and join it with a new token"
            };
        }
        ++counters_.replaced;
        links_.erase(now);
        other->close();
        co_return Result<void>();
    }
}

void LinkService::report_duplicate(const NodeLink& refused, const NodeLink& present) {
    NodeEntry* entry = journal_.state().find(refused.node);
    if (entry == nullptr) return;
    const auto described = [](const NodeLink& link) {
        return (link.hostname.empty() ? std::string() : link.hostname + " at ") + link.remote + " (boot " +
               link.boot_id.substr(0, 8) + ")";
    };
    const BootTime now = runtime_.boot();
    Contender contender{described(refused), described(present), now, now};
    const auto& before = entry->life.contender;
    // It tries again for ever: told when it begins, then once an hour.
    const bool is_news =
        !before || now - before->boot >= kContenderShown || now - before->reported >= kTellAgain;
    if (!is_news) contender.reported = before->reported;
    entry->life.contender = std::move(contender);
    if (!is_news) return;
    ChangeSet changes;
    changes.events.push_back(node_event(
        "node.duplicate_refused",
        *entry,
        "a second agent, " + entry->life.contender->refused + ", was refused; " +
            entry->life.contender->present +
            " stays; on the copy: icos-agent reset-identity, then join it with a new token",
        {},
        Layer::security
    ));
    journal_.write_behind(std::move(changes));
}

void LinkService::provide_certificate(NodeLink& link) {
    NodeEntry* entry = journal_.state().find(link.node);
    if (entry == nullptr) return;
    NodeRecord& record = entry->record;
    const WallTime now = runtime_.wall();
    const Duration validity = settings_.certificate_validity;
    const bool is_recorded = record.certificate_until.has_value();
    const Duration left = is_recorded ? *record.certificate_until - now : Duration{0};
    // One that lasts longer than any does was issued when the controller's clock was wrong.
    if (left < renew_before(validity) || left > validity + kBackdate) {
        Result<std::string> issued =
            authority_.issue(link.peer, link.node.value, to_ms(now - kBackdate), to_ms(now + validity));
        if (issued.has_error()) {
            log_.error("a node's certificate could not be renewed", issued.error());
            return;
        }
        record.certificate = *issued;
        record.certificate_until = now + validity;
        link.certificate = std::move(*issued);
        ++counters_.certificates_renewed;
        ChangeSet changes;
        changes.changes.push_back(upsert(record));
        changes.events.push_back(node_event(
            "node.certificate_renewed",
            *entry,
            "valid until " + to_rfc3339(*record.certificate_until) + ", for the same key",
            {},
            Layer::security
        ));
        journal_.write_behind(std::move(changes));
        return;
    }
    const std::int64_t shown = link.peer.not_after_ms;
    if (shown != 0 && link.peer.issued_by_us &&
        shown + kSameMoment.count() < to_ms(*record.certificate_until))
        link.certificate = record.certificate;
}

bool LinkService::is_beyond_grace(const NodeLink& link) const {
    if (link.peer.not_after_ms == 0 || !link.peer.issued_by_us || link.certificate.empty()) return false;
    return runtime_.wall() > from_ms(link.peer.not_after_ms) + settings_.certificate_grace;
}

void LinkService::renew_certificates() {
    const BootTime now = runtime_.boot();
    if (renewed_at_ && now - *renewed_at_ < kRenewalCheck) return;
    renewed_at_ = now;
    if (!journal_.is_writable()) return;
    for (const auto& [node, link] : links_) {
        const NodeEntry* entry = journal_.state().find(node);
        if (entry == nullptr || !entry->record.certificate_until) continue;
        const Duration left = *entry->record.certificate_until - runtime_.wall();
        if (left >= renew_before(settings_.certificate_validity)) continue;
        provide_certificate(*link);
        link->wake.notify();
    }
}

std::string LinkService::welcome(const NodeLink& link) const {
    agent::Welcome welcome;
    welcome.controller_id = settings_.controller_id;
    welcome.controller_name = settings_.controller_name;
    const auto observed = observed_.find(link.node);
    if (observed != observed_.end()) welcome.observed_digest = observed->second;
    welcome.wall_ms = to_ms(runtime_.wall());
    welcome.lease_ms = static_cast<std::uint32_t>(settings_.lease.count());
    welcome.controllers = {settings_.advertise};
    return agent::encode(welcome);
}

void LinkService::start(const LinkPtr& link, agent::Hello hello) {
    ++counters_.connects;
    if (!seen_.insert(link->node).second) ++counters_.reconnects;
    links_.insert_or_assign(link->node, link);
    link->name = journal_.state().find(link->node)->record.name;
    link->sync.emplace(hello.accepted_digest, settings_.accept_time);
    const auto plan = plans_.find(link->node);
    if (plan != plans_.end()) link->sync->offer(plan->second);
    if (hello.facts.address.empty()) hello.facts.address = host_of(link->remote);
    // Before anyone sees that it is back: what it did meanwhile is not known yet.
    if (listener_ != nullptr) listener_->accepted(TargetId{link->node.value}, {}, {});
    nodes_.said_hello(link->node, std::move(hello.facts));
    nodes_.told_clock(link->node, hello.wall_ms);
    log_.info(
        "node connected", {{"node", link->name}, {"remote", link->remote}, {"protocol", hello.version}}
    );
    // What the set does not name may still be there: it counts once it is known what there is.
    link->accepted_untold = hello.accepted_digest;
    const auto observed = observed_.find(link->node);
    if (observed != observed_.end() && observed->second == hello.observed_digest) tell_accepted(*link);
    tasks_.spawn("fleet.link.send", send_loop(link));
}

void LinkService::tell_accepted(NodeLink& link) {
    const std::string digest = std::exchange(link.accepted_untold, {});
    if (listener_ != nullptr && !digest.empty()) listener_->accepted(TargetId{link.node.value}, digest, {});
}

void LinkService::ended(const LinkPtr& link) {
    counters_.add(*link);
    const auto present = links_.find(link->node);
    // What came in since the last look was answered too.
    if (present != links_.end() && present->second == link &&
        link->session.counters().frames_in != link->frames_seen)
        nodes_.heard(link->node);
    if (link->sync) {
        log_.info("node disconnected", {{"node", link->name}, {"reason", link->why}});
    }
    const auto found = links_.find(link->node);
    if (found != links_.end() && found->second == link) links_.erase(found);
}

Task<> LinkService::send_loop(LinkPtr link) {
    if (!co_await NodeLink::send(link, welcome(*link), kSendTime)) co_return;
    while (!link->closed) {
        if (link->is_stopping_noted) {
            link->is_stopping_noted = false;
            co_await NodeLink::send(link, agent::encode(agent::StoppingNoted{}), kSendTime);
            continue;
        }
        if (!link->certificate.empty()) {
            std::string message = agent::encode(agent::CertificateRenewed{std::move(link->certificate)});
            link->certificate.clear();
            co_await NodeLink::send(link, std::move(message), kSendTime);
            continue;
        }
        if (link->ask_observed) {
            link->ask_observed = false;
            ++counters_.observed_asked;
            std::string message = agent::encode(agent::Resend{"observed"});
            co_await NodeLink::send(link, std::move(message), kSendTime);
            continue;
        }
        const BootTime now = runtime_.boot();
        const DesiredSync::Step step = link->sync->next(now, store_.last_version());
        if (step.send) {
            ++(step.send->base.empty() ? counters_.desired_full : counters_.desired_step);
            std::string message = agent::encode(*step.send);
            if (message.size() > link::kMaxMessage) {
                log_.error(
                    "the desired set of a node is too long to be sent",
                    {{"node", link->name}, {"bytes", message.size()}, {"limit", link::kMaxMessage}}
                );
                link->sync->resend(runtime_.boot() + kProblemRetry);
                continue;
            }
            // Whether the node gets it or not: what it holds is known again when it says so.
            if (listener_ != nullptr) listener_->accepted(TargetId{link->node.value}, {}, {});
            co_await NodeLink::send(link, std::move(message), kSendTime);
        } else if (step.confirm) {
            std::string message = agent::encode(agent::Current{step.confirm->substr(0, agent::kShortDigest)});
            co_await NodeLink::send(link, std::move(message), kSendTime);
        } else if (step.look_again) {
            const auto wait = std::chrono::ceil<Duration>(*step.look_again - now);
            co_await link->wake.wait_for(wait);
        } else {
            co_await link->wake.wait();
        }
    }
}

Task<> LinkService::read_loop(LinkPtr link) {
    while (!link->closed) {
        const Result<std::optional<std::string>> message = co_await link->session.control().read();
        if (message.has_error() || !message->has_value()) co_return;
        if (link->closed) co_return;
        nodes_.heard(link->node);
        const Result<void> handled = handle(*link, **message);
        if (handled.has_error()) {
            log_.warning("node '" + link->name + "' broke the protocol; its link is closed", handled.error());
            co_return;
        }
    }
}

Result<void> LinkService::handle(NodeLink& link, const std::string& message) {
    const std::string type = agent::message_type(message);
    if (type == "accepted") {
        const Result<agent::Accepted> accepted = agent::decode<agent::Accepted>(message);
        if (accepted.has_error()) return accepted.error();
        handle_accepted(link, *accepted);
    } else if (type == "observed") {
        const Result<agent::Observed> observed = agent::decode<agent::Observed>(message);
        if (observed.has_error()) return observed.error();
        handle_observed(link, *observed);
    } else if (type == "facts") {
        Result<agent::FactsChanged> changed = agent::decode<agent::FactsChanged>(message);
        if (changed.has_error()) return changed.error();
        if (changed->facts.address.empty()) changed->facts.address = host_of(link.remote);
        nodes_.facts_changed(link.node, std::move(changed->facts));
    } else if (type == "clock") {
        const Result<agent::ClockChanged> clock = agent::decode<agent::ClockChanged>(message);
        if (clock.has_error()) return clock.error();
        nodes_.told_clock(link.node, clock->wall_ms);
    } else if (type == "resend") {
        const Result<agent::Resend> resend = agent::decode<agent::Resend>(message);
        if (resend.has_error()) return resend.error();
        if (resend->what != "desired") return {};
        ++counters_.resend_asked;
        // The first time at once; a node that keeps asking is asked to wait.
        const bool first = link.resend_backoff.attempts() == 0;
        const Duration delay = link.resend_backoff.next(runtime_);
        link.sync->resend(first ? runtime_.boot() : runtime_.boot() + delay);
        link.wake.notify();
    } else if (type == "stopping") {
        tasks_.spawn("fleet.link.stopping", note_stopping(link.shared_from_this()));
    } else if (type.empty() || type == "hello") {
        return Error{link::errc::protocol, type.empty() ? "a message without a type" : "a second hello"};
    }
    return {};  // types of later versions are passed over
}

/// Its containers go on without an agent that would stop what is exclusive: known before the agent goes.
Task<> LinkService::note_stopping(LinkPtr link) {
    const Result<void> noted = co_await nodes_.stops_keeping_lease(link->node);
    if (noted.has_error()) co_return;
    link->is_stopping_noted = true;
    link->wake.notify();
}

void LinkService::handle_accepted(NodeLink& link, const agent::Accepted& accepted) {
    const bool problem = !accepted.problem.empty();
    if (problem) {
        log_.warning(
            "a node cannot take its desired set", {{"node", link.name}, {"problem", accepted.problem}}
        );
    } else {
        link.resend_backoff.reset();
    }
    if (NodeEntry* entry = journal_.state().find(link.node)) entry->life.plan_problem = accepted.problem;
    link.sync->accepted(accepted.digest, problem, runtime_.boot() + kProblemRetry);
    link.wake.notify();
    link.accepted_untold.clear();
    if (!problem) {
        // A report that could not be used is on its way again, whole.
        link.accepted_untold = accepted.digest;
        if (!link.asked_observed_at) tell_accepted(link);
    } else if (listener_ != nullptr) {
        listener_->accepted(TargetId{link.node.value}, accepted.digest, accepted.problem);
    }
}

void LinkService::handle_observed(NodeLink& link, const agent::Observed& observed) {
    const bool full = observed.base.empty();
    std::string& known = observed_[link.node];
    if (!full && observed.base != known) {
        const BootTime now = runtime_.boot();
        if (link.asked_observed_at && now < *link.asked_observed_at + kAskAgain) return;
        link.asked_observed_at = now;
        link.ask_observed = true;
        link.wake.notify();
        return;
    }
    ++(full ? counters_.observed_full : counters_.observed_step);
    if (full) link.asked_observed_at.reset();
    known = observed.digest;
    if (listener_ != nullptr)
        listener_->observed(TargetId{link.node.value}, full, observed.upsert, observed.removed);
    tell_accepted(link);
}

void LinkService::offer(const TargetId& target, std::shared_ptr<const TargetPlan> plan) {
    const NodeId node{target.value};
    if (journal_.state().find(node) == nullptr) return;
    plans_.insert_or_assign(node, plan);
    const auto link = links_.find(node);
    if (link == links_.end()) return;
    link->second->sync->offer(std::move(plan));
    link->second->wake.notify();
}

Task<Result<std::unique_ptr<NodeStream>>> LinkService::open_stream(
    TargetId target, std::string kind, std::string arguments
) {
    const NodeId node{target.value};
    const NodeEntry* entry = journal_.state().find(node);
    if (entry == nullptr)
        co_return Error{
            errc::not_found, "there is no node with id " + node.value, "icos get nodes lists them"
        };
    const auto found = links_.find(node);
    if (found == links_.end()) co_return unreachable(*entry, runtime_.wall());
    const LinkPtr link = found->second;
    const NodeEntry copy = *entry;
    const bool fresh = copy.life.renewed && runtime_.boot() - *copy.life.renewed < kFreshness;
    if (!fresh) {
        // The other end may be gone without a word; better said now than by a stream that never starts.
        const bool answers = co_await link->session.ping(kReachTime);
        if (!answers) co_return unreachable(copy, runtime_.wall());
    }
    if (link->closed) co_return unreachable(copy, runtime_.wall());
    std::shared_ptr<link::Channel> channel = link->session.open(std::move(kind), std::move(arguments));
    co_return make_node_stream(std::move(channel));
}

void LinkService::collect_heartbeats() {
    // heard() may end up in code that offers plans, never in one that adds or removes links.
    for (const auto& [node, link] : links_) {
        const std::uint64_t frames = link->session.counters().frames_in;
        if (frames == link->frames_seen) continue;
        link->frames_seen = frames;
        nodes_.heard(node, link->session.round_trip());
    }
}

void LinkService::forget(const NodeId& node) {
    plans_.erase(node);
    observed_.erase(node);
    seen_.erase(node);
    const auto found = links_.find(node);
    if (found == links_.end()) return;
    const LinkPtr link = found->second;
    links_.erase(found);
    link->close();
}

void LinkService::key_changed(const NodeId& node) {
    observed_.erase(node);
    const auto found = links_.find(node);
    if (found == links_.end()) return;
    const LinkPtr link = found->second;
    links_.erase(found);
    link->close();
}

void LinkService::reloaded() {
    observed_.clear();
    std::vector<NodeId> gone;
    for (const auto& [node, link] : links_) {
        if (journal_.state().find(node) == nullptr) {
            gone.push_back(node);
        }
    }
    for (const NodeId& node : gone) forget(node);

    // States and reports are changes too, and fail like the write before while the disk is full: at once the
    // first time, then ever later, or the two would chase each other as fast as the machine can.
    const BootTime now = runtime_.boot();
    if (!reloaded_at_ || now - *reloaded_at_ > kCalm) ask_backoff_.reset();
    reloaded_at_ = now;
    const bool first = ask_backoff_.attempts() == 0;
    const Duration delay = ask_backoff_.next(runtime_);
    ask_timer_ = runtime_.schedule(first ? Duration{0} : delay, [this] {
        nodes_.write_states();
        ask_all_for_reports();
    });
}

void LinkService::ask_all_for_reports() {
    for (const auto& [node, link] : links_) {
        link->ask_observed = true;
        link->wake.notify();
    }
}

Task<> LinkService::stop(Duration deadline) {
    stopping_ = true;
    ask_timer_.reset();
    const std::map<NodeId, LinkPtr> links = links_;
    for (const auto& [node, link] : links) link->close();
    const BootTime end = runtime_.boot() + deadline;
    while (serving_ > 0 && runtime_.boot() < end) {
        co_await idle_.wait_for(std::chrono::ceil<Duration>(end - runtime_.boot()));
    }
    const auto left = std::chrono::ceil<Duration>(end - runtime_.boot());
    co_await tasks_.stop(std::max(left, Duration{10}));
}

std::string LinkService::metrics() const {
    LinkCounters total = counters_;
    for (const auto& [node, link] : links_) total.add(*link);
    return to_prometheus(total, links_.size());
}

}  // namespace icos::fleet
