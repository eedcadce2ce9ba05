// SPDX-License-Identifier: Apache-2.0
#include "icos/http/client.hpp"

#include "http/client_connection.hpp"
#include "http/websocket.hpp"
#include "icos/http/router.hpp"

#include <boost/asio/error.hpp>

namespace icos::http {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kMaxBody = 64U << 20U;
constexpr std::size_t kReadSize = 16U << 10U;

/// One request on one connection and its answer.
struct Exchange {
    Exchange(std::shared_ptr<Connector> c, bool expects_upgrade)
        : connector(std::move(c)), parser(expects_upgrade, false) {}

    std::shared_ptr<Connector> connector;
    std::unique_ptr<Transport> transport;
    ResponseParser parser;
    std::string unread;

    Task<boost::system::error_code> fill() {
        const std::size_t before = unread.size();
        unread.resize(before + kReadSize);
        const IoOutcome got = co_await transport->read_some(asio::buffer(unread.data() + before, kReadSize));
        unread.resize(before + got.bytes);
        co_return got.bytes > 0 ? boost::system::error_code{} : got.ec;
    }

    Result<void> parse() {
        const auto used = parser.feed(unread);
        if (used.has_error()) return used.error();
        unread.erase(0, *used);
        return {};
    }

    /// Gives the connection to the next request if its state allows that.
    void finish() {
        if (!transport) return;
        const bool is_reusable =
            parser.is_done() && parser.keeps_alive() && !parser.is_raw() && unread.empty();
        if (is_reusable) {
            connector->give_back(std::move(transport));
        } else {
            transport->close();
            transport.reset();
        }
    }
};

bool is_repeatable(Method method) {
    return method == Method::get || method == Method::put || method == Method::del;
}

/// Sends the request and reads the answer's head. `is_stale` says that a kept connection turned out to be
/// dead before anything came back.
Task<Result<void>> send_and_read_head(
    Exchange* exchange, const std::string* bytes, Deadline* deadline, bool* is_stale
) {
    *is_stale = false;
    Transport* transport = exchange->transport.get();
    deadline->on_end([transport] { transport->close(); });
    std::size_t sent = 0;
    boost::system::error_code write_error;
    while (sent < bytes->size() && !write_error) {
        const IoOutcome out =
            co_await transport->write_some(asio::buffer(bytes->data() + sent, bytes->size() - sent));
        sent += out.bytes;
        write_error = out.ec;
    }
    if (write_error == asio::error::operation_aborted)
        co_return exchange->connector->failure(write_error, deadline);
    // Even if writing failed: a server that refuses a body answers and closes without reading it.
    while (!exchange->parser.has_head()) {
        const boost::system::error_code ec = co_await exchange->fill();
        if (ec) {
            *is_stale = !exchange->parser.has_begun() && !deadline->has_passed() &&
                        ec != asio::error::operation_aborted;
            co_return exchange->connector->failure(ec, deadline);
        }
        auto parsed = exchange->parse();
        if (parsed.has_error()) co_return parsed.error();
    }
    co_return Result<void>();
}

Task<Result<std::unique_ptr<Exchange>>> begin(
    std::shared_ptr<Connector> connector, std::shared_ptr<const ClientRequest> request, Deadline* deadline
) {
    const std::string bytes = serialise_request(*request, connector->endpoint());
    const bool expects_upgrade = request->headers.contains("Upgrade");
    auto exchange = std::make_unique<Exchange>(connector, expects_upgrade);
    exchange->transport = connector->take_idle();
    if (exchange->transport) {
        bool is_stale = false;
        auto outcome = co_await send_and_read_head(exchange.get(), &bytes, deadline, &is_stale);
        deadline->clear();
        if (outcome.has_value()) co_return std::move(exchange);
        if (!is_stale || !is_repeatable(request->method)) co_return outcome.error();
        exchange = std::make_unique<Exchange>(connector, expects_upgrade);
    }
    auto connected = co_await Connector::connect(connector, deadline);
    if (connected.has_error()) co_return connected.error();
    exchange->transport = std::move(*connected);
    bool ignored = false;
    auto outcome = co_await send_and_read_head(exchange.get(), &bytes, deadline, &ignored);
    deadline->clear();
    if (outcome.has_error()) co_return outcome.error();
    co_return std::move(exchange);
}

class ExchangeStream final : public ClientStream {
public:
    explicit ExchangeStream(std::unique_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {
        status = exchange_->parser.status();
        headers = exchange_->parser.headers();
    }
    ExchangeStream(const ExchangeStream&) = delete;
    ExchangeStream& operator=(const ExchangeStream&) = delete;
    ~ExchangeStream() override { exchange_->finish(); }

    Task<Result<std::optional<std::string>>> next() override {
        if (exchange_->parser.is_raw()) co_return co_await next_raw();
        while (true) {
            std::string piece = exchange_->parser.take_piece();
            if (!piece.empty()) co_return std::optional<std::string>(std::move(piece));
            if (exchange_->parser.is_done()) {
                exchange_->finish();
                co_return std::optional<std::string>();
            }
            if (is_closed_) co_return closed();
            if (exchange_->unread.empty() || !has_progress_) {
                const boost::system::error_code ec = co_await exchange_->fill();
                if (is_closed_) co_return closed();
                if (ec == asio::error::eof) {
                    auto ended = exchange_->parser.feed_end();
                    if (ended.has_error()) co_return ended.error();
                    continue;
                }
                if (ec) co_return exchange_->connector->failure(ec, nullptr);
            }
            const std::size_t before = exchange_->unread.size();
            auto parsed = exchange_->parse();
            if (parsed.has_error()) co_return parsed.error();
            has_progress_ = exchange_->unread.size() != before;
        }
    }

    Task<Result<void>> write(std::string bytes) override {
        if (!exchange_->parser.is_raw())
            co_return Error{icos::errc::invalid, "this connection still speaks HTTP"};
        std::size_t sent = 0;
        while (sent < bytes.size()) {
            if (is_closed_) co_return closed();
            const IoOutcome out = co_await exchange_->transport->write_some(
                asio::buffer(bytes.data() + sent, bytes.size() - sent)
            );
            if (is_closed_) co_return closed();
            if (out.ec) co_return exchange_->connector->failure(out.ec, nullptr);
            sent += out.bytes;
        }
        co_return Result<void>();
    }

    Result<void> shutdown_write() override {
        const bool is_raw = exchange_->parser.is_raw() && exchange_->transport && !is_closed_;
        if (is_raw && exchange_->transport->shutdown_write()) return {};
        return Error{icos::errc::invalid, "this connection has no write half to end"};
    }

    void close() override {
        is_closed_ = true;
        if (exchange_->transport) exchange_->transport->close();
    }

private:
    Error closed() const {
        return Error{errc::closed, "the connection with " + exchange_->connector->where() + " was closed"};
    }

    Task<Result<std::optional<std::string>>> next_raw() {
        if (is_closed_) co_return closed();
        if (exchange_->unread.empty()) {
            const boost::system::error_code ec = co_await exchange_->fill();
            if (is_closed_) co_return closed();
            if (ec == asio::error::eof) co_return std::optional<std::string>();
            if (ec) co_return exchange_->connector->failure(ec, nullptr);
        }
        std::string piece;
        piece.swap(exchange_->unread);
        co_return std::optional<std::string>(std::move(piece));
    }

    std::unique_ptr<Exchange> exchange_;
    bool is_closed_ = false;
    bool has_progress_ = true;
};

Task<Result<ClientResponse>> run_send(
    std::shared_ptr<Connector> connector, std::shared_ptr<const ClientRequest> request, Duration limit
) {
    Deadline deadline(connector->runtime(), limit);
    auto begun = co_await begin(connector, request, &deadline);
    if (begun.has_error()) co_return begun.error();
    const std::unique_ptr<Exchange> exchange = std::move(*begun);
    ClientResponse response;
    response.status = exchange->parser.status();
    response.headers = exchange->parser.headers();
    Transport* transport = exchange->transport.get();
    deadline.on_end([transport] { transport->close(); });
    while (true) {
        auto parsed = exchange->parse();
        if (parsed.has_error()) co_return parsed.error();
        if (exchange->parser.piece_size() > kMaxBody) {
            transport->close();
            co_return Error{
                errc::bad_response,
                "the answer of " + connector->where() + " has more than " + std::to_string(kMaxBody >> 20U) +
                    " MiB"
            };
        }
        if (exchange->parser.is_done()) break;
        const boost::system::error_code ec = co_await exchange->fill();
        if (!ec) continue;
        if (ec != asio::error::eof || deadline.has_passed()) co_return connector->failure(ec, &deadline);
        auto ended = exchange->parser.feed_end();
        if (ended.has_error()) co_return ended.error();
        break;
    }
    deadline.clear();
    response.body = exchange->parser.take_piece();
    exchange->finish();
    co_return response;
}

Task<Result<std::unique_ptr<ClientStream>>> run_stream(
    std::shared_ptr<Connector> connector, std::shared_ptr<const ClientRequest> request, Duration limit
) {
    Deadline deadline(connector->runtime(), limit);
    auto begun = co_await begin(connector, request, &deadline);
    if (begun.has_error()) co_return begun.error();
    co_return std::unique_ptr<ClientStream>(std::make_unique<ExchangeStream>(std::move(*begun)));
}

Task<Result<std::unique_ptr<FrameStream>>> run_websocket(
    std::shared_ptr<Connector> connector, std::string target, Headers headers, Duration limit
) {
    Deadline deadline(connector->runtime(), limit);
    auto connected = co_await Connector::connect(connector, &deadline);
    if (connected.has_error()) co_return connected.error();
    auto core = co_await dial_websocket(
        std::move(*connected),
        host_of(connector->endpoint()),
        std::move(target),
        std::move(headers),
        connector->where(),
        deadline.left()
    );
    if (core.has_error()) co_return core.error();
    co_return open_frames(std::move(*core), connector->runtime().loop());
}

}  // namespace

struct Client::Impl {
    std::shared_ptr<Connector> connector;
};

Client::Client(Runtime& runtime, Endpoint endpoint) : impl_(std::make_shared<Impl>()) {
    impl_->connector = std::make_shared<Connector>(runtime, std::move(endpoint));
}

Client::~Client() = default;

Task<Result<ClientResponse>> Client::send(ClientRequest request, Duration deadline) {
    return run_send(impl_->connector, std::make_shared<const ClientRequest>(std::move(request)), deadline);
}

Task<Result<std::unique_ptr<ClientStream>>> Client::stream(ClientRequest request, Duration header_deadline) {
    return run_stream(
        impl_->connector, std::make_shared<const ClientRequest>(std::move(request)), header_deadline
    );
}

Task<Result<std::unique_ptr<FrameStream>>> Client::websocket(
    std::string target, Headers headers, Duration deadline
) {
    return run_websocket(impl_->connector, std::move(target), std::move(headers), deadline);
}

const Endpoint& Client::endpoint() const noexcept {
    return impl_->connector->endpoint();
}

}  // namespace icos::http
