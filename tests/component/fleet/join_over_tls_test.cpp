// SPDX-License-Identifier: Apache-2.0
// Fleet with its real neighbours: SQLite, OpenSSL, the TLS listener and the HTTP client that agents use.
#include "fleet/fleet_module.hpp"
#include "fleet/x509.hpp"
#include "icos/agent/protocol.hpp"
#include "icos/async/production_runtime.hpp"
#include "icos/async/task_group.hpp"
#include "icos/bus/bus.hpp"
#include "icos/http/client.hpp"
#include "icos/http/server.hpp"
#include "icos/link/digest.hpp"
#include "icos/link/session.hpp"
#include "icos/ports/fleet.hpp"
#include "icos/ports/topology_view.hpp"
#include "icos/store/disk.hpp"
#include "icos/store/store.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <stdexcept>

namespace icos::fleet {
namespace {

namespace json = boost::json;

constexpr Duration kLimit{20'000};

class Directory {
public:
    Directory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "icos-fleet-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
        path = pattern;
    }
    ~Directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    std::string path;
};

/// A controller that has only fleet, on a free port of loopback.
class Controller {
public:
    explicit Controller(std::string data_dir)
        : runtime({.io_threads = 2, .compute_threads = 1, .blocking_threads = 1}),
          data_dir_(std::move(data_dir)) {
        SqliteStoreOptions options;
        options.path = data_dir_ + "/state.db";
        store_ = open_sqlite_store(runtime, options).value();
        bus_ = std::make_unique<Bus>(runtime);
        const ModuleDescriptor described = descriptor();
        module_ = described.make();
        ModuleContext context{
            runtime,
            *bus_,
            *store_,
            *disk_,
            router_,
            ports_,
            config::defaults(described.schema),
            data_dir_,
            "c-1",
            "controller-1",
            "localhost"
        };
        module_->configure(context).value();
        run(start(this));
    }
    ~Controller() {
        try {
            run(stop(this));
        } catch (const std::exception&) {
            std::abort();
        }
    }
    Controller(const Controller&) = delete;
    Controller& operator=(const Controller&) = delete;

    void run(Task<> task) {
        std::exception_ptr failure;
        bool done = false;
        const auto watchdog = runtime.schedule(kLimit, [this] { runtime.stop(); });
        boost::asio::co_spawn(runtime.loop(), std::move(task), [&](std::exception_ptr thrown) {
            failure = thrown;
            done = true;
            runtime.stop();
        });
        runtime.run();
        // The runtime runs once in a program; here it runs once for each part of the test.
        static_cast<boost::asio::io_context&>(
            boost::asio::query(runtime.loop(), boost::asio::execution::context)
        )
            .restart();
        if (failure) std::rethrow_exception(failure);
        if (!done) throw std::runtime_error("the test did not end within its limit");
    }

    http::Endpoint endpoint() const {
        http::Endpoint out;
        out.kind = http::Endpoint::Kind::tls;
        out.host = "localhost";
        const std::string bound = server_->endpoint(0);
        out.port = static_cast<std::uint16_t>(std::stoi(bound.substr(bound.rfind(':') + 1)));
        return out;
    }
    const Topology& topology() { return *(kept_ = ports_.find<TopologyView>()->current()); }

    ProductionRuntime runtime;

private:
    static Task<> start(Controller* self) {
        const Result<void> started = co_await self->module_->start();
        started.value();
        self->server_ = std::make_unique<http::Server>(
            self->runtime,
            self->router_,
            [](std::string_view token) -> Result<http::Caller> {
                http::Caller caller;
                caller.role = token == "admin" ? http::Role::admin : http::Role::none;
                return caller;
            },
            http::Limits{},
            self->runtime.io()
        );
        const auto* authority = self->ports_.find<CertificateAuthority>();
        http::TlsMaterial material;
        std::tie(material.agent_certificate, material.agent_key) = authority->server_pair();
        std::tie(material.operator_certificate, material.operator_key) = authority->operator_pair();
        material.agent_ca = authority->ca_certificate();
        self->server_->use_tls(std::move(material)).value();
        self->server_->listen({http::ListenerSpec::Kind::tls, "127.0.0.1", 0}).value();
        self->ports_.find<LinkAcceptor>()->advertise("localhost:" + std::to_string(self->endpoint().port));
    }

    static Task<> stop(Controller* self) {
        co_await self->server_->stop(Duration{2000});
        co_await self->module_->stop(Duration{2000});
        co_await self->bus_->stop(Duration{200});
        co_await self->store_->close();
    }

