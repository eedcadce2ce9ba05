// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "http/tls.hpp"
#include "icos/http/router.hpp"
#include "icos/http/server.hpp"

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace icos::http {
class Session;

/// Counters of one server. Any thread.
struct ServerCounters {
    static constexpr std::array<std::int64_t, 6> kBucketsMs{1, 5, 25, 100, 500, 2500};

    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> refused{0};  ///< over the connection limit
    std::atomic<std::uint64_t> handshakes_failed{0};
    std::atomic<std::uint64_t> bytes_in{0};
    std::atomic<std::uint64_t> bytes_out{0};
    std::atomic<std::uint64_t> streams_open{0};
    std::atomic<std::uint64_t> sockets_open{0};
    std::array<std::atomic<std::uint64_t>, 6> by_class{};  ///< index 1..5 of the status' first digit
    std::array<std::atomic<std::uint64_t>, kBucketsMs.size() + 1> durations{};
    std::atomic<std::uint64_t> duration_us{0};

    void count_answer(unsigned status, std::chrono::nanoseconds duration);
};

/// What a server's sessions share. Members say which thread may use them.
struct ServerState {
    ServerState(Runtime& r, Router& rt, TokenCheck c, const Limits& l, boost::asio::any_io_executor i);

    Runtime& runtime;
    Router& router;    ///< loop
    TokenCheck check;  ///< loop
    const Limits limits;
    const boost::asio::any_io_executor loop;
    const boost::asio::any_io_executor io;
    const std::string id_prefix;
    std::atomic<std::uint64_t> sequence{0};
    std::atomic<bool> is_stopping{false};
    ServerCounters counters;

    bool is_alive = true;                  ///< loop: the router may be used
    std::function<void()> on_session_end;  ///< loop
    RefusalListener on_refused;            ///< loop

    /// Executor of one connection: a strand of the I/O pool, or the loop. Any thread.
    boost::asio::any_io_executor connection_executor() const;
    /// Request id for a connection's next request. Any thread.
    std::string next_request_id();
    /// Lets the loop drop its last reference to something that lives there. Any thread.
    void release_on_loop(std::shared_ptr<void> object) const;

    std::shared_ptr<const ServerTls> tls() const;
    void set_tls(std::shared_ptr<const ServerTls> tls);

    void add(const std::shared_ptr<Session>& session);
    void remove(const Session* session);
    std::size_t session_count() const;
    std::vector<std::shared_ptr<Session>> sessions() const;

private:
    mutable std::mutex mutex_;
    std::shared_ptr<const ServerTls> tls_;
    std::unordered_map<const Session*, std::weak_ptr<Session>> sessions_;
};

}  // namespace icos::http
