// SPDX-License-Identifier: Apache-2.0
#include "serve.hpp"

#include "access_audit.hpp"
#include "data_directory.hpp"
#include "icos/async/production_runtime.hpp"
#include "icos/async/signal.hpp"
#include "icos/async/task_group.hpp"
#include "icos/bus/bus.hpp"
#include "icos/core/log.hpp"
#include "icos/http/server.hpp"
#include "icos/ports/fleet.hpp"
#include "icos/ports/topology_view.hpp"
#include "icos/runtime/application.hpp"
#include "icos/runtime/systemd.hpp"
#include "icos/store/disk.hpp"
#include "icos/store/store.hpp"
#include "modules.hpp"
#include "openapi.hpp"

#include <boost/asio/signal_set.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <malloc.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

namespace icos::controller {
namespace {

const Log kLog("controller");
/// An orderly stop takes at most this long; what still runs then is left behind.
constexpr Duration kStopDeadline{5000};

std::string host_name() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
    return name.data();
}

/// Everything that lives as long as the process serves, in the order of construction.
class Controller {
public:
    Controller(ProductionRuntime& runtime, const config::Config& config, std::string data_dir, BootTime began)
        : runtime_(runtime),
          config_(config),
          data_dir_(std::move(data_dir)),
          began_(began),
          tasks_(runtime),
          stop_requested_(runtime),
          signals_(runtime_, SIGTERM, SIGINT) {}

    int run() {
        const Result<void> prepared = prepare();
        if (prepared.has_error()) {
            kLog.error("cannot start", prepared.error());
            return kind_of(prepared.error()) == ErrorKind::invalid ? 2 : 1;
        }
        await_signal();
        tasks_.spawn("controller.main", main());
        runtime_.run();
        return exit_code_;
    }

private:
    /// asio's signal_set on the control loop.
    struct Signals : boost::asio::signal_set {
        Signals(ProductionRuntime& runtime, int first, int second)
            : boost::asio::signal_set(runtime.loop(), first, second) {}
    };

