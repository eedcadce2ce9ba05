// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/task.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace boost::asio::ssl {
class context;
}
using ssl_st_handle = struct ssl_st*;

namespace icos::http {

/// A completion handler `void(error_code, size_t)` whose type is erased, so that one compiled Beast or Asio
/// operation serves plain, TLS, Unix and in-memory streams. It runs on the executor of the stream that
/// completes it, which is the executor of every coroutine that uses the stream.
class IoHandler {
public:
    using cancellation_slot_type = boost::asio::cancellation_slot;

    template <class Handler>
    explicit IoHandler(Handler handler)
        : slot_(boost::asio::get_associated_cancellation_slot(handler)),
          held_(std::make_unique<Held<Handler>>(std::move(handler))) {}

    cancellation_slot_type get_cancellation_slot() const noexcept { return slot_; }
    void operator()(boost::system::error_code ec, std::size_t bytes) {
        const std::unique_ptr<Base> held = std::move(held_);
        held->complete(ec, bytes);
    }

private:
    struct Base {
        Base() = default;
        Base(const Base&) = delete;
        Base& operator=(const Base&) = delete;
        virtual ~Base() = default;
        virtual void complete(boost::system::error_code ec, std::size_t bytes) = 0;
    };
    template <class Handler>
    struct Held final : Base {
        explicit Held(Handler h) : handler(std::move(h)) {}
        void complete(boost::system::error_code ec, std::size_t bytes) override {
            // The handler may free what owns this object: it runs from the stack.
            Handler local = std::move(handler);
            std::move(local)(ec, bytes);
        }
        Handler handler;
    };

    cancellation_slot_type slot_;
    std::unique_ptr<Base> held_;
};

struct IoOutcome {
    boost::system::error_code ec;
    std::size_t bytes = 0;
};

/// A byte stream. One read and one write at a time, all on its executor.
class Transport {
public:
    virtual ~Transport() = default;
    virtual boost::asio::any_io_executor get_executor() = 0;
    virtual void start_read(boost::asio::mutable_buffer into, IoHandler handler) = 0;
    virtual void start_write(boost::asio::const_buffer from, IoHandler handler) = 0;
    /// Operations under way complete with operation_aborted; the stream stays usable.
    virtual void cancel() = 0;
    /// Ends both directions at once. Idempotent.
    virtual void close() = 0;
    /// Ends the write half. False where the stream cannot do that (TLS).
    virtual bool shutdown_write() = 0;
    /// Whether an idle connection is still good: open, and nothing to read (not even an end).
    virtual bool is_quiet() = 0;
    virtual bool is_tls() const = 0;

    Task<IoOutcome> read_some(boost::asio::mutable_buffer into);
    Task<IoOutcome> write_some(boost::asio::const_buffer from);
};

using StreamSocket = boost::asio::generic::stream_protocol::socket;

std::unique_ptr<Transport> make_plain_transport(StreamSocket socket);

/// TLS over a socket; call one of the handshakes first. The context may be let go of after construction.
class TlsTransport : public Transport {
public:
    virtual Task<boost::system::error_code> handshake_as_server() = 0;
    virtual Task<boost::system::error_code> handshake_as_client() = 0;
    virtual ssl_st_handle native() = 0;
};
std::unique_ptr<TlsTransport> make_tls_transport(
    StreamSocket socket, std::shared_ptr<boost::asio::ssl::context> context
);

}  // namespace icos::http
