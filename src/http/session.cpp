// SPDX-License-Identifier: Apache-2.0
#include "http/session.hpp"

#include "http/hop.hpp"
#include "icos/core/log.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>

namespace icos::http {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kReadSize = 8U << 10U;
constexpr std::size_t kMaxRequestId = 64;
constexpr std::size_t kMaxWatched = 64U << 10U;
constexpr std::size_t kMaxLingered = 256U << 10U;
constexpr Duration kLinger{1000};

bool is_request_id(std::string_view text) {
    return !text.empty() && text.size() <= kMaxRequestId && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == '-';
    });
}

std::string_view header_or_empty(const Headers& headers, std::string_view name) {
    const auto it = headers.find(name);
    return it == headers.end() ? std::string_view{} : std::string_view(it->second);
}

bool is_cancellation(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& e) {
        return e.code() == asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

std::string text_of(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return "unknown exception";
    }
}

/// Every answer of a handler that did not answer by itself.
Response failed_response(const std::exception_ptr& failure, const std::string& request_id) {
    if (is_cancellation(failure)) {
        return problem(Error{errc::shutting_down, "the request was cancelled", "try again"}, request_id);
    }
    Log("http").error("request failed", {{"request", request_id}, {"error", text_of(failure)}});
    return problem(Error{icos::errc::internal, ""}, request_id);
}

}  // namespace

Session::Session(std::shared_ptr<ServerState> state, std::unique_ptr<Transport> transport, Origin origin)
    : state_(std::move(state)),
      transport_(std::move(transport)),
      executor_(transport_->get_executor()),
      origin_(std::move(origin)),
      timer_(executor_) {}

void Session::begin_stop() {
    asio::post(executor_, [self = shared_from_this()] {
        self->is_stopping_ = true;
        if (self->is_idle_ && self->transport_) self->transport_->close();
        if (self->is_streaming_) self->cancel_hop();
        if (self->socket_) self->socket_->close();
    });
}

std::shared_ptr<HopControl> Session::start_hop() {
    hop_ = std::make_shared<HopControl>(state_->loop);
    return hop_;
}

void Session::cancel_hop() {
    if (hop_) hop_->cancel();
}

void Session::abort() {
    asio::post(executor_, [self = shared_from_this()] {
        self->is_stopping_ = true;
        self->cancel_hop();
        if (self->transport_) self->transport_->close();
        if (self->socket_) self->socket_->close();
    });
}

void Session::arm(Duration limit) {
    has_timed_out_ = false;
    const std::uint64_t arming = ++arming_;
    timer_.expires_after(limit);
    // The generation tells a wait that expired just before it was replaced.
    timer_.async_wait([weak = weak_from_this(), arming](boost::system::error_code ec) {
        const auto self = weak.lock();
        if (!ec && self && self->arming_ == arming) self->expire();
    });
}

void Session::expire() {
    const bool is_second = std::exchange(has_timed_out_, true);
    if (!transport_) return;
    if (is_second) {
        transport_->close();
        return;
    }
    // Cancelling lets a late client still be told. It misses an operation that has just completed, or one
    // step of a TLS operation: then the second expiry ends the connection.
    transport_->cancel();
    timer_.expires_after(kLinger);
    timer_.async_wait([weak = weak_from_this(), arming = arming_](boost::system::error_code ec) {
        const auto self = weak.lock();
        if (!ec && self && self->arming_ == arming) self->expire();
    });
}

void Session::disarm() {
    ++arming_;
    has_timed_out_ = false;
    timer_.cancel();
}

Task<boost::system::error_code> Session::fill() {
    const std::size_t before = unread_.size();
    unread_.resize(before + kReadSize);
    const IoOutcome got = co_await transport_->read_some(asio::buffer(unread_.data() + before, kReadSize));
    unread_.resize(before + got.bytes);
    state_->counters.bytes_in.fetch_add(got.bytes, std::memory_order_relaxed);
    // A deadline that passes while bytes arrive does not lose them: only a failed read ends the wait.
    co_return got.bytes > 0 ? boost::system::error_code{} : got.ec;
}

Task<bool> Session::write_all(std::string bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
        // Per write, not for the whole: a slow client that takes bytes is served, one that takes none is cut.
        arm(state_->limits.idle_time);
        const IoOutcome out =
            co_await transport_->write_some(asio::buffer(bytes.data() + sent, bytes.size() - sent));
        disarm();
        if (out.ec) co_return false;
        sent += out.bytes;
        state_->counters.bytes_out.fetch_add(out.bytes, std::memory_order_relaxed);
    }
    co_return true;
}

