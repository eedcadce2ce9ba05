// SPDX-License-Identifier: Apache-2.0
#include "node_losses.hpp"

namespace icos::job_manager {

void NodeLosses::note(const Topology& topology, BootTime now) {
    for (const Node& node : topology.nodes) {
        if (node.state == NodeState::lost) {
            // Those that an earlier process of the controller gave up on count with those whose lease ends
            // first in this one: it may have ended in the middle of a mass loss.
            lost_.try_emplace(node.id, is_first_ ? now + topology.lease : now);
            // What an earlier process of the controller answered last is not known: a lease may just have
            // begun.
            silent_at_.try_emplace(node.id, now + rules_.margin + (is_first_ ? topology.lease : Duration{0}));
        } else {
            lost_.erase(node.id);
            silent_at_.erase(node.id);
        }
    }
    const auto is_gone = [&](const auto& entry) { return topology.find(entry.first) == nullptr; };
    std::erase_if(lost_, is_gone);
    std::erase_if(silent_at_, is_gone);
    is_first_ = false;
}

void NodeLosses::judge(const Topology& topology, BootTime now) {
    std::size_t ready = 0;
    std::size_t suspect = 0;
    std::size_t lost = 0;  // within the window
    for (const Node& node : topology.nodes) {
        if (node.state == NodeState::ready) ++ready;
        if (node.state == NodeState::suspect) ++suspect;
        const auto since = lost_.find(node.id);
        if (since != lost_.end() && !node.confirmed_lost && now - since->second <= topology.lease) ++lost;
    }
    const std::size_t base = ready + suspect + lost;
    if (!mass_ && lost >= 2 && 2 * lost > base) mass_ = Mass{now, base};
    // 70 % of those that were there.
    if (mass_ && ready * 10 >= mass_->base * 7) {
        mass_.reset();
        released_.clear();
        ended_ = now;
    }
    // Those that are silent too may be about to go: whether this is a mass loss is known in a moment.
    const std::size_t silent = lost + suspect;
    const bool is_unclear = !mass_ && silent >= 2 && 2 * silent > base;

    if (mass_ && now - mass_->since >= rules_.patience) {
        const auto over = now - mass_->since - rules_.patience;
        const auto allowed = static_cast<std::size_t>(over / rules_.pace) + 1;
        for (const auto& [id, since] : lost_) {
            if (released_.size() >= allowed) break;
            released_.insert(id);
        }
    }
    const auto is_returning = [&](const NodeId& id) {
        const auto since = lost_.find(id);
        return ended_ && now - *ended_ < topology.lease && since != lost_.end() && since->second <= *ended_;
    };
    look_again_.reset();
    const auto look_at = [this](BootTime at) {
        if (!look_again_ || at < *look_again_) look_again_ = at;
    };
    given_up_.clear();
    for (const Node& node : topology.nodes) {
        if (node.state != NodeState::lost) continue;
        const BootTime since = lost_.at(node.id);
        if (since > now) look_at(since);
        const bool may =
            node.confirmed_lost ||
            (mass_ ? released_.contains(node.id) : since <= now && !is_unclear && !is_returning(node.id));
        if (may) given_up_.insert(node.id);
    }
    silent_.clear();
    for (const Node& node : topology.nodes) {
        if (!node.keeps_lease || !given_up_.contains(node.id)) continue;
        const BootTime at = silent_at_.at(node.id);
        if (at <= now) silent_.insert(node.id);
        if (at > now) look_at(at);
    }
}

void NodeLosses::update(const Topology& topology, BootTime now) {
    note(topology, now);
    std::erase_if(released_, [&](const NodeId& id) { return !lost_.contains(id); });
    judge(topology, now);
}

}  // namespace icos::job_manager
