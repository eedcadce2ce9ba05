// SPDX-License-Identifier: Apache-2.0
#include "relay_world.hpp"

#include "icos/async/signal.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <filesystem>
#include <stdexcept>

namespace icos::agent::test {
namespace asio = boost::asio;
namespace {

constexpr Duration kTestLimit{60'000};
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

}  // namespace

RelayWorld::RelayWorld(RelaySettings settings)
    : runtime({.io_threads = 0, .compute_threads = 1, .blocking_threads = 1}),
      relay(make_tcp_relay(runtime, settings)),
      tasks(runtime) {}

RelayWorld::~RelayWorld() = default;

void RelayWorld::run(Task<> task) {
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

namespace {
Task<> listen_for(Relay* relay, std::string service, std::uint16_t* port) {
    const Result<std::uint16_t> bound = co_await relay->listen(key(service), "127.0.0.1", 0);
    *port = bound.value();
}
}  // namespace

std::uint16_t RelayWorld::listen(const std::string& service) {
    std::uint16_t port = 0;
    run(listen_for(relay.get(), service, &port));
    return port;
}

void RelayWorld::set_targets(const std::vector<RelayTarget>& targets, const std::string& service) {
    relay->set_targets(key(service), targets);
}

RelayKey key(const std::string& service) {
    return RelayKey{AppId{"8d7f"}, "backend", service, 80};
}

Task<> eventually(ProductionRuntime* runtime, std::function<bool()> condition) {
    while (!condition()) co_await asio::post(runtime->loop(), asio::use_awaitable);
}

Peer::Peer(ProductionRuntime& runtime, std::uint16_t port) : socket(runtime.loop()) {
    socket.connect(Tcp::endpoint(asio::ip::address_v4::loopback(), port));
}

Task<> Peer::send(std::string text) {
    co_await asio::async_write(socket, asio::buffer(text), asio::use_awaitable);
}

Task<std::string> Peer::line() {
    for (;;) {
        const auto at = buffer_.find('\n');
        if (at != std::string::npos) {
            std::string out = buffer_.substr(0, at);
            buffer_.erase(0, at + 1);
            co_return out;
        }
        std::array<char, 4096> piece{};
        auto [ec, got] = co_await socket.async_read_some(asio::buffer(piece), kTuple);
        if (ec == asio::error::eof) co_return "<end>";
        if (ec) co_return "<reset>";
        buffer_.append(piece.data(), got);
    }
}

Task<std::string> Peer::read_all() {
    std::string all = std::move(buffer_);
    auto [ec, got] = co_await asio::async_read(socket, asio::dynamic_buffer(all), kTuple);
    if (ec != asio::error::eof) throw boost::system::system_error(ec);
    co_return all;
}

void Peer::end() {
    socket.shutdown(Tcp::socket::shutdown_send);
}

void Peer::close() {
    boost::system::error_code ignored;
    socket.close(ignored);
}

void Peer::reset() {
    boost::system::error_code ignored;
    socket.set_option(asio::socket_base::linger(true, 0), ignored);
    socket.close(ignored);
}

struct Provider::State {
    State(RelayWorld& w, std::string n, Manner m)
        : world(w), name(std::move(n)), manner(m), acceptor(w.runtime.loop()), may_read(w.runtime) {}
    RelayWorld& world;
    std::string name;
    Manner manner;
    Tcp::acceptor acceptor;
    std::set<std::shared_ptr<Peer>> peers;
    std::size_t accepted = 0;
    bool is_reading = false;
    Signal may_read;
    std::string heard;
};

Provider::Provider(RelayWorld& world, std::string name, Manner manner, RelayTarget at)
    : state_(std::make_shared<State>(world, std::move(name), manner)), target_(std::move(at)) {
    const Tcp::endpoint endpoint(asio::ip::make_address(target_.address), target_.port);
    state_->acceptor.open(endpoint.protocol());
    state_->acceptor.set_option(asio::socket_base::reuse_address(true));
    state_->acceptor.bind(endpoint);
    state_->acceptor.listen();
    target_.port = state_->acceptor.local_endpoint().port();
    world.tasks.spawn("provider", accept(state_));
}

Provider::~Provider() {
    stop_listening();
    reset_connections();
    let_read();
}

std::size_t Provider::connections() const {
    return state_->peers.size();
}

std::size_t Provider::accepted() const {
    return state_->accepted;
}

void Provider::let_read() {
    state_->is_reading = true;
    state_->may_read.notify();
}

const std::string& Provider::heard() const {
    return state_->heard;
}

void Provider::stop_listening() {
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
}

void Provider::reset_connections() {
    for (const auto& peer : state_->peers) peer->reset();
}

Task<> Provider::accept(std::shared_ptr<State> state) {
    while (state->acceptor.is_open()) {
        auto peer = std::make_shared<Peer>(state->world.runtime);
        auto [ec] = co_await state->acceptor.async_accept(peer->socket, kTuple);
        if (ec == asio::error::no_descriptors) {
            co_await sleep_for(state->world.runtime, Duration(5));
            continue;
        }
        if (ec || !state->acceptor.is_open()) break;
        ++state->accepted;
        state->peers.insert(peer);
        state->world.tasks.spawn("provider.connection", serve(state, peer));
    }
}

Task<> Provider::serve(std::shared_ptr<State> state, std::shared_ptr<Peer> peer) {
    try {
        if (state->manner == Manner::farewell) {
            co_await peer->send(state->name + ":bye\n");
            peer->end();
        }
        while (state->manner == Manner::silent && !state->is_reading) co_await state->may_read.wait();
        if (state->manner != Manner::answer) {
            std::string all = co_await peer->read_all();
            state->heard += all;
        }
        while (state->manner == Manner::answer) {
            const std::string line = co_await peer->line();
            if (line == "<reset>") break;
            const bool is_end = line == "<end>";
            co_await peer->send(state->name + ":" + (is_end ? "end" : line) + "\n");
            if (is_end) break;
        }
    } catch (const boost::system::system_error&) {
        // The client went: nothing to answer.
    }
    peer->close();
    state->peers.erase(peer);
}

RelayTarget dead_target() {
    // Bound for as long as the program runs, so that nobody else gets the port; a provider of the test may.
    static asio::io_context context;
    static std::vector<std::unique_ptr<Tcp::acceptor>> held;
    auto acceptor = std::make_unique<Tcp::acceptor>(context, Tcp::v4());
    acceptor->set_option(asio::socket_base::reuse_address(true));
    acceptor->bind(Tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    const std::uint16_t port = acceptor->local_endpoint().port();
    held.push_back(std::move(acceptor));
    return {"127.0.0.1", port};
}

Task<std::string> ask(ProductionRuntime* runtime, std::uint16_t port, std::string text) {
    Peer client(*runtime);
    const Tcp::endpoint endpoint(asio::ip::address_v4::loopback(), port);
    auto [refused] = co_await client.socket.async_connect(endpoint, kTuple);
    if (refused) co_return "<refused>";
    try {
        co_await client.send(text + "\n");
    } catch (const boost::system::system_error&) {
        co_return "<reset>";
    }
    co_return co_await client.line();
}

std::size_t open_descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

}  // namespace icos::agent::test