Task<> Session::run() {
    const auto self = shared_from_this();
    if (origin_.tls) {
        auto& tls = static_cast<TlsTransport&>(*transport_);
        arm(state_->limits.header_time);
        const boost::system::error_code ec = co_await tls.handshake_as_server();
        if (ec) {
            state_->counters.handshakes_failed.fetch_add(1, std::memory_order_relaxed);
            take_openssl_error();
            transport_->close();
            disarm();
            co_return;
        }
        if (auto agent = origin_.tls->agent_caller(tls.native())) origin_.caller = std::move(*agent);
        origin_.tls.reset();
    }
    bool goes_on = co_await serve_one(true);
    while (goes_on) goes_on = co_await serve_one(false);
    disarm();
    if (transport_) transport_->close();
}

Task<bool> Session::read_head(RequestParser* parser, bool is_first) {
    bool is_waiting = unread_.empty() && !is_first;
    arm(is_waiting ? state_->limits.idle_time : state_->limits.header_time);
    while (true) {
        if (!unread_.empty()) {
            if (is_waiting) arm(state_->limits.header_time);
            is_waiting = false;
            const auto used = parser->feed(unread_);
            if (used.has_error()) {
                Served served;
                co_return co_await refuse(used.error(), &served);
            }
            unread_.erase(0, *used);
            if (parser->has_head()) break;
        }
        is_idle_ = unread_.empty() && !parser->has_begun();
        if (is_idle_ && is_stopping_) co_return false;
        const boost::system::error_code ec = co_await fill();
        const bool was_idle = std::exchange(is_idle_, false);
        if (!ec && !has_timed_out_) continue;
        if (!has_timed_out_ || was_idle) co_return false;
        Served served;
        const Error late{
            errc::timeout, "the request's header did not arrive in time", "send it without a pause"
        };
        co_return co_await refuse(late, &served);
    }
    disarm();
    co_return true;
}

Task<bool> Session::read_body(RequestParser* parser, Served* served) {
    auto [failed, admission] = co_await hop(start_hop(), admit_on_loop(state_, served->head.request));
    if (failed) co_return co_await refuse_with(failed_response(failed, served->request_id), served);
    if (admission.refusal) co_return co_await refuse_with(std::move(*admission.refusal), served);
    const std::size_t limit = admission.body_limit;
    const Error too_large{
        errc::body_too_large,
        "the body has more than the " + std::to_string(limit) + " bytes that " + served->head.request.path +
            " takes"
    };
    if (served->head.content_length.value_or(0) > limit) co_return co_await refuse(too_large, served);
    if (served->head.expects_continue && unread_.empty()) {
        const bool sent = co_await write_all("HTTP/1.1 100 Continue\r\n\r\n");
        if (!sent) co_return false;
    }
    parser->start_body(limit);
    arm(state_->limits.body_time);
    while (true) {
        const auto used = parser->feed(unread_);
        if (used.has_error()) {
            const bool is_size = used.error().code == errc::body_too_large;
            co_return co_await refuse(is_size ? too_large : used.error(), served);
        }
        unread_.erase(0, *used);
        if (parser->is_done()) break;
        const boost::system::error_code ec = co_await fill();
        if (!ec && !has_timed_out_) continue;
        if (!has_timed_out_) co_return false;
        co_return co_await refuse(Error{errc::timeout, "the request's body did not arrive in time"}, served);
    }
    disarm();
    served->head.request.body = parser->take_body();
    co_return true;
}

Task<bool> Session::serve_one(bool is_first) {
    RequestParser parser(state_->limits.header_bytes);
    const bool has_head = co_await read_head(&parser, is_first);
    if (!has_head) co_return false;
    Served served;
    served.begun = state_->runtime.boot();
    auto head = parser.take_head();
    if (head.has_error()) co_return co_await refuse(head.error(), &served);
    served.head = std::move(*head);
    Request& request = served.head.request;
    const std::string_view given = header_or_empty(request.headers, "X-Request-Id");
    served.request_id = is_request_id(given) ? std::string(given) : state_->next_request_id();
    request.request_id = served.request_id;
    request.caller = origin_.caller;
    request.remote = origin_.remote;
    const std::string accept_encoding(header_or_empty(request.headers, "Accept-Encoding"));
    served.context.request_id = served.request_id;
    served.context.accept_encoding = accept_encoding;
    served.context.gzip_from = state_->limits.gzip_from;
    served.context.is_head = served.head.is_head;
    served.context.is_http_1_0 = served.head.is_http_1_0;
    served.context.keep_alive = served.head.keep_alive;
    if (served.head.has_body) {
        const bool has_body = co_await read_body(&parser, &served);
        if (!has_body) co_return false;
    }
    if (served.head.is_websocket) co_return co_await serve_socket(&served);
    auto [failed, response] = co_await hop(start_hop(), answer_on_loop(state_, std::move(request)));
    if (failed) response = failed_response(failed, served.request_id);
    if (is_stopping_) served.context.keep_alive = false;
    if (response.stream) co_return co_await send_stream(std::move(response), &served);
    co_return co_await send(std::move(response), &served);
}

