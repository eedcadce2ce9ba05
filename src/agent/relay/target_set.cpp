// SPDX-License-Identifier: Apache-2.0
#include "agent/relay/target_set.hpp"

#include <algorithm>

namespace icos::agent {

void TargetSet::assign(std::vector<RelayTarget> targets) {
    entries_.clear();
    for (RelayTarget& target : targets) {
        if (names(target)) continue;
        Entry entry;
        entry.target = std::move(target);
        entries_.push_back(std::move(entry));
    }
    if (turn_ >= entries_.size()) turn_ = 0;
}

TargetSet::Entry* TargetSet::find(const RelayTarget& target) {
    const auto found = std::ranges::find(entries_, target, &Entry::target);
    return found == entries_.end() ? nullptr : &*found;
}

const TargetSet::Entry* TargetSet::find(const RelayTarget& target) const {
    const auto found = std::ranges::find(entries_, target, &Entry::target);
    return found == entries_.end() ? nullptr : &*found;
}

bool TargetSet::names(const RelayTarget& target) const {
    return find(target) != nullptr;
}

TargetSet::Choice TargetSet::choose(BootTime now) {
    const bool some_answer = std::ranges::any_of(entries_, [](const Entry& e) { return e.failures == 0; });
    Choice choice;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        const std::size_t index = (turn_ + i) % entries_.size();
        Entry& entry = entries_[index];
        const BootTime due = some_answer ? entry.passed_over_until : entry.retry_at;
        if (entry.failures > 0) {
            if (entry.is_probed) continue;
            if (now < due) {
                choice.retry_at = choice.retry_at ? std::min(*choice.retry_at, due) : due;
                continue;
            }
            entry.is_probed = true;
        }
        turn_ = (index + 1) % entries_.size();
        return Choice{entry.target, std::nullopt};
    }
    return choice;
}

bool TargetSet::succeeded(const RelayTarget& target) {
    Entry* entry = find(target);
    if (entry == nullptr) return false;
    entry->is_probed = false;
    return std::exchange(entry->failures, 0) > 0;
}

bool TargetSet::failed(const RelayTarget& target, BootTime now, Pauses pauses) {
    Entry* entry = find(target);
    if (entry == nullptr) return false;
    entry->is_probed = false;
    // Attempts that began while it answered end here one after the other: together they are one failure.
    if (entry->failures > 0 && now < entry->retry_at) return false;
    entry->retry_at = now + pauses.retry;
    entry->passed_over_until = now + pauses.pass_over;
    return entry->failures++ == 0;
}

std::uint32_t TargetSet::failures(const RelayTarget& target) const {
    const Entry* entry = find(target);
    return entry == nullptr ? 0 : entry->failures;
}

}  // namespace icos::agent
