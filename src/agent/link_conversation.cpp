// SPDX-License-Identifier: Apache-2.0
#include "link_conversation.hpp"

#include "channels.hpp"
#include "icos/core/log.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>

namespace icos::agent {
namespace {

const Log kLog("agent.link");
/// Between pings that renew the lease, and at most for an answer.
constexpr Duration kLeasePing{5'000};
/// Changes within this time travel together.
constexpr Duration kDebounce{50};

/// {"type": "refused", "code", "detail", "hint"}: the controller does not want this node, and says why.
Error refusal(const std::string& message) {
    namespace json = boost::json;
    boost::system::error_code ec;
    const json::value value = json::parse(message, ec);
    const auto text = [&](std::string_view key) -> std::string {
        const json::value* found = ec || !value.is_object() ? nullptr : value.get_object().if_contains(key);
        return found != nullptr && found->is_string() ? found->get_string().c_str() : "";
    };
    return Error{
        link::errc::refused,
        "the controller refused this node: " + text("detail") + " [" + text("code") + "]",
        text("hint")
    };
}

}  // namespace

Conversation::Conversation(
    std::shared_ptr<NodeState> node, std::unique_ptr<http::FrameStream> stream, std::string controller
)
    : node_(std::move(node)), controller_(std::move(controller)), tasks_(node_->runtime) {
    // The session's callback lives no longer than the session, which is this object's.
    session_ = std::make_shared<link::Session>(
        node_->runtime,
        std::move(stream),
        link::Session::Side::dialling,
        [this](std::shared_ptr<link::Channel> channel) {
            return serve_channel(
                node_->runtime, node_->engine, node_->reconciler, tasks_, std::move(channel)
            );
        }
    );
}

Task<> Conversation::run_session(Self self) {
    const std::shared_ptr<link::Session> session = self->session_;
    self->ended_ = co_await session->run();
}

Task<Error> Conversation::hold(Self self) {
    try {
        co_return co_await converse(self);
    } catch (...) {
        // The tasks keep this object alive: without this they would go on when the agent is stopped.
        self->node_->is_connected = false;
        self->session_->close();
        self->tasks_.cancel();
        throw;
    }
}

Task<Error> Conversation::converse(Self self) {
    NodeState& node = *self->node_;
    self->tasks_.spawn("agent.session", run_session(self));
    self->greeted_ = node.reconciler->observed();
    Hello hello;
    hello.node_id = node.settings.node_id;
    hello.boot_id = node.boot_id;
    hello.process_nonce = node.process_nonce;
    // A log that lost its tail may show an older set than the controller was told: ask for the set again.
    hello.accepted_digest = node.log.is_whole() ? node.log.digest() : std::string();
    hello.observed_digest = observed_digest(self->greeted_);
    hello.wall_ms = to_ms(node.runtime.wall());
    hello.facts = node.facts;
    self->facts_sent_ = node.facts_version;
    self->said_hello_ = node.runtime.boot();
    self->clock_sent_ = node.clock.steps();
    Result<void> going = co_await self->session_->control().write(encode(hello));
    if (going.has_value()) {
        node.conversation = self;
        self->tasks_.spawn("agent.report", report(self));
        self->tasks_.spawn("agent.lease_ping", keep_lease(self));
    }
    while (going.has_value()) {
        Result<std::optional<std::string>> message = co_await self->session_->control().read();
        if (message.has_error()) {
            going = message.error();
        } else if (!message->has_value()) {
            going = Error{link::errc::closed, "the controller ended the conversation"};
        } else {
            going = co_await handle(self, std::move(**message));
        }
    }
    node.is_connected = false;
    self->session_->close();
    co_await self->tasks_.stop(Duration(2'000));
    co_return going.error();
}

void Conversation::take_welcome(const Welcome& welcome) {
    NodeState& node = *node_;
    kLog.info("connected", {{"controller", welcome.controller_name}, {"version", welcome.version}});
    if (welcome.observed_digest == observed_digest(greeted_)) known_ = std::move(greeted_);
    greeted_.clear();
    for (const std::string& controller : welcome.controllers) {
        if (std::find(node.controllers.begin(), node.controllers.end(), controller) ==
                node.controllers.end() &&
            node.controllers.size() < 16) {
            node.controllers.push_back(controller);
        }
    }
    lease_ = Duration(welcome.lease_ms);
    node.reconciler->lease_answered(said_hello_, lease_);
    node.clock.compare(node.runtime.wall(), welcome.wall_ms);
    node.status->connected(controller_, node.clock.offset_ms());
    node.is_connected = true;
    is_welcomed_ = true;
    node.changed.notify();
}

Task<Result<void>> Conversation::handle(Self self, std::string message) {
    const std::string type = message_type(message);
    if (type == "welcome") {
        const Result<Welcome> welcome = decode<Welcome>(message);
        if (welcome.has_error()) co_return welcome.error();
        self->take_welcome(*welcome);
    } else if (type == "current") {
        const Result<Current> current = decode<Current>(message);
        if (current.has_error()) co_return current.error();
        const bool is_meant =
            current->digest.size() >= kShortDigest && self->node_->log.digest().starts_with(current->digest);
        if (is_meant) self->node_->reconciler->lease_confirmed();
    } else if (type == "stopping_noted") {
        self->is_stopping_noted_ = true;
        self->node_->changed.notify();
    } else if (type == "desired") {
        Result<Desired> desired = decode<Desired>(message);
        if (desired.has_error()) co_return desired.error();
        co_return co_await take_desired(self, std::move(*desired));
    } else if (type == "resend") {
        const Result<Resend> resend = decode<Resend>(message);
        if (resend.has_error()) co_return resend.error();
        if (resend->what == "observed") self->known_.reset();
        self->node_->changed.notify();
    }
    if (type == "certificate") {
        Result<CertificateRenewed> renewed = decode<CertificateRenewed>(message);
        if (renewed.has_error()) co_return renewed.error();
        const Result<void> taken =
            co_await self->node_->dialer.take_certificate(std::move(renewed->certificate));
        // The key is what opens the link; the controller sends it again at the next hello.
        if (taken.has_error())
            kLog.warning("a renewed certificate was not kept", taken.error());
        else
            kLog.info("the node's certificate was renewed");
    }
    if (type == "refused") co_return refusal(message);
    // Other types come from later versions.
    co_return Result<void>();
}

Task<Result<void>> Conversation::take_desired(Self self, Desired desired) {
    NodeState& node = *self->node_;
    // An earlier connection's set may still be on its way to the disk.
    while (node.is_accepting) co_await node.changed.wait();
    link::Channel& control = self->session_->control();
    AcceptedSet next;
    if (!desired.base.empty()) {
        if (desired.base != node.log.digest() || !node.log.is_whole())
            co_return co_await control.write(encode(Resend{"desired"}));
        next = node.log.set();
    }
    for (const PlacementId& id : desired.remove) next.erase(id);
    for (DesiredPlacement& placement : desired.upsert) {
        PlacementId id = placement.placement;
        next.insert_or_assign(std::move(id), std::move(placement));
    }
    Accepted answer;
    if (desired_digest(next) != desired.digest) {
        if (!desired.base.empty()) co_return co_await control.write(encode(Resend{"desired"}));
        answer.digest = node.log.digest();
        answer.problem = "the set does not have the digest it was sent with";
        co_return co_await control.write(encode(answer));
    }
    node.is_accepting = true;
    Result<void> accepted;
    try {
        // First what goes: the set alone will not show what is still to be removed, nor will an engine that
        // is away.
        co_await Reconciler::note_leaving(node.reconciler, next);
        accepted = co_await node.log.accept(std::move(next), desired.digest);
    } catch (...) {
        node.is_accepting = false;
        throw;
    }
    node.is_accepting = false;
    node.changed.notify();
    answer.digest = node.log.digest();
    if (accepted.has_error()) {
        answer.problem = describe(accepted.error());
        kLog.warning("a desired set was not taken", accepted.error());
    } else {
        node.reconciler->set_desired(node.log.set());
        node.reconciler->trust_desired();
        // First what there is: a placement that the set no longer names may never have been reported.
        if (const std::optional<Observed> step = self->observed_step()) {
            const Result<void> sent = co_await control.write(encode(*step));
            if (sent.has_error()) co_return sent.error();
        }
    }
    Result<void> told = co_await control.write(encode(answer));
    if (told.has_value() && accepted.has_value()) node.reconciler->lease_confirmed();
    co_return told;
}

std::optional<Observed> Conversation::observed_step() {
    const ObservedSet& now = node_->reconciler->observed();
    Observed step;
    if (known_) {
        for (const auto& [id, placement] : now) {
            const auto known = known_->find(id);
            if (known == known_->end() || known->second != placement) step.upsert.push_back(placement);
        }
        for (const auto& [id, placement] : *known_) {
            if (!now.contains(id)) step.removed.push_back(id);
        }
        if (step.upsert.empty() && step.removed.empty()) return std::nullopt;
        step.base = observed_digest(*known_);
    } else {
        for (const auto& [id, placement] : now) step.upsert.push_back(placement);
    }
    step.digest = observed_digest(now);
    known_ = now;
    return step;
}

Task<> Conversation::keep_lease(Self self) {
    NodeState& node = *self->node_;
    while (!self->ended_) {
        if (!self->is_welcomed_) {
            co_await node.changed.wait();
            continue;
        }
        co_await sleep_for(node.runtime, kLeasePing);
        const BootTime sent = node.runtime.boot();
        const bool is_answered = co_await self->session_->ping(self->lease_);
        if (is_answered) node.reconciler->lease_answered(sent, self->lease_);
    }
}

Task<bool> Conversation::say_stopping(Self self, Duration limit) {
    NodeState& node = *self->node_;
    if (!self->is_welcomed_ || self->ended_) co_return false;
    const BootTime deadline = node.runtime.boot() + limit;
    self->tasks_.spawn("agent.say_stopping", send_stopping(self));
    while (!self->is_stopping_noted_ && !self->ended_) {
        const BootTime now = node.runtime.boot();
        if (now >= deadline) break;
        co_await node.changed.wait_for(std::chrono::ceil<Duration>(deadline - now));
    }
    co_return self->is_stopping_noted_;
}

Task<> Conversation::send_stopping(Self self) {
    (void)co_await self->session_->control().write(encode(Stopping{}));
}

Task<> Conversation::report(Self self) {
    NodeState& node = *self->node_;
    while (!self->ended_) {
        if (!self->is_welcomed_) {
            co_await node.changed.wait();
            continue;
        }
        if (self->facts_sent_ != node.facts_version) {
            self->facts_sent_ = node.facts_version;
            const Result<void> sent =
                co_await self->session_->control().write(encode(FactsChanged{node.facts}));
            if (sent.has_error()) co_return;
            continue;
        }
        if (self->clock_sent_ != node.clock.steps()) {
            self->clock_sent_ = node.clock.steps();
            const Result<void> sent =
                co_await self->session_->control().write(encode(ClockChanged{to_ms(node.runtime.wall())}));
            if (sent.has_error()) co_return;
            continue;
        }
        const std::optional<Observed> step = self->observed_step();
        if (step) {
            const Result<void> sent = co_await self->session_->control().write(encode(*step));
            if (sent.has_error()) co_return;
            continue;
        }
        co_await node.changed.wait();
        co_await sleep_for(node.runtime, kDebounce);
    }
}

}  // namespace icos::agent
