// SPDX-License-Identifier: Apache-2.0
#include "icos/http/server.hpp"

#include "http/listener.hpp"
#include "http/session.hpp"
#include "icos/async/signal.hpp"

#include <vector>

namespace icos::http {
namespace {

void append_metric(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
    out.append("# HELP ").append(name).append(" ").append(help).append("\n");
    out.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void append_value(std::string& out, std::string_view name, std::string_view labels, std::uint64_t value) {
    out.append(name).append(labels).append(" ").append(std::to_string(value)).append("\n");
}

void append_simple(
    std::string& out, std::string_view name, std::string_view type, std::string_view help, std::uint64_t value
) {
    append_metric(out, name, type, help);
    append_value(out, name, "", value);
}

std::string seconds(std::uint64_t us) {
    std::string text = std::to_string(us);
    if (text.size() < 7) text.insert(0, 7 - text.size(), '0');
    text.insert(text.size() - 6, ".");
    return text;
}

}  // namespace

struct Server::Impl {
    Impl(Runtime& r, Router& router, TokenCheck check, const Limits& limits, boost::asio::any_io_executor io)
        : runtime(r),
          state(std::make_shared<ServerState>(r, router, std::move(check), limits, std::move(io))),
          session_ended(r) {}

    void close_listeners() {
        for (const auto& listener : listeners) listener->close();
    }

    /// Resumes once no session is left; false if `deadline` passes first.
    static Task<bool> sessions_end(std::shared_ptr<Impl> self, Duration deadline) {
        const BootTime until = self->runtime.boot() + deadline;
        while (self->state->session_count() > 0) {
            const auto left = std::chrono::duration_cast<Duration>(until - self->runtime.boot());
            if (left.count() <= 0) co_return false;
            co_await self->session_ended.wait_for(left);
        }
        co_return true;
    }

    static Task<> stop(std::shared_ptr<Impl> self, Duration deadline) {
        self->state->is_stopping = true;
        self->close_listeners();
        for (const auto& session : self->state->sessions()) session->begin_stop();
        const bool ended = co_await sessions_end(self, deadline);
        if (ended) co_return;
        for (const auto& session : self->state->sessions()) session->abort();
        co_await sessions_end(self, Duration(500));
    }

    Runtime& runtime;
    std::shared_ptr<ServerState> state;
    Signal session_ended;
    std::vector<std::shared_ptr<Listener>> listeners;
};

Server::Server(
    Runtime& runtime, Router& router, TokenCheck check, Limits limits, boost::asio::any_io_executor io
)
    : impl_(std::make_shared<Impl>(runtime, router, std::move(check), limits, std::move(io))) {
    impl_->state->on_session_end = [weak = std::weak_ptr<Impl>(impl_)] {
        if (const auto impl = weak.lock()) impl->session_ended.notify();
    };
}

Server::~Server() {
    impl_->state->is_stopping = true;
    impl_->state->is_alive = false;
    impl_->state->on_session_end = nullptr;
    impl_->close_listeners();
    for (const auto& session : impl_->state->sessions()) session->abort();
}

void Server::on_refused(RefusalListener listener) {
    impl_->state->on_refused = std::move(listener);
}

Result<void> Server::use_tls(TlsMaterial material) {
    auto tls = ServerTls::make(material);
    if (tls.has_error()) return tls.error();
    impl_->state->set_tls(std::move(*tls));
    return {};
}

Result<void> Server::listen(const ListenerSpec& spec) {
    if (spec.kind == ListenerSpec::Kind::tls && !impl_->state->tls()) {
        return Error{icos::errc::invalid, "a TLS listener needs certificates", "call use_tls first"};
    }
    auto listener = make_listener(impl_->state, spec);
    if (listener.has_error()) return listener.error();
    impl_->listeners.push_back(*listener);
    (*listener)->start();
    return {};
}

std::string Server::endpoint(std::size_t listener) const {
    return listener < impl_->listeners.size() ? impl_->listeners[listener]->endpoint() : std::string();
}

std::string Server::metrics() const {
    const ServerCounters& counters = impl_->state->counters;
    std::string out;
    append_simple(
        out, "icos_http_connections_open", "gauge", "Connections being served.", impl_->state->session_count()
    );
    append_simple(out, "icos_http_connections_total", "counter", "Connections accepted.", counters.accepted);
    append_simple(
        out, "icos_http_connections_refused_total", "counter", "Connections over the limit.", counters.refused
    );
    append_simple(
        out,
        "icos_http_tls_handshakes_failed_total",
        "counter",
        "TLS handshakes that failed.",
        counters.handshakes_failed
    );
    append_simple(
        out, "icos_http_streams_open", "gauge", "Streamed answers being sent.", counters.streams_open
    );
    append_simple(
        out, "icos_http_websockets_open", "gauge", "WebSockets being served.", counters.sockets_open
    );
    append_simple(
        out, "icos_http_received_bytes_total", "counter", "Bytes read, without TLS.", counters.bytes_in
    );
    append_simple(
        out, "icos_http_sent_bytes_total", "counter", "Bytes written, without TLS.", counters.bytes_out
    );
    append_metric(out, "icos_http_requests_total", "counter", "Answers by class of status.");
    for (std::size_t i = 1; i < counters.by_class.size(); ++i) {
        append_value(
            out,
            "icos_http_requests_total",
            "{class=\"" + std::to_string(i) + "xx\"}",
            counters.by_class.at(i)
        );
    }
    append_metric(
        out, "icos_http_request_duration_seconds", "histogram", "From a whole head to the answer's last byte."
    );
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < counters.durations.size(); ++i) {
        sum += counters.durations.at(i);
        const bool is_last = i == ServerCounters::kBucketsMs.size();
        const std::string limit =
            is_last ? "+Inf" : seconds(static_cast<std::uint64_t>(ServerCounters::kBucketsMs.at(i)) * 1000);
        append_value(out, "icos_http_request_duration_seconds_bucket", "{le=\"" + limit + "\"}", sum);
    }
    out += "icos_http_request_duration_seconds_sum " + seconds(counters.duration_us) + "\n";
    append_value(out, "icos_http_request_duration_seconds_count", "", sum);
    return out;
}

Task<> Server::stop(Duration deadline) {
    return Impl::stop(impl_, deadline);
}

}  // namespace icos::http
