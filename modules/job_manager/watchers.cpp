// SPDX-License-Identifier: Apache-2.0
#include "watchers.hpp"

namespace icos::job_manager {
namespace {

/// What is still alive under the key; forgets the rest.
template <class Map>
auto alive(Map& map, const AppId& app) {
    std::vector<std::shared_ptr<typename Map::mapped_type::element_type>> out;
    auto [it, end] = map.equal_range(app);
    while (it != end) {
        auto one = it->second.lock();
        if (!one) {
            it = map.erase(it);
            continue;
        }
        out.push_back(std::move(one));
        ++it;
    }
    return out;
}

}  // namespace

void Watchers::watch(const AppId& app, const std::shared_ptr<http::EventStream>& stream) {
    streams_.emplace(app, stream);
}

std::shared_ptr<void> Watchers::listen(const AppId& app, std::function<void()> on_change) {
    auto listener = std::make_shared<std::function<void()>>(std::move(on_change));
    listeners_.emplace(app, listener);
    return listener;
}

bool Watchers::has(const AppId& app) const {
    return streams_.contains(app) || listeners_.contains(app);
}

void Watchers::changed(const AppId& app, const std::function<std::string()>& render) {
    const auto streams = alive(streams_, app);
    if (!streams.empty()) {
        const std::string data = render();
        for (const auto& stream : streams) stream->push("app", {}, data);
    }
    for (const auto& listener : alive(listeners_, app)) (*listener)();
}

void Watchers::deleted(const AppId& app, const std::string& data) {
    for (const auto& stream : alive(streams_, app)) {
        stream->push("deleted", {}, data);
        stream->end();
    }
    streams_.erase(app);
    for (const auto& listener : alive(listeners_, app)) (*listener)();
}

void Watchers::end() {
    for (const auto& [app, weak] : streams_) {
        if (const auto stream = weak.lock()) stream->end();
    }
    streams_.clear();
}

}  // namespace icos::job_manager