    /// The first signal asks for an orderly stop, the second ends the process at once.
    void await_signal() {
        signals_.async_wait([this](const boost::system::error_code& failed, int signal) {
            if (failed) return;
            if (is_stopping_) std::_Exit(1);
            is_stopping_ = true;
            kLog.info("stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
            systemd::notify("STOPPING=1");
            limit_stop();
            stop_requested_.notify();
            await_signal();
        });
    }

    /// Work on a thread cannot be cancelled: a disk or a child process that hangs must not hang the stop.
    void limit_stop() {
        stop_limit_ = runtime_.schedule(kStopDeadline, [] {
            kLog.error("the orderly stop took too long; what still runs is left behind");
            std::_Exit(1);
        });
    }

    Result<void> prepare() {
        const bool is_first_start = !disk_->exists(data_dir_ + "/admin.token");
        Result<Identity> identity = open_data_directory(runtime_, *disk_, data_dir_);
        if (identity.has_error()) return identity.error();
        identity_ = std::move(*identity);
        if (is_first_start) {
            kLog.info("made the first admin token", {{"file", data_dir_ + "/admin.token"}});
        }

        const config::View& store = config_.section("store");
        SqliteStoreOptions options;
        options.path = data_dir_ + "/state.db";
        options.event_age = std::chrono::duration_cast<std::chrono::hours>(store.duration("event_age"));
        options.event_bytes = store.bytes("event_bytes");
        options.max_queue = static_cast<std::size_t>(store.integer("max_queue"));
        Result<Seal> seal = open_seal(runtime_, *disk_, data_dir_);
        if (seal.has_error()) return seal.error();
        options.seal = std::make_shared<const Seal>(std::move(*seal));
        Result<std::unique_ptr<Store>> opened = open_sqlite_store(runtime_, options);
        if (opened.has_error()) return opened.error();
        store_ = std::move(*opened);

        const config::View& controller = config_.section("controller");
        name_ = controller.text("name").empty() ? host_name() : controller.text("name");
        application_ = std::make_unique<Application>(Application::Environment{
            runtime_,
            bus_,
            *store_,
            *disk_,
            router_,
            config_,
            data_dir_,
            identity_.controller_id,
            name_,
            advertised()
        });
        const Result<std::vector<const ModuleDescriptor*>> order =
            start_order(modules(), config_.section("modules").list("enabled"));
        if (order.has_error()) return order.error();
        if (Result<void> configured = application_->configure(*order); configured.has_error())
            return configured;
        add_system_routes(
            router_,
            *application_,
            ICOS_VERSION,
            identity_.controller_id,
            name_,
            openapi(),
            [this] {
                return server_->metrics() + audit_->metrics() +
                       "# TYPE icos_bus_dropped_total counter\nicos_bus_dropped_total " +
                       std::to_string(bus_.dropped()) + "\n";
            }
        );
        return {};
    }

    Result<http::Caller> check_token(std::string_view token) const {
        if (!equal_in_constant_time(token, identity_.admin_token)) {
            return Error{
                http::auth_errc::bad_token,
                "the token is not known",
                "the first one is in admin.token of the data directory"
            };
        }
        http::Caller caller;
        caller.subject = "token:admin";
        caller.role = http::Role::admin;
        return caller;
    }

    Result<void> listen() {
        const config::View& http_config = config_.section("http");
        http::Limits limits;
        limits.header_bytes = http_config.bytes("header_bytes");
        limits.connections = static_cast<std::size_t>(http_config.integer("connections"));
        limits.header_time = http_config.duration("header_time");
        limits.body_time = http_config.duration("body_time");
        limits.idle_time = http_config.duration("idle_time");
        limits.gzip_from = http_config.bytes("gzip_from");
        server_ = std::make_unique<http::Server>(
            runtime_,
            router_,
            [this](std::string_view token) { return check_token(token); },
            limits,
            runtime_.io()
        );
        audit_ = std::make_unique<AccessAudit>(runtime_, *store_);
        server_->on_refused([this](const http::Request& request, const Error& error) {
            audit_->refused(request, error);
        });
        const config::View& listeners = config_.section("listeners");
        std::string socket = listeners.text("socket");
        if (socket.empty()) socket = data_dir_ + "/controller.sock";
        if (Result<void> bound = server_->listen({http::ListenerSpec::Kind::unix_socket, socket, 0});
            bound.has_error())
            return bound;
        std::size_t count = 1;
        if (const std::string address = listeners.text("plain_address"); !address.empty()) {
            const auto port = static_cast<std::uint16_t>(listeners.integer("plain_port"));
            if (Result<void> bound = server_->listen({http::ListenerSpec::Kind::plain, address, port});
                bound.has_error())
                return bound;
            plain_endpoint_ = server_->endpoint(count++);
        }
        if (const std::string address = listeners.text("tls_address"); !address.empty()) {
            if (Result<void> ready = use_tls(listeners); ready.has_error()) return ready;
            const auto port = static_cast<std::uint16_t>(listeners.integer("tls_port"));
            if (Result<void> bound = server_->listen({http::ListenerSpec::Kind::tls, address, port});
                bound.has_error())
                return bound;
            const std::string endpoint = server_->endpoint(count++);
            tls_port_ = endpoint.substr(endpoint.rfind(':') + 1);
        }
        return {};
    }

    Result<void> use_tls(const config::View& listeners) {
        const auto* authority = application_->ports().find<CertificateAuthority>();
        if (authority == nullptr) {
            return Error{
                errc::invalid,
                "the TLS listener needs module fleet",
                "enable it, or set listeners.tls_address: \"\""
            };
        }
        http::TlsMaterial material;
        std::tie(material.agent_certificate, material.agent_key) = authority->server_pair();
        std::tie(material.operator_certificate, material.operator_key) = authority->operator_pair();
        material.agent_ca = authority->ca_certificate();
        if (const std::string path = listeners.text("operator_certificate"); !path.empty()) {
            Result<std::string> certificate = disk_->read_all(path);
            if (certificate.has_error()) return certificate.error();
            Result<std::string> key = disk_->read_all(listeners.text("operator_key"));
            if (key.has_error()) return key.error();
            material.operator_certificate = std::move(*certificate);
            material.operator_key = std::move(*key);
        }
        return server_->use_tls(std::move(material));
    }

    /// Everything up to serving; an exception is as good a reason as an error.
    Task<Result<void>> start() {
        try {
            Result<void> started = co_await application_->start();
            if (started.has_value()) started = listen();
            co_return started;
        } catch (const std::exception& failure) {
            co_return Error{errc::internal, failure.what()};
        }
    }

    Task<> main() {
        const Result<void> started = co_await start();
        if (started.has_error()) {
            kLog.error("cannot start", started.error());
            exit_code_ = kind_of(started.error()) == ErrorKind::invalid ? 2 : 1;
            is_stopping_ = true;
            limit_stop();
        } else if (!is_stopping_) {
            announce();
            tasks_.spawn("controller.watchdog", systemd::feed_watchdog(runtime_));
        }
        while (!is_stopping_) co_await stop_requested_.wait();
        co_await shut_down();
    }

    /// With the port, which nodes need: the listener's unless another one is forwarded to it. A port chosen
    /// by the kernel is known only once it listens.
    std::string advertised(const std::string& listening) const {
        const std::string& given = config_.section("controller").text("advertise");
        const std::string host = given.empty() ? host_name() : given;
        const bool has_port = host.starts_with('[') ? host.find("]:") != std::string::npos
                                                    : std::count(host.begin(), host.end(), ':') == 1;
        return has_port || listening.empty() ? host : host + ":" + listening;
    }
    std::string advertised() const {
        const std::int64_t port = config_.section("listeners").integer("tls_port");
        return advertised(port == 0 ? std::string() : std::to_string(port));
    }

    void announce() {
        std::size_t nodes = 0;
        if (const auto* topology = application_->ports().find<TopologyView>())
            nodes = topology->current()->nodes.size();
        const auto took = std::chrono::duration_cast<Duration>(runtime_.boot() - began_).count();
        const std::string where =
            tls_port_.empty() ? "http://" + plain_endpoint_ + "/" : "https://" + advertised(tls_port_) + "/";
        const std::string line = "ready in " + std::to_string(took) + " ms, " +
                                 std::to_string(application_->module_names().size()) + " modules, " +
                                 std::to_string(nodes) + " nodes, " + where;
        kLog.info(line);
        systemd::notify("READY=1\nSTATUS=" + line);
#ifdef __GLIBC__
        ::malloc_trim(0);  // start-up (keys, parsing, migration) leaves pages that are not needed again
#endif
    }

    /// No new requests, modules in reverse order, then the store. The parts' shares leave room within
    /// kStopDeadline.
    Task<> shut_down() {
        if (server_) co_await server_->stop(Duration{1000});
        if (audit_) co_await audit_->stop(Duration{200});
        co_await application_->stop(Duration{2500});
        co_await bus_.stop(Duration{200});
        co_await store_->close();
        runtime_.stop();
    }

    ProductionRuntime& runtime_;
    const config::Config& config_;
    std::string data_dir_;
    BootTime began_;
    Identity identity_;
    std::string name_;
    std::string plain_endpoint_;
    std::string tls_port_;
    int exit_code_ = 0;
    std::unique_ptr<Disk> disk_ = make_posix_disk();
    std::unique_ptr<Store> store_;
    Bus bus_{runtime_};
    http::Router router_;
    std::unique_ptr<Application> application_;
    std::unique_ptr<AccessAudit> audit_;
    std::unique_ptr<http::Server> server_;
    TaskGroup tasks_;
    Signal stop_requested_;
    bool is_stopping_ = false;
    std::unique_ptr<Timer> stop_limit_;
    Signals signals_;
};

}  // namespace

int serve(const config::Config& config, const std::string& data_dir) {
    // Whatever the mode of a data directory that was there before: state, keys and tokens are the owner's.
    ::umask(0077);
    ProductionRuntime::Settings settings;
    settings.io_threads = static_cast<std::size_t>(config.section("http").integer("threads"));
    ProductionRuntime runtime(settings);
    const BootTime began = runtime.boot();
    Controller controller(runtime, config, std::filesystem::absolute(data_dir).string(), began);
    return controller.run();
}

}  // namespace icos::controller
