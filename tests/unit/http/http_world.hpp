// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/production_runtime.hpp"
#include "icos/http/client.hpp"
#include "icos/http/router.hpp"
#include "icos/http/server.hpp"

#include <functional>
#include <memory>
#include <string>

namespace icos::http::test {

/// A directory that goes with the test.
class TempDir {
public:
    TempDir();
    ~TempDir();
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    std::string path(std::string_view name) const { return path_ + "/" + std::string(name); }

private:
    std::string path_;
};

/// A server with two I/O threads on a loop of its own, and the coroutine of the test on that loop.
class HttpWorld {
public:
    explicit HttpWorld(Limits limits = {});
    ~HttpWorld();
    HttpWorld(const HttpWorld&) = delete;
    HttpWorld& operator=(const HttpWorld&) = delete;

    /// Listens on a free port of 127.0.0.1 (or on a Unix socket) and returns the listener's index.
    std::size_t listen(ListenerSpec::Kind kind = ListenerSpec::Kind::plain);
    Endpoint endpoint(std::size_t listener = 0) const;
    std::uint16_t port(std::size_t listener = 0) const;
    /// Runs `task` on the loop to its end and rethrows what it throws. Fails after 20 s.
    void run(Task<> task);

    /// GET routes of common use.
    void route(
        Method method, std::string pattern, Access access, Handler handler, std::size_t body_limit = 2U << 20U
    );

    ProductionRuntime runtime;
    Router router;
    Server server;
    TempDir dir;
};

/// Answers with the given text.
Handler text_handler(std::string text);
/// Answers with the request's body.
Handler echo_handler();

Task<ClientResponse> get(Client* client, std::string target, Headers headers = {});

/// A TCP (or Unix) connection that sends and receives bytes as they are.
class RawPeer {
public:
    /// `port` 0: `path` is a Unix socket.
    RawPeer(ProductionRuntime& runtime, std::uint16_t port, const std::string& path = {});
    ~RawPeer();
    RawPeer(const RawPeer&) = delete;
    RawPeer& operator=(const RawPeer&) = delete;
    void send(std::string_view bytes);
    /// Reads until `end` was seen (and returns everything so far), or until the other side closed.
    Task<std::string> read_until(std::string end);
    Task<std::string> read_all();
    void close();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Waits until `condition` holds; polled by the loop's turns, not by time.
Task<> eventually(ProductionRuntime* runtime, std::function<bool()> condition);

}  // namespace icos::http::test
