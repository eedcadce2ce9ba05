// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/relay.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace icos::test {

/// A relay that passes nothing on, and remembers where it would.
class FakeRelay final : public agent::Relay {
public:
    struct Listener {
        std::string address;
        std::uint16_t port = 0;
        std::vector<agent::RelayTarget> targets;
    };
    std::map<agent::RelayKey, Listener> listeners;
    std::set<std::uint16_t> taken;  ///< by something else on the node

    Task<Result<std::uint16_t>> listen(agent::RelayKey key, std::string address, std::uint16_t port)
        override {
        if (taken.contains(port))
            co_return Error{agent::relay_errc::port_taken, "something listens there already"};
        Listener& listener = listeners[key];
        listener.address = std::move(address);
        listener.port = port == 0 ? std::uint16_t{40'000} : port;
        co_return listener.port;
    }
    void set_targets(const agent::RelayKey& key, std::vector<agent::RelayTarget> targets) override {
        const auto found = listeners.find(key);
        if (found != listeners.end()) found->second.targets = std::move(targets);
    }
    void close(const agent::RelayKey& key) override { listeners.erase(key); }
    agent::RelayCounters counters() const override {
        agent::RelayCounters out;
        out.listeners = listeners.size();
        return out;
    }
};

}  // namespace icos::test
