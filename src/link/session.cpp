// SPDX-License-Identifier: Apache-2.0
#include "icos/link/session.hpp"

#include "channel.hpp"
#include "frame.hpp"
#include "icos/async/signal.hpp"
#include "icos/async/task_group.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <map>

namespace icos::link {
namespace {

constexpr Duration kPingAfter{5'000};
constexpr Duration kDeadAfter{15'000};
constexpr std::size_t kMaxPeerChannels = 256;
/// Frames that need no credit (grants, refusals); a peer that provokes more without reading them is broken.
constexpr std::size_t kMaxUrgent = 1024;
constexpr std::string_view kRefused = "refused: ";
constexpr std::uint32_t kMaxCredit = 1U << 30U;

std::string nonce_bytes(std::uint64_t value) {
    std::string out(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(value >> (56 - 8 * i) & 255U);
    return out;
}

std::uint64_t nonce_value(std::string_view bytes) {
    return std::uint64_t{read_u32(bytes)} << 32U | read_u32(bytes.substr(4));
}

}  // namespace

struct Session::Impl : std::enable_shared_from_this<Session::Impl> {
    Impl(Runtime& rt, std::unique_ptr<http::FrameStream> s, Side side_, OnChannel callback)
        : runtime(rt),
          stream(std::move(s)),
          side(side_),
          on_channel(std::move(callback)),
          control_state(std::make_shared<ChannelState>(rt, 0, "control", "{}")),
          wake(rt),
          ponged(rt),
          next_id(side_ == Side::dialling ? 1 : 2) {
        channels.emplace(0, control_state);
    }

    static Task<Error> run(std::shared_ptr<Impl> self);
    static Task<> write_loop(std::shared_ptr<Impl> self);
    static Task<> keep_alive(std::shared_ptr<Impl> self);
    static Task<bool> ping(std::shared_ptr<Impl> self, Duration limit);

    void fail(Error why);
    void urgent(std::string frame);
    void grant(ChannelState& channel);
    std::uint64_t send_ping();
    std::optional<std::string> next_frame(
        std::shared_ptr<ChannelState>& from, std::shared_ptr<Outgoing>& completed
    );
    void sent(const std::shared_ptr<ChannelState>& from, const std::shared_ptr<Outgoing>& completed);
    Result<void> received(std::string_view bytes);
    Result<void> opened(const FrameView& frame);
    void reset_channel(const std::shared_ptr<ChannelState>& channel, std::string reason, Error why);
    void drop_if_over(const std::shared_ptr<ChannelState>& channel);
    void abandon(const std::shared_ptr<ChannelState>& channel);

    Runtime& runtime;
    std::unique_ptr<http::FrameStream> stream;
    Side side;
    OnChannel on_channel;
    std::map<std::uint32_t, std::shared_ptr<ChannelState>> channels;
    std::shared_ptr<ChannelState> control_state;
    std::shared_ptr<Channel> control_handle;
    Signal wake;    ///< something to send
    Signal ponged;  ///< a pong came, or the session ended
    std::deque<std::string> urgent_frames;
    std::optional<std::string> pong;  ///< one slot: only the latest ping needs an answer
    std::uint32_t next_id;
    std::uint32_t last_peer_id = 0;
    std::uint32_t last_served = 0;
    std::optional<Error> ended;
    BootTime last_in{};
    BootTime ping_sent{};
    std::uint64_t ping_nonce = 0;
    std::uint64_t pong_nonce = 0;
    std::optional<Duration> round_trip;
    Counters counters;
};

namespace {

/// What users hold. Letting it go ends what is left of the channel.
template <class Impl>
class Handle final : public Channel {
public:
    Handle(std::weak_ptr<Impl> session, std::shared_ptr<ChannelState> state)
        : session_(std::move(session)), state_(std::move(state)) {}
    ~Handle() override {
        if (const auto session = session_.lock()) session->abandon(state_);
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    const std::string& kind() const override { return state_->kind; }
    const std::string& arguments() const override { return state_->arguments; }
    Task<Result<std::optional<std::string>>> read() override { return read(session_, state_); }
    Task<Result<void>> write(std::string message) override {
        return write(session_, state_, std::move(message));
    }

    void finish() override {
        const auto session = session_.lock();
        if (!session || state_->ended || state_->finish_queued) return;
        state_->finish_queued = true;
        auto out = std::make_shared<Outgoing>();
        out->is_finish = true;
        state_->outbox.push_back(std::move(out));
        session->wake.notify();
    }

    void reset(std::string reason) override {
        const auto session = session_.lock();
        if (!session || state_->ended) return;
        if (state_->id == 0) {
            session->fail(Error{errc::closed, std::move(reason)});
            return;
        }
        Error why{errc::reset, "ended here: " + reason};
        session->reset_channel(state_, std::move(reason), std::move(why));
    }

private:
    using State = std::shared_ptr<ChannelState>;

    static Task<Result<std::optional<std::string>>> read(std::weak_ptr<Impl> weak, State state) {
        while (state->inbox.empty()) {
            if (state->peer_finished) co_return std::optional<std::string>();
            if (state->ended) co_return *state->ended;
            co_await state->readable.wait();
        }
        std::optional<std::string> message = state->take();
        if (const auto session = weak.lock()) session->grant(*state);
        co_return message;
    }

    static Task<Result<void>> write(std::weak_ptr<Impl> weak, State state, std::string message) {
        if (message.size() > kMaxMessage) {
            co_return Error{
                errc::too_large,
                "a message of " + std::to_string(message.size()) + " bytes does not fit channel '" +
                    state->kind + "' (limit " + std::to_string(kMaxMessage) + ")"
            };
        }
        if (state->ended) co_return *state->ended;
        if (state->finish_queued) co_return Error{errc::closed, "channel '" + state->kind + "' was finished"};
        auto out = std::make_shared<Outgoing>();
        out->bytes = std::move(message);
        state->outbox.push_back(out);
        if (const auto session = weak.lock()) session->wake.notify();
        try {
            while (!out->done && !state->ended) co_await state->writable.wait();
        } catch (const boost::system::system_error&) {
            // A message that has not begun may still be taken back; half of one may not, it would break the
            // framing.
            if (out->offset == 0) std::erase(state->outbox, out);
            throw;
        }
        if (!out->done) co_return *state->ended;
        co_return Result<void>();
    }

    std::weak_ptr<Impl> session_;
    State state_;
};

}  // namespace

void Session::Impl::fail(Error why) {
    if (ended) return;
    ended = std::move(why);
    stream->close();
    for (const auto& [id, channel] : channels) channel->end(*ended);
    channels.clear();
    urgent_frames.clear();
    wake.notify();
    ponged.notify();
}

void Session::Impl::urgent(std::string frame) {
    if (ended) return;
    if (urgent_frames.size() >= kMaxUrgent) {
        fail(Error{errc::protocol, "the other side does not read what it asks for"});
        return;
    }
    urgent_frames.push_back(std::move(frame));
    wake.notify();
}

void Session::Impl::grant(ChannelState& channel) {
    const std::uint32_t bytes = channel.take_grant();
    if (bytes != 0) urgent(make_credit(channel.id, bytes));
}

std::uint64_t Session::Impl::send_ping() {
    ping_sent = runtime.boot();
    urgent(make_frame(FrameType::ping, 0, nonce_bytes(++ping_nonce)));
    return ping_nonce;
}

std::optional<std::string> Session::Impl::next_frame(
    std::shared_ptr<ChannelState>& from, std::shared_ptr<Outgoing>& completed
) {
    if (pong) return std::exchange(pong, std::nullopt);
    if (!urgent_frames.empty()) {
        std::string frame = std::move(urgent_frames.front());
        urgent_frames.pop_front();
        return frame;
    }
    if (auto frame = control_state->next_frame(completed)) {
        from = control_state;
        return frame;
    }
    // The others take turns, beginning after the one served last.
    auto it = channels.upper_bound(last_served);
    for (std::size_t i = 0; i < channels.size(); ++i, ++it) {
        if (it == channels.end()) it = channels.begin();
        if (it->first == 0) continue;
        if (auto frame = it->second->next_frame(completed)) {
            last_served = it->first;
            from = it->second;
            return frame;
        }
    }
    return std::nullopt;
}

void Session::Impl::sent(
    const std::shared_ptr<ChannelState>& from, const std::shared_ptr<Outgoing>& completed
) {
    if (!completed) return;
    completed->done = true;
    from->writable.notify();
    if (completed->is_finish) drop_if_over(from);
}

void Session::Impl::reset_channel(
    const std::shared_ptr<ChannelState>& channel, std::string reason, Error why
) {
    channel->end(std::move(why));
    channels.erase(channel->id);
    urgent(make_frame(FrameType::reset, channel->id, std::string_view(reason).substr(0, kMaxPayload)));
}

void Session::Impl::drop_if_over(const std::shared_ptr<ChannelState>& channel) {
    if (channel->id == 0 || ended || channel->ended) return;
    if (channel->finish_sent && channel->peer_finished) {
        channels.erase(channel->id);
    } else if (channel->finish_sent && channel->abandoned) {
        reset_channel(channel, "nobody reads any more", Error{errc::closed, "the channel was let go"});
    }
}

void Session::Impl::abandon(const std::shared_ptr<ChannelState>& channel) {
    if (channel->id == 0 || ended || channel->ended) return;
    channel->abandoned = true;
    channel->inbox.clear();
    channel->partial.clear();
    if (!channel->finish_queued) {
        reset_channel(
            channel, "nobody holds the channel any more", Error{errc::closed, "the channel was let go"}
        );
    } else {
        drop_if_over(channel);
    }
}

Result<void> Session::Impl::opened(const FrameView& frame) {
    const bool odd = frame.channel % 2 == 1;
    if (frame.channel == 0 || odd != (side == Side::accepting) || frame.channel <= last_peer_id) {
        return Error{
            errc::protocol, "channel id " + std::to_string(frame.channel) + " is not the other side's next"
        };
    }
    last_peer_id = frame.channel;
    const auto nul = frame.payload.find('\0');
    if (nul == std::string_view::npos) return Error{errc::protocol, "an open frame without arguments"};
    std::string kind(frame.payload.substr(0, nul));
    const auto refuse = [&](const std::string& reason) {
        urgent(make_frame(FrameType::reset, frame.channel, std::string(kRefused) + reason));
    };
    const auto peers = std::count_if(channels.begin(), channels.end(), [&](const auto& entry) {
        return entry.first != 0 && entry.first % 2 == frame.channel % 2;
    });
    if (static_cast<std::size_t>(peers) >= kMaxPeerChannels) {
        refuse("more than " + std::to_string(kMaxPeerChannels) + " channels are open");
        return {};
    }
    auto state = std::make_shared<ChannelState>(
        runtime, frame.channel, std::move(kind), std::string(frame.payload.substr(nul + 1))
    );
    channels.emplace(frame.channel, state);
    auto handle = std::make_shared<Handle<Impl>>(weak_from_this(), state);
    if (!on_channel || !on_channel(handle)) {
        state->end(Error{errc::refused, "refused"});
        channels.erase(frame.channel);
        refuse("channel kind '" + state->kind.substr(0, 100) + "' is not served here");
    }
    return {};
}

Result<void> Session::Impl::received(std::string_view bytes) {
    const Result<FrameView> parsed = parse_frame(bytes);
    if (parsed.has_error()) return parsed.error();
    const FrameView& frame = parsed.value();
    last_in = runtime.boot();
    ++counters.frames_in;
    counters.bytes_in += bytes.size();
    if (!frame.known) return {};
    if (frame.type == FrameType::open) return opened(frame);
    if (frame.type == FrameType::ping) {
        pong = make_frame(FrameType::pong, 0, frame.payload);
        wake.notify();
        return {};
    }
    if (frame.type == FrameType::pong) {
        const std::uint64_t nonce = nonce_value(frame.payload);
        if (nonce > ping_nonce) return Error{errc::protocol, "a pong that answers no ping"};
        pong_nonce = std::max(pong_nonce, nonce);
        if (nonce == ping_nonce) round_trip = std::chrono::duration_cast<Duration>(last_in - ping_sent);
        ponged.notify();
        return {};
    }
    const auto found = channels.find(frame.channel);
    if (found == channels.end()) return {};  // ended here while the frame was on its way
    const std::shared_ptr<ChannelState> channel = found->second;
    switch (frame.type) {
        case FrameType::data:
        case FrameType::data_end: {
            if (channel->peer_finished) return Error{errc::protocol, "data after the channel's end"};
            Result<void> taken = channel->receive(frame.payload, frame.type == FrameType::data_end);
            if (taken.has_error()) {
                const bool fatal = taken.error().code != errc::too_large || channel->id == 0;
                if (fatal) return taken;
                reset_channel(channel, taken.error().detail, taken.error());
                return {};
            }
            grant(*channel);
            return {};
        }
        case FrameType::credit:
            channel->credit += read_u32(frame.payload);
            if (channel->credit > kMaxCredit)
                return Error{errc::protocol, "more credit than any message needs"};
            wake.notify();
            return {};
        case FrameType::finish:
            channel->peer_finished = true;
            channel->readable.notify();
            drop_if_over(channel);
            return {};
        case FrameType::reset: {
            if (channel->id == 0) return Error{errc::closed, "the other side ended the control channel"};
            const bool refused = frame.payload.starts_with(kRefused);
            std::string reason(refused ? frame.payload.substr(kRefused.size()) : frame.payload);
            channels.erase(found);
            channel->end(Error{refused ? errc::refused : errc::reset, std::move(reason)});
            return {};
        }
        case FrameType::open:
        case FrameType::ping:
        case FrameType::pong:
            break;
    }
    return {};
}

Task<> Session::Impl::write_loop(std::shared_ptr<Impl> self) {
    while (!self->ended) {
        std::shared_ptr<ChannelState> from;
        std::shared_ptr<Outgoing> completed;
        std::optional<std::string> frame = self->next_frame(from, completed);
        if (!frame) {
            co_await self->wake.wait();
            continue;
        }
        const std::size_t length = frame->size();
        const Result<void> written = co_await self->stream->write(std::move(*frame));
        if (written.has_error()) {
            self->fail(written.error());
            co_return;
        }
        ++self->counters.frames_out;
        self->counters.bytes_out += length;
        self->sent(from, completed);
    }
}

Task<> Session::Impl::keep_alive(std::shared_ptr<Impl> self) {
    while (!self->ended) {
        const BootTime now = self->runtime.boot();
        // A loop that was held up for long has not heard the peer although it may have spoken: only a ping
        // that went unanswered for as long as one may take counts.
        const bool asked = self->ping_sent > self->last_in;
        BootTime next = self->last_in + kPingAfter;
        if (now >= next) {
            if (!asked) {
                self->send_ping();
            } else if (now - self->last_in >= kDeadAfter && now - self->ping_sent >= kPingAfter) {
                self->fail(Error{
                    errc::timed_out,
                    "nothing was received for " + std::to_string(kDeadAfter.count() / 1000) + " s"
                });
                co_return;
            }
            next = std::max(self->last_in + kDeadAfter, self->ping_sent + kPingAfter);
            if (next <= now) next = now + kPingAfter;
        }
        co_await sleep_for(self->runtime, std::chrono::ceil<Duration>(next - now));
    }
}

Task<Error> Session::Impl::run(std::shared_ptr<Impl> self) {
    self->last_in = self->runtime.boot();
    TaskGroup tasks(self->runtime);
    tasks.spawn("link.write", write_loop(self));
    tasks.spawn("link.keep_alive", keep_alive(self));
    try {
        while (!self->ended) {
            Result<std::string> frame = co_await self->stream->read();
            if (frame.has_error()) {
                self->fail(frame.error());
                break;
            }
            const Result<void> handled = self->received(frame.value());
            if (handled.has_error()) self->fail(handled.error());
        }
    } catch (...) {
        self->fail(Error{errc::closed, "the link was stopped"});
        throw;
    }
    co_await tasks.stop(Duration(1'000));
    co_return *self->ended;
}

Task<bool> Session::Impl::ping(std::shared_ptr<Impl> self, Duration limit) {
    if (self->ended) co_return false;
    const std::uint64_t nonce = self->send_ping();
    const BootTime deadline = self->runtime.boot() + limit;
    while (!self->ended && self->pong_nonce < nonce) {
        const BootTime now = self->runtime.boot();
        if (now >= deadline) co_return false;
        co_await self->ponged.wait_for(std::chrono::ceil<Duration>(deadline - now));
    }
    co_return self->pong_nonce >= nonce;
}

Session::Session(Runtime& runtime, std::unique_ptr<http::FrameStream> stream, Side side, OnChannel on_channel)
    : impl_(std::make_shared<Impl>(runtime, std::move(stream), side, std::move(on_channel))) {
    impl_->control_handle = std::make_shared<Handle<Impl>>(impl_, impl_->control_state);
}
Session::~Session() {
    impl_->fail(Error{errc::closed, "the session was closed"});
}

Task<Error> Session::run() {
    return Impl::run(impl_);
}
Channel& Session::control() {
    return *impl_->control_handle;
}
std::optional<Duration> Session::round_trip() const {
    return impl_->round_trip;
}
Task<bool> Session::ping(Duration limit) {
    return Impl::ping(impl_, limit);
}
void Session::close() {
    impl_->fail(Error{errc::closed, "closed here"});
}
Session::Counters Session::counters() const {
    return impl_->counters;
}

std::shared_ptr<Channel> Session::open(std::string kind, std::string arguments_json) {
    auto state = std::make_shared<ChannelState>(
        impl_->runtime, impl_->next_id, std::move(kind), std::move(arguments_json)
    );
    auto handle = std::make_shared<Handle<Impl>>(impl_, state);
    if (impl_->ended) {
        state->end(*impl_->ended);
        return handle;
    }
    const std::string payload = state->kind + '\0' + state->arguments;
    if (payload.size() > kMaxPayload) {
        state->end(
            Error{errc::too_large, "the arguments of channel '" + state->kind + "' do not fit one frame"}
        );
        return handle;
    }
    impl_->next_id += 2;
    impl_->channels.emplace(state->id, state);
    impl_->urgent(make_frame(FrameType::open, state->id, payload));
    return handle;
}

}  // namespace icos::link