    std::string data_dir_;
    std::unique_ptr<Disk> disk_ = make_posix_disk();
    std::unique_ptr<Store> store_;
    std::unique_ptr<Bus> bus_;
    http::Router router_;
    Ports ports_;
    std::unique_ptr<Module> module_;
    std::unique_ptr<http::Server> server_;
    std::shared_ptr<const Topology> kept_;
};

/// A node's key and the certificate it presents.
struct Identity {
    std::string key;
    std::string certificate;
};

Identity fresh_identity(WallTime now) {
    x509::Key key = x509::make_key().value();
    x509::Wish wish;
    wish.common_name = "a node";
    wish.usage = x509::Usage::client;
    wish.not_before = now - std::chrono::hours(1);
    wish.not_after = now + std::chrono::hours(1);
    const x509::Certificate certificate = x509::make_certificate(wish, *key, nullptr, *key).value();
    return {x509::to_pem(*key), x509::to_pem(*certificate)};
}

http::Endpoint agent_endpoint(http::Endpoint endpoint, const Identity& identity, const std::string& pin) {
    endpoint.alpn = "icos-agent/1";
    endpoint.client_key = identity.key;
    endpoint.client_certificate = identity.certificate;
    endpoint.pin = pin;
    return endpoint;
}

Task<> make_token(Controller* controller, std::string ca, json::object* out) {
    http::Endpoint endpoint = controller->endpoint();
    endpoint.ca = std::move(ca);
    http::Client client(controller->runtime, endpoint);
    http::ClientRequest request{
        http::Method::post, "/api/v1/tokens", {{"Authorization", "Bearer admin"}}, "{}"
    };
    const Result<http::ClientResponse> answer = co_await client.send(std::move(request), kLimit);
    *out = json::parse(answer.value().body).as_object();
}

Task<> join(
    Controller* controller,
    http::Endpoint endpoint,
    std::string token,
    std::string name,
    Result<http::ClientResponse>* out
) {
    http::Client client(controller->runtime, std::move(endpoint));
    agent::JoinRequest wanted;
    wanted.token = std::move(token);
    wanted.name = std::move(name);
    http::ClientRequest request{http::Method::post, "/agent/v1/join", {}, agent::encode(wanted)};
    *out = co_await client.send(std::move(request), kLimit);
}

/// Connects, says hello and waits for the welcome.
Task<> greet(Controller* controller, http::Endpoint endpoint, Result<agent::Welcome>* out) {
    http::Client client(controller->runtime, std::move(endpoint));
    Result<std::unique_ptr<http::FrameStream>> stream =
        co_await client.websocket("/agent/v1/link", {}, kLimit);
    if (stream.has_error()) {
        *out = stream.error();
        co_return;
    }
    TaskGroup tasks(controller->runtime);
    link::Session session(
        controller->runtime,
        std::move(*stream),
        link::Session::Side::dialling,
        [](const auto&) { return false; }
    );
    struct Run {
        static Task<> run(link::Session* s) { co_await s->run(); }
    };
    tasks.spawn("test.session", Run::run(&session));
    agent::Hello hello;
    hello.boot_id = "boot";
    hello.process_nonce = "nonce";
    hello.facts.engine = "docker";
    const Result<void> written = co_await session.control().write(agent::encode(hello));
    written.value();
    const Result<std::optional<std::string>> message = co_await session.control().read();
    if (message.has_error()) {
        *out = message.error();
    } else {
        *out = agent::decode<agent::Welcome>(**message);
    }
    session.close();
    co_await tasks.stop(Duration{2000});
}

Result<http::ClientResponse> not_asked() {
    return Error{errc::internal, "not asked"};
}

}  // namespace

TEST_CASE(
    "a node joins with a token that pins the controller, and its certificate opens the link", "[fleet]"
) {
    Directory directory;
    std::string pin;
    Identity identity;
    {
        Controller controller(directory.path);
        identity = fresh_identity(controller.runtime.wall());
        const std::string operator_ca =
            make_posix_disk()->read_all(directory.path + "/ca/operator.pem").value();
        json::object made;
        controller.run(make_token(&controller, operator_ca.substr(operator_ca.find("-----BEGIN CERT")), &made)
        );
        const std::string token(made.at("token").as_string());
        pin = link::parse_join_token(token).value().ca_pin;
        const std::string command(made.at("command").as_string());
        CHECK(
            command == "icos-agent join --controller localhost:" +
                           std::to_string(controller.endpoint().port) + " --token " + token
        );

        Result<http::ClientResponse> refused = not_asked();
        controller.run(join(
            &controller,
            agent_endpoint(controller.endpoint(), identity, std::string(64, '0')),
            token,
            "edge-1",
            &refused
        ));
        REQUIRE(refused.has_error());
        CHECK(stable_code(refused.error()) == "http.pin_mismatch");

        Result<http::ClientResponse> joined = not_asked();
        controller.run(
            join(&controller, agent_endpoint(controller.endpoint(), identity, pin), token, "edge-1", &joined)
        );
        REQUIRE(joined.has_value());
        REQUIRE(joined->status == 200);
        const auto answer = agent::decode<agent::JoinAnswer>(joined->body).value();
        identity.certificate = answer.certificate;
        CHECK(x509::belongs(*x509::read_certificate(answer.certificate), *x509::read_key(identity.key)));

        Result<agent::Welcome> welcome = Error{errc::internal, "not asked"};
        controller.run(greet(&controller, agent_endpoint(controller.endpoint(), identity, pin), &welcome));
        REQUIRE(welcome.has_value());
        CHECK(welcome->controller_name == "controller-1");
        REQUIRE(controller.topology().nodes.size() == 1);
        CHECK(controller.topology().nodes.at(0).state == NodeState::ready);
        CHECK(controller.topology().nodes.at(0).address == "127.0.0.1");
    }

    Controller again(directory.path);
    REQUIRE(again.topology().nodes.size() == 1);
    CHECK(again.topology().nodes.at(0).name == "edge-1");
    Result<agent::Welcome> welcome = Error{errc::internal, "not asked"};
    again.run(greet(&again, agent_endpoint(again.endpoint(), identity, pin), &welcome));
    CHECK(welcome.has_value());

    Result<agent::Welcome> stranger = Error{errc::internal, "not asked"};
    const Identity unknown = fresh_identity(again.runtime.wall());
    again.run(greet(&again, agent_endpoint(again.endpoint(), unknown, pin), &stranger));
    REQUIRE(stranger.has_error());
    CHECK(stable_code(stranger.error()) == "node.unknown_key");
}

}  // namespace icos::fleet
