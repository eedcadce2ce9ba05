// SPDX-License-Identifier: Apache-2.0
#include "icos/store/store.hpp"

namespace icos {

std::string_view to_string(Layer layer) noexcept {
    switch (layer) {
        case Layer::runtime:
            return "runtime";
        case Layer::security:
            return "security";
        case Layer::intelligence:
            return "intelligence";
    }
    return "runtime";
}

bool EventFilter::matches(const Event& event) const {
    if (!project.empty() && event.project != project) return false;
    if (!app.empty() && event.app != app) return false;
    if (!node.empty() && event.node != node) return false;
    if (!actor.empty() && event.actor != actor) return false;
    if (layer && event.layer != *layer) return false;
    if (since && event.at < *since) return false;
    if (kind.empty()) return true;
    return kind.ends_with('.') ? event.kind.starts_with(kind) : event.kind == kind;
}

Task<Result<std::vector<Event>>> Store::recent(std::size_t limit, EventFilter filter) {
    // For stores without an index of their own: walk what is kept.
    std::vector<Event> found;
    std::uint64_t after = first_event() - 1;
    for (;;) {
        Result<std::vector<Event>> page = co_await events(after, 1000, filter);
        if (page.has_error()) co_return page.error();
        if (page->empty()) break;
        after = page->back().seq;
        for (Event& event : *page) found.push_back(std::move(event));
        if (found.size() > limit)
            found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(limit));
    }
    co_return found;
}

}  // namespace icos
