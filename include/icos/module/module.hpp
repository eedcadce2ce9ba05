// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/task.hpp"
#include "icos/config/view.hpp"
#include "icos/core/error.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <typeindex>
#include <unordered_map>
#include <vector>

namespace icos {
class Runtime;
class Bus;
class Store;
class Disk;
namespace http {
class Router;
}

/// Interfaces that modules offer each other (include/icos/ports), found by type while configuring, never by
/// name and never later. A module that asks for a port names its provider in `ModuleDescriptor::needs`.
class Ports {
public:
    template <class Port>
    void provide(Port& port) {
        ports_.insert_or_assign(std::type_index(typeid(Port)), static_cast<void*>(&port));
    }
    /// nullptr if no enabled module provides it.
    template <class Port>
    Port* find() const {
        const auto it = ports_.find(std::type_index(typeid(Port)));
        return it == ports_.end() ? nullptr : static_cast<Port*>(it->second);
    }

private:
    std::unordered_map<std::type_index, void*> ports_;
};

/// The capabilities a module gets. References outlive the module.
struct ModuleContext {
    Runtime& runtime;
    Bus& bus;
    Store& store;
    Disk& disk;
    http::Router& router;
    Ports& ports;
    config::View config;        ///< the section `modules.<name>`
    std::string data_dir;       ///< absolute
    std::string controller_id;  ///< UUID
    std::string controller_name;
    std::string advertise{};  ///< host[:port] under which nodes reach the controller; empty: controller_name
};

struct Health {
    bool ok = true;
    std::string detail;
};

/// A unit of the controller that configuration can switch on or off. Called on the control loop only.
/// created -> configured -> running -> stopping -> stopped, or failed.
class Module {
public:
    virtual ~Module() = default;
    virtual std::string_view name() const noexcept = 0;
    /// Reads configuration, provides and finds ports, registers routes and subscriptions. No waiting.
    virtual Result<void> configure(ModuleContext& context) = 0;
    /// Loads state, starts background work in the module's TaskGroup; returns once the module can serve.
    virtual Task<Result<void>> start() = 0;
    /// Stops accepting work, drains, cancels. Idempotent; within `deadline`.
    virtual Task<> stop(Duration deadline) = 0;
    virtual Health health() const { return {}; }
    /// Prometheus text of the module's own metrics (names `icos_<module>_…`), appended to /metrics.
    virtual std::string metrics() const { return {}; }
};

struct ModuleDescriptor {
    std::string_view name;
    std::vector<std::string_view> needs;  ///< modules configured and started before this one
    config::Schema schema;
    std::function<std::unique_ptr<Module>()> make;
};

}  // namespace icos
