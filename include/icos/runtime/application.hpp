// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/config/config.hpp"
#include "icos/module/module.hpp"

#include <memory>
#include <string>
#include <vector>

namespace icos {

/// config.unknown_module, config.module_cycle, config.module_missing.
enum class application_errc { unknown_module = 1, module_cycle, module_missing };
const ErrorDomain& application_domain() noexcept;
inline boost::system::error_code make_error_code(application_errc e) noexcept {
    return {static_cast<int>(e), application_domain()};
}

/// Names of `enabled` in an order in which every module comes after what it needs. A name that `known` lacks,
/// a need that is not enabled and a cycle are errors.
Result<std::vector<const ModuleDescriptor*>> start_order(
    const std::vector<ModuleDescriptor>& known, const std::vector<std::string>& enabled
);

/// Owns the modules and their life: all configure, then each starts in order; stop runs in reverse. If one
/// cannot start, those that did are stopped. Loop-confined. Knows no module by name.
class Application {
public:
    struct Environment {
        Runtime& runtime;
        Bus& bus;
        Store& store;
        Disk& disk;
        http::Router& router;
        const config::Config& config;  ///< has a section "modules.<name>" for every module with keys
        std::string data_dir;
        std::string controller_id;
        std::string controller_name;
        std::string advertise{};  ///< host[:port] for nodes, as ModuleContext hands it on
    };
    explicit Application(Environment environment) : environment_(std::move(environment)) {}
    ~Application();
    Application(const Application&) = delete;
    Application& operator=(const Application&) = delete;

    Result<void> configure(const std::vector<const ModuleDescriptor*>& order);
    Task<Result<void>> start();
    /// Reverse order, within `deadline` altogether: a module that takes longer is left behind and named in
    /// the log.
    Task<> stop(Duration deadline);
    Ports& ports() noexcept { return ports_; }

    struct Status {
        std::string name;
        Health health;
    };
    std::vector<Status> health() const;
    bool is_running() const noexcept { return running_; }
    std::vector<std::string> module_names() const;
    std::string metrics() const;

private:
    Environment environment_;
    Ports ports_;
    std::vector<std::unique_ptr<Module>> modules_;
    std::size_t started_ = 0;
    bool running_ = false;
};

/// GET /healthz, /readyz, /metrics, /api/v1/version and /openapi.json. `more_metrics` is appended to
/// /metrics.
void add_system_routes(
    http::Router& router,
    Application& application,
    std::string version,
    std::string controller_id,
    std::string name,
    std::string_view openapi,
    std::function<std::string()> more_metrics
);

}  // namespace icos

template <>
struct boost::system::is_error_code_enum<icos::application_errc> : std::true_type {};
