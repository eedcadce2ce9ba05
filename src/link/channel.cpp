// SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"

#include <algorithm>

namespace icos::link {
namespace {

constexpr std::uint32_t kGrantStep = kInitialCredit / 4;
/// A sender with little credit waits for more instead of cutting tiny frames.
constexpr std::size_t kSmallestCut = 4096;

}  // namespace

Result<void> ChannelState::receive(std::string_view payload, bool ends_message) {
    const auto cost = static_cast<std::uint32_t>(payload.size() + kHeader);
    if (cost > allowance) {
        return Error{
            errc::protocol, "channel " + std::to_string(id) + " ('" + kind + "') exceeded its credit"
        };
    }
    allowance -= cost;
    if (abandoned) {
        grantable += cost;
        return {};
    }
    if (partial.size() + payload.size() > kMaxMessage) {
        return Error{
            errc::too_large,
            "a message on channel '" + kind + "' exceeds " + std::to_string(kMaxMessage >> 20U) + " MiB"
        };
    }
    partial_cost += cost;
    partial.append(payload);
    if (ends_message) {
        inbox.push_back({std::move(partial), partial_cost});
        partial.clear();
        partial_cost = 0;
        readable.notify();
    } else if (inbox.empty()) {
        grantable += std::exchange(partial_cost, 0);
    }
    return {};
}

std::string ChannelState::take() {
    Received message = std::move(inbox.front());
    inbox.pop_front();
    grantable += message.cost;
    if (inbox.empty()) grantable += std::exchange(partial_cost, 0);
    return std::move(message.bytes);
}

std::uint32_t ChannelState::take_grant() {
    if (grantable < kGrantStep || peer_finished || ended) return 0;
    allowance += grantable;
    return std::exchange(grantable, 0);
}

std::optional<std::string> ChannelState::next_frame(std::shared_ptr<Outgoing>& completed) {
    if (ended || outbox.empty()) return std::nullopt;
    const std::shared_ptr<Outgoing> front = outbox.front();
    if (front->is_finish) {
        outbox.pop_front();
        finish_sent = true;
        completed = front;
        return make_frame(FrameType::finish, id, {});
    }
    const std::size_t rest = front->bytes.size() - front->offset;
    if (credit < kHeader + std::min(rest, kSmallestCut)) return std::nullopt;
    const std::size_t length = std::min({rest, kMaxPayload, static_cast<std::size_t>(credit) - kHeader});
    const bool ends = length == rest;
    std::string frame = make_frame(
        ends ? FrameType::data_end : FrameType::data,
        id,
        std::string_view(front->bytes).substr(front->offset, length)
    );
    front->offset += length;
    credit -= length + kHeader;
    if (ends) {
        outbox.pop_front();
        completed = front;
    }
    return frame;
}

void ChannelState::end(Error why) {
    if (ended) return;
    ended = std::move(why);
    outbox.clear();
    partial.clear();
    readable.notify();
    writable.notify();
}

}  // namespace icos::link