Task<bool> Session::send(Response response, Served* served) {
    const unsigned status = response.status;
    const bool sent = co_await write_all(serialise(std::move(response), served->context));
    count(*served, status);
    co_return sent && served->context.keep_alive;
}

Task<bool> Session::send_stream(Response response, Served* served) {
    // A stream ends its connection: the end of the client is watched for by reading, which would eat a next
    // request.
    served->context.keep_alive = false;
    const unsigned status = response.status;
    bool sent = co_await write_all(serialise_stream_head(response, served->context));
    if (sent && !served->context.is_head) {
        state_->counters.streams_open.fetch_add(1, std::memory_order_relaxed);
        is_streaming_ = true;
        watch_for_end();
        sent = co_await pump(response.stream, !served->context.is_http_1_0);
        is_streaming_ = false;
        state_->counters.streams_open.fetch_sub(1, std::memory_order_relaxed);
    }
    state_->release_on_loop(std::move(response.stream));
    count(*served, status);
    if (sent && transport_) transport_->shutdown_write();
    co_return false;
}

Task<bool> Session::pump(std::shared_ptr<BodyStream> stream, bool is_chunked) {
    while (!is_gone_ && !is_stopping_) {
        auto [failed, piece] = co_await hop(start_hop(), next_piece_on_loop(stream));
        if (failed && !is_cancellation(failed)) {
            // The client sees a body without its end; there is no status left to tell it by.
            Log("http").error("a streamed answer failed", {{"error", text_of(failed)}});
            state_->release_on_loop(std::move(stream));
            co_return false;
        }
        if (failed || !piece) break;
        if (piece->empty()) continue;
        const bool sent = co_await write_all(is_chunked ? chunk(*piece) : std::move(*piece));
        if (!sent) is_gone_ = true;
    }
    state_->release_on_loop(std::move(stream));
    if (is_gone_) co_return false;
    if (is_chunked) co_return co_await write_all(std::string(kLastChunk));
    co_return true;
}

void Session::watch_for_end() {
    if (!transport_) return;
    auto on_read = [self = shared_from_this()](boost::system::error_code ec, std::size_t bytes) {
        self->watched_bytes_ += bytes;
        if (ec) {
            self->is_gone_ = true;
            self->cancel_hop();
        } else if (self->watched_bytes_ < kMaxWatched) {
            self->watch_for_end();
        }
    };
    transport_->start_read(asio::buffer(watched_), IoHandler(std::move(on_read)));
}

Task<bool> Session::serve_socket(Served* served) {
    auto [failed, admission] = co_await hop(start_hop(), admit_socket_on_loop(state_, served->head.request));
    if (failed) co_return co_await send(failed_response(failed, served->request_id), served);
    if (admission.route == nullptr) co_return co_await send(std::move(admission.refusal), served);
    disarm();
    auto accepted = co_await accept_websocket(
        std::move(transport_), std::move(served->head), std::move(unread_), origin_.remote
    );
    count(*served, accepted.has_value() ? 101 : 400);
    if (accepted.has_error()) co_return false;
    socket_ = *accepted;
    if (is_stopping_) socket_->close();
    state_->counters.sockets_open.fetch_add(1, std::memory_order_relaxed);
    auto task = run_socket_on_loop(state_, admission.route, std::move(admission.request), socket_);
    co_await hop(start_hop(), std::move(task));
    state_->counters.sockets_open.fetch_sub(1, std::memory_order_relaxed);
    socket_->close();
    co_return false;
}

Task<bool> Session::refuse(Error error, Served* served) {
    if (served->request_id.empty()) served->request_id = state_->next_request_id();
    co_return co_await refuse_with(problem(error, served->request_id), served);
}

Task<bool> Session::refuse_with(Response response, Served* served) {
    if (served->begun == BootTime{}) served->begun = state_->runtime.boot();
    served->context.request_id = served->request_id;
    served->context.keep_alive = false;
    const bool is_late = response.status == 408;
    const unsigned status = response.status;
    const bool sent = co_await write_all(serialise(std::move(response), served->context));
    count(*served, status);
    if (sent && !is_late) co_await linger();
    co_return false;
}

Task<> Session::linger() {
    // Closing with unread bytes makes the kernel reset the connection, and the client might never see the
    // answer.
    const bool is_half_closed = transport_->shutdown_write();
    if (!is_half_closed && !transport_->is_tls()) co_return;
    std::size_t taken = unread_.size();
    unread_.clear();
    arm(kLinger);
    while (taken < kMaxLingered && !has_timed_out_ && !is_stopping_) {
        const boost::system::error_code ec = co_await fill();
        if (ec) break;
        taken += unread_.size();
        unread_.clear();
    }
    disarm();
}

void Session::count(const Served& served, unsigned status) {
    state_->counters.count_answer(status, state_->runtime.boot() - served.begun);
}

}  // namespace icos::http
