// SPDX-License-Identifier: Apache-2.0
#include "state.hpp"

#include <algorithm>
#include <tuple>

namespace icos::job_manager {
namespace {

bool comes_before(const Placement* a, const Placement* b) {
    return std::tie(a->component, a->replica, a->removing, a->retiring, a->id) <
           std::tie(b->component, b->replica, b->removing, b->retiring, b->id);
}

}  // namespace

std::string_view to_string(Desired desired) noexcept {
    switch (desired) {
        case Desired::running:
            return "running";
        case Desired::stopped:
            return "stopped";
        case Desired::deleted:
            return "deleted";
    }
    return "running";
}

std::string_view to_string(AppState state) noexcept {
    switch (state) {
        case AppState::pending:
            return "pending";
        case AppState::deploying:
            return "deploying";
        case AppState::running:
            return "running";
        case AppState::degraded:
            return "degraded";
        case AppState::failed:
            return "failed";
        case AppState::stopping:
            return "stopping";
        case AppState::stopped:
            return "stopped";
        case AppState::deleting:
            return "deleting";
    }
    return "pending";
}

const App* State::find(std::string_view project, std::string_view name) const {
    const auto found = names_.find({std::string(project), std::string(name)});
    return found == names_.end() ? nullptr : find(found->second);
}

const App* State::find(const AppId& id) const {
    const auto found = apps_.find(id);
    return found == apps_.end() ? nullptr : &found->second;
}

const Placement* State::find(const PlacementId& id) const {
    const auto found = placements_.find(id);
    return found == placements_.end() ? nullptr : &found->second;
}

App* State::find(std::string_view project, std::string_view name) {
    return const_cast<App*>(std::as_const(*this).find(project, name));
}
App* State::find(const AppId& id) {
    return const_cast<App*>(std::as_const(*this).find(id));
}
Placement* State::find(const PlacementId& id) {
    return const_cast<Placement*>(std::as_const(*this).find(id));
}

App& State::add(App app) {
    const AppId id = app.id;
    names_.insert_or_assign({app.project, app.name}, id);
    return apps_.insert_or_assign(id, std::move(app)).first->second;
}

Placement& State::add(Placement placement) {
    const PlacementId id = placement.id;
    by_app_[placement.app].insert(id);
    by_node_[placement.node].insert(id);
    return placements_.insert_or_assign(id, std::move(placement)).first->second;
}

void State::remove(const AppId& id) {
    const auto found = apps_.find(id);
    if (found == apps_.end()) return;
    names_.erase({found->second.project, found->second.name});
    apps_.erase(found);
}

void State::remove(const PlacementId& id) {
    const auto found = placements_.find(id);
    if (found == placements_.end()) return;
    const auto forget = [&id](auto& index, const auto& key) {
        const auto entry = index.find(key);
        if (entry == index.end()) return;
        entry->second.erase(id);
        if (entry->second.empty()) index.erase(entry);
    };
    forget(by_app_, found->second.app);
    forget(by_node_, found->second.node);
    placements_.erase(found);
}

void State::clear() {
    apps_.clear();
    names_.clear();
    placements_.clear();
    by_app_.clear();
    by_node_.clear();
}

std::vector<Placement*> State::of_app(const AppId& id) {
    std::vector<Placement*> out;
    const auto found = by_app_.find(id);
    if (found == by_app_.end()) return out;
    for (const PlacementId& placement : found->second) out.push_back(&placements_.at(placement));
    std::sort(out.begin(), out.end(), comes_before);
    return out;
}

std::vector<const Placement*> State::of_app(const AppId& id) const {
    std::vector<const Placement*> out;
    const auto found = by_app_.find(id);
    if (found == by_app_.end()) return out;
    for (const PlacementId& placement : found->second) out.push_back(&placements_.at(placement));
    std::sort(out.begin(), out.end(), comes_before);
    return out;
}

std::vector<Placement*> State::on_node(const NodeId& id) {
    std::vector<Placement*> out;
    const auto found = by_node_.find(id);
    if (found == by_node_.end()) return out;
    for (const PlacementId& placement : found->second) out.push_back(&placements_.at(placement));
    return out;
}

std::vector<const Placement*> State::on_node(const NodeId& id) const {
    std::vector<const Placement*> out;
    const auto found = by_node_.find(id);
    if (found == by_node_.end()) return out;
    for (const PlacementId& placement : found->second) out.push_back(&placements_.at(placement));
    return out;
}

std::set<NodeId> State::nodes() const {
    std::set<NodeId> out;
    for (const auto& [node, placements] : by_node_) out.insert(node);
    return out;
}

const Placement* State::home(const AppId& app, const std::string& component, std::uint32_t replica) const {
    for (const Placement* placement : of_app(app)) {
        const bool stays = !placement->removing && !placement->retiring;
        if (stays && placement->component == component && placement->replica == replica) return placement;
    }
    return nullptr;
}

Placement* State::home(const AppId& app, const std::string& component, std::uint32_t replica) {
    return const_cast<Placement*>(std::as_const(*this).home(app, component, replica));
}

}  // namespace icos::job_manager
