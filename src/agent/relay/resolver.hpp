// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/async/signal.hpp"
#include "icos/async/task_group.hpp"

#include <boost/asio/ip/address.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace icos::agent {

/// Addresses of targets. Names are looked up on Pool::blocking, once for all who ask at the same time, and
/// kept for a few seconds. Loop-confined; owned by a shared pointer, which its tasks hold.
class Resolver {
public:
    using Addresses = std::vector<boost::asio::ip::address>;

    explicit Resolver(Runtime& runtime) : runtime_(runtime) {}
    /// In the order the system prefers; empty if there are none, or none after `limit`. The lookup itself is
    /// a task of `tasks`: it ends when the system's resolver ends.
    static Task<Addresses> resolve(
        std::shared_ptr<Resolver> self, TaskGroup& tasks, std::string address, Duration limit
    );

private:
    struct Lookup {
        explicit Lookup(Runtime& runtime) : done(runtime) {}
        Addresses addresses;
        BootTime good_until{};
        bool has_ended = false;
        Signal done;
    };
    static Task<> look_up(std::shared_ptr<Resolver> self, std::shared_ptr<Lookup> lookup, std::string name);
    void forget_old();

    Runtime& runtime_;
    std::map<std::string, std::shared_ptr<Lookup>> lookups_;
};

}  // namespace icos::agent
