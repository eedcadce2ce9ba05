// SPDX-License-Identifier: Apache-2.0
#include "http/client_connection.hpp"

#include "icos/async/signal.hpp"
#include "icos/http/router.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace icos::http {
namespace asio = boost::asio;
namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMaxIdle = 8;
constexpr std::chrono::seconds kMaxIdleTime{30};

using GenericEndpoint = asio::generic::stream_protocol::endpoint;

/// Blocking. Addresses as text, in the order the system prefers.
std::vector<std::string> look_up_blocking(const std::string& host, std::string* why) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    const int outcome = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
    if (outcome != 0) {
        *why = ::gai_strerror(outcome);
        return {};
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
    std::vector<std::string> addresses;
    for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
        std::array<char, NI_MAXHOST> text{};
        const int named = ::getnameinfo(
            entry->ai_addr,
            entry->ai_addrlen,
            text.data(),
            static_cast<socklen_t>(text.size()),
            nullptr,
            0,
            NI_NUMERICHOST
        );
        if (named == 0) addresses.emplace_back(text.data());
    }
    return addresses;
}

}  // namespace

Deadline::Deadline(Runtime& runtime, Duration limit)
    : runtime_(runtime), limit_(limit), end_(runtime.boot() + limit) {
    timer_ = runtime.schedule(limit, [this] {
        has_passed_ = true;
        if (const auto action = std::exchange(action_, nullptr)) action();
    });
}

void Deadline::on_end(std::function<void()> action) {
    if (has_passed_) {
        action();
    } else {
        action_ = std::move(action);
    }
}

Duration Deadline::left() const {
    const auto left = std::chrono::duration_cast<Duration>(end_ - runtime_.boot());
    return has_passed_ ? Duration(0) : std::max(left, Duration(0));
}

struct Connector::Lookup {
    Lookup(Runtime& runtime, std::string name) : host(std::move(name)), done(runtime) {}
    std::string host;
    std::vector<std::string> addresses;
    std::string why;
    bool has_ended = false;
    Signal done;
};

Connector::Connector(Runtime& runtime, Endpoint endpoint)
    : runtime_(runtime), endpoint_(std::move(endpoint)), lookups_(runtime) {}

std::string Connector::where() const {
    if (endpoint_.kind == Endpoint::Kind::unix_socket) return endpoint_.host;
    const bool is_v6 = endpoint_.host.find(':') != std::string::npos;
    return (is_v6 ? "[" + endpoint_.host + "]" : endpoint_.host) + ":" + std::to_string(endpoint_.port);
}

Error Connector::timed_out(const Deadline& deadline) const {
    return Error{
        icos::errc::timed_out, where() + " did not answer within " + format_duration(deadline.limit())
    };
}

Error Connector::failure(const boost::system::error_code& ec, const Deadline* deadline) const {
    if (deadline != nullptr && deadline->has_passed()) return timed_out(*deadline);
    if (ec == asio::error::operation_aborted)
        return Error{icos::errc::cancelled, "the call to " + where() + " was cancelled"};
    if (ec == asio::error::eof || ec == asio::error::connection_reset || ec == asio::error::broken_pipe ||
        ec == asio::ssl::error::stream_truncated) {
        return Error{errc::closed, where() + " closed the connection"};
    }
    if (ec.category() == asio::error::get_ssl_category()) {
        take_openssl_error();
        return Error{errc::tls_failed, where() + " ended the TLS session: " + ec.message()};
    }
    return Error{errc::closed, "the connection with " + where() + " broke: " + ec.message()};
}

std::unique_ptr<Transport> Connector::take_idle() {
    while (!idle_.empty()) {
        Idle idle = std::move(idle_.back());
        idle_.pop_back();
        const bool is_fresh = runtime_.boot() - idle.since < kMaxIdleTime;
        if (is_fresh && idle.transport->is_quiet()) return std::move(idle.transport);
        idle.transport->close();
    }
    return nullptr;
}

void Connector::give_back(std::unique_ptr<Transport> transport) {
    if (idle_.size() >= kMaxIdle) {
        idle_.front().transport->close();
        idle_.erase(idle_.begin());
    }
    idle_.push_back({std::move(transport), runtime_.boot()});
}

Task<> Connector::look_up(Runtime* runtime, std::shared_ptr<Lookup> lookup) {
    // Shared with the pool's thread, which may still be at it when everybody else has gone.
    struct Answer {
        std::vector<std::string> addresses;
        std::string why;
    };
    const auto answer = std::make_shared<Answer>();
    std::function<void()> work = [answer, host = lookup->host] {
        answer->addresses = look_up_blocking(host, &answer->why);
    };
    co_await runtime->run_on(Pool::blocking, std::move(work));
    lookup->addresses = std::move(answer->addresses);
    lookup->why = std::move(answer->why);
    lookup->has_ended = true;
    lookup->done.notify();
}

