// SPDX-License-Identifier: Apache-2.0
#include "http_world.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace icos::http::test {
namespace asio = boost::asio;
namespace {

constexpr Duration kTestLimit{20'000};
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

Task<Result<Response>> answer_text(std::string text) {
    Response response = Response::json(std::move(text));
    response.content_type = "text/plain";
    co_return response;
}

Task<Result<Response>> answer_echo(Request request) {
    Response response = Response::json(std::move(request.body));
    response.content_type = "application/octet-stream";
    co_return response;
}

TokenCheck known_tokens() {
    return [](std::string_view token) -> Result<Caller> {
        Caller caller;
        caller.subject = "token:" + std::string(token);
        if (token == "admin-token") caller.role = Role::admin;
        if (token == "reader-token") caller.role = Role::reader;
        if (caller.role == Role::none)
            return Error{auth_errc::bad_token, "the token is unknown", "ask for another"};
        return caller;
    };
}

}  // namespace

TempDir::TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "icos-http-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
}

TempDir::~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

HttpWorld::HttpWorld(Limits limits)
    : runtime({.io_threads = 2, .compute_threads = 1, .blocking_threads = 1}),
      server(runtime, router, known_tokens(), limits, runtime.io()) {}

HttpWorld::~HttpWorld() {
    try {
        run(server.stop(Duration(2000)));
    } catch (const std::exception&) {
        std::abort();
    }
}

std::size_t HttpWorld::listen(ListenerSpec::Kind kind) {
    ListenerSpec spec;
    spec.kind = kind;
    spec.address = kind == ListenerSpec::Kind::unix_socket ? dir.path("http.sock") : "127.0.0.1";
    server.listen(spec).value();
    std::size_t count = 0;
    while (!server.endpoint(count).empty()) ++count;
    return count - 1;
}

Endpoint HttpWorld::endpoint(std::size_t listener) const {
    const std::string text = server.endpoint(listener);
    return parse_endpoint(text.starts_with('/') ? "unix://" + text : "http://" + text).value();
}

std::uint16_t HttpWorld::port(std::size_t listener) const {
    return endpoint(listener).port;
}

void HttpWorld::run(Task<> task) {
    std::exception_ptr failure;
    bool has_ended = false;
    asio::co_spawn(runtime.loop(), std::move(task), [&](std::exception_ptr failed) {
        failure = failed;
        has_ended = true;
        runtime.stop();
    });
    const auto watchdog = runtime.schedule(kTestLimit, [this] { runtime.stop(); });
    runtime.run();
    // The runtime runs once in a program; here it runs once for each part of a test.
    static_cast<asio::io_context&>(asio::query(runtime.loop(), asio::execution::context)).restart();
    if (!has_ended) throw std::runtime_error("the test did not end in time");
    if (failure) std::rethrow_exception(failure);
}

void HttpWorld::route(
    Method method, std::string pattern, Access access, Handler handler, std::size_t body_limit
) {
    Route added;
    added.method = method;
    added.pattern = std::move(pattern);
    added.access = access;
    added.summary = "a test's";
    added.handler = std::move(handler);
    added.body_limit = body_limit;
    router.add(std::move(added));
}

Handler text_handler(std::string text) {
    return [text = std::move(text)](const Request&) { return answer_text(text); };
}

Handler echo_handler() {
    return [](Request request) { return answer_echo(std::move(request)); };
}

Task<ClientResponse> get(Client* client, std::string target, Headers headers) {
    ClientRequest request;
    request.target = std::move(target);
    request.headers = std::move(headers);
    auto response = co_await client->send(std::move(request), Duration(10'000));
    if (response.has_error()) throw std::runtime_error(describe(response.error()));
    co_return std::move(*response);
}

struct RawPeer::Impl {
    explicit Impl(ProductionRuntime& runtime) : socket(runtime.loop()) {}
    asio::generic::stream_protocol::socket socket;
    std::string received;
};

RawPeer::RawPeer(ProductionRuntime& runtime, std::uint16_t port, const std::string& path)
    : impl_(std::make_unique<Impl>(runtime)) {
    if (port != 0) {
        impl_->socket.connect(asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), port));
    } else {
        impl_->socket.connect(asio::local::stream_protocol::endpoint(path));
    }
}

RawPeer::~RawPeer() = default;

void RawPeer::send(std::string_view bytes) {
    boost::system::error_code ignored;
    asio::write(impl_->socket, asio::buffer(bytes.data(), bytes.size()), ignored);
}

Task<std::string> RawPeer::read_until(std::string end) {
    std::array<char, 4096> buffer{};
    while (end.empty() || impl_->received.find(end) == std::string::npos) {
        auto [ec, bytes] = co_await impl_->socket.async_read_some(asio::buffer(buffer), kTuple);
        impl_->received.append(buffer.data(), bytes);
        if (ec) break;
    }
    std::string text;
    text.swap(impl_->received);
    co_return text;
}

Task<std::string> RawPeer::read_all() {
    return read_until("");
}

void RawPeer::close() {
    impl_->socket.close();
}

Task<> eventually(ProductionRuntime* runtime, std::function<bool()> condition) {
    while (!condition()) co_await sleep_for(*runtime, Duration(1));
}

}  // namespace icos::http::test
