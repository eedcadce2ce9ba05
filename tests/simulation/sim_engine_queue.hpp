// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/signal.hpp"
#include "sim_engine.hpp"

#include <algorithm>
#include <deque>

namespace icos::sim {

/// Events on their way to one follower.
struct SimEngine::Queue {
    Queue(SimProcess& p, agent::LabelMap wanted) : process(p), labels(std::move(wanted)), ready(p) {}
    SimProcess& process;
    agent::LabelMap labels;
    std::deque<agent::EngineEvent> events{};
    bool ended = false;
    Signal ready;
};

/// Whether `labels` has all of `wanted`; an empty value stands for any.
inline bool carries(const agent::LabelMap& labels, const agent::LabelMap& wanted) {
    return std::all_of(wanted.begin(), wanted.end(), [&](const auto& entry) {
        const auto found = labels.find(entry.first);
        return found != labels.end() && (entry.second.empty() || found->second == entry.second);
    });
}

}  // namespace icos::sim