Task<Result<std::vector<std::string>>> Connector::resolve(
    std::shared_ptr<Connector> self, Deadline* deadline
) {
    boost::system::error_code ec;
    asio::ip::make_address(self->endpoint_.host, ec);
    if (!ec) co_return std::vector<std::string>{self->endpoint_.host};
    const auto lookup = std::make_shared<Lookup>(self->runtime_, self->endpoint_.host);
    self->lookups_.spawn("http.lookup", look_up(&self->runtime_, lookup));
    while (!lookup->has_ended) {
        const Duration left = deadline->left();
        if (left.count() <= 0) co_return self->timed_out(*deadline);
        co_await lookup->done.wait_for(left);
    }
    if (!lookup->addresses.empty()) co_return std::move(lookup->addresses);
    co_return Error{
        errc::connect_failed,
        "the name " + self->endpoint_.host + " cannot be resolved: " + lookup->why,
        "check the address and the name servers"
    };
}

Task<Result<std::unique_ptr<StreamSocket>>> Connector::dial(
    std::shared_ptr<Connector> self, Deadline* deadline
) {
    std::vector<GenericEndpoint> targets;
    if (self->endpoint_.kind == Endpoint::Kind::unix_socket) {
        if (self->endpoint_.host.size() >= sizeof(sockaddr_un::sun_path)) {
            co_return Error{
                icos::errc::invalid, "the path " + self->endpoint_.host + " is too long for a Unix socket"
            };
        }
        targets.emplace_back(asio::local::stream_protocol::endpoint(self->endpoint_.host));
    } else {
        auto addresses = co_await resolve(self, deadline);
        if (addresses.has_error()) co_return addresses.error();
        for (const std::string& text : *addresses) {
            boost::system::error_code ignored;
            targets.emplace_back(
                asio::ip::tcp::endpoint(asio::ip::make_address(text, ignored), self->endpoint_.port)
            );
        }
    }
    boost::system::error_code last = asio::error::host_unreachable;
    for (std::size_t i = 0; i < targets.size() && !deadline->has_passed(); ++i) {
        // An address that swallows packets leaves time for the next one.
        const auto share = deadline->left() / static_cast<std::int64_t>(targets.size() - i);
        auto socket = std::make_unique<StreamSocket>(self->runtime_.loop());
        Deadline attempt(self->runtime_, share);
        StreamSocket* raw = socket.get();
        attempt.on_end([raw] {
            boost::system::error_code ignored;
            raw->close(ignored);
        });
        auto [ec] = co_await socket->async_connect(targets[i], kTuple);
        if (!ec && socket->is_open()) {
            boost::system::error_code ignored;
            const bool is_tcp = self->endpoint_.kind != Endpoint::Kind::unix_socket;
            if (is_tcp) socket->set_option(asio::ip::tcp::no_delay(true), ignored);
            co_return std::move(socket);
        }
        const bool was_cancelled = ec == asio::error::operation_aborted && !attempt.has_passed();
        if (was_cancelled) co_return self->failure(ec, deadline);
        last = attempt.has_passed() ? boost::system::error_code(asio::error::timed_out) : ec;
    }
    if (deadline->has_passed() || last == asio::error::timed_out) co_return self->timed_out(*deadline);
    const bool is_unix = self->endpoint_.kind == Endpoint::Kind::unix_socket;
    co_return Error{
        errc::connect_failed,
        "cannot connect to " + self->where() + ": " + last.message(),
        is_unix ? "is the service running, and may this user open its socket?"
                : "is it running, and is the address right?"
    };
}

Task<Result<std::unique_ptr<Transport>>> Connector::connect(
    std::shared_ptr<Connector> self, Deadline* deadline
) {
    if (self->endpoint_.kind == Endpoint::Kind::tls && !self->tls_) {
        auto tls = ClientTls::make(self->endpoint_);
        if (tls.has_error()) co_return tls.error();
        self->tls_ = std::move(*tls);
    }
    auto dialled = co_await dial(self, deadline);
    if (dialled.has_error()) co_return dialled.error();
    if (self->endpoint_.kind != Endpoint::Kind::tls) co_return make_plain_transport(std::move(**dialled));
    std::unique_ptr<TlsTransport> transport = self->tls_->wrap(std::move(**dialled));
    TlsTransport* raw = transport.get();
    deadline->on_end([raw] { raw->close(); });
    const boost::system::error_code ec = co_await transport->handshake_as_client();
    deadline->clear();
    if (ec) {
        if (deadline->has_passed() || ec == asio::error::operation_aborted)
            co_return self->failure(ec, deadline);
        Error failed = self->tls_->explain(*transport, ec);
        transport->close();
        co_return failed;
    }
    auto protocol = self->tls_->check_protocol(*transport);
    if (protocol.has_error()) co_return protocol.error();
    co_return std::unique_ptr<Transport>(std::move(transport));
}

}  // namespace icos::http
