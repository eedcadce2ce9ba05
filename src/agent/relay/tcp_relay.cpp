// SPDX-License-Identifier: Apache-2.0
#include "agent/relay/listener.hpp"
#include "icos/async/production_runtime.hpp"

#include <map>

namespace icos::agent {
namespace {

class TcpRelay final : public Relay {
public:
    TcpRelay(Runtime& runtime, RelaySettings settings)
        : state_(std::make_shared<RelayState>(runtime, settings)) {}
    ~TcpRelay() override {
        for (const auto& [key, listener] : listeners_) listener->close();
        state_->tasks.reset();
    }
    TcpRelay(const TcpRelay&) = delete;
    TcpRelay& operator=(const TcpRelay&) = delete;

    Task<Result<std::uint16_t>> listen(RelayKey key, std::string address, std::uint16_t port) override {
        const auto found = listeners_.find(key);
        if (found != listeners_.end()) co_return Listener::listen(found->second, address, port);
        if (listeners_.size() >= state_->settings.max_listeners) {
            co_return Error{
                relay_errc::limit,
                "this node relays " + std::to_string(listeners_.size()) + " services of other nodes already",
                "place components that use each other on the same node, or use fewer services"
            };
        }
        const auto added = std::make_shared<Listener>(state_, key);
        const Result<std::uint16_t> bound = Listener::listen(added, address, port);
        if (bound.has_value()) listeners_.emplace(std::move(key), added);
        co_return bound;
    }

    void set_targets(const RelayKey& key, std::vector<RelayTarget> targets) override {
        const auto found = listeners_.find(key);
        if (found != listeners_.end()) found->second->set_targets(std::move(targets));
    }

    void close(const RelayKey& key) override {
        const auto found = listeners_.find(key);
        if (found == listeners_.end()) return;
        found->second->close();
        listeners_.erase(found);
    }

    RelayCounters counters() const override {
        RelayCounters out = state_->counters;
        out.listeners = listeners_.size();
        return out;
    }

private:
    std::shared_ptr<RelayState> state_;
    std::map<RelayKey, std::shared_ptr<Listener>> listeners_;
};

}  // namespace

std::unique_ptr<Relay> make_tcp_relay(ProductionRuntime& runtime, RelaySettings settings) {
    return std::make_unique<TcpRelay>(runtime, settings);
}

}  // namespace icos::agent
