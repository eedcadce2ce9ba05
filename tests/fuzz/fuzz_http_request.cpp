// SPDX-License-Identifier: Apache-2.0
// A client's bytes against the server's session: parser, router, bodies, streams, WebSocket. The first byte
// says in pieces of which size they arrive.
#include "http/session.hpp"
#include "icos/core/log.hpp"
#include "icos/http/event_stream.hpp"
#include "manual_runtime.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

namespace icos::http {
namespace {

/// What the fuzzer found comes in, then the end; what goes out is kept.
class MemoryTransport final : public Transport {
public:
    MemoryTransport(
        boost::asio::any_io_executor executor, std::string in, std::size_t piece, std::string* out
    )
        : executor_(std::move(executor)), in_(std::move(in)), piece_(piece), out_(out) {}

    boost::asio::any_io_executor get_executor() override { return executor_; }
    void start_read(boost::asio::mutable_buffer into, IoHandler handler) override {
        const std::size_t take = is_closed_ ? 0 : std::min({into.size(), piece_, in_.size() - at_});
        std::memcpy(into.data(), in_.data() + at_, take);
        at_ += take;
        boost::system::error_code ec;
        if (take == 0 && into.size() > 0) ec = boost::asio::error::eof;
        boost::asio::post(executor_, [ec, take, held = std::move(handler)]() mutable { held(ec, take); });
    }
    void start_write(boost::asio::const_buffer from, IoHandler handler) override {
        if (!is_closed_) out_->append(static_cast<const char*>(from.data()), from.size());
        boost::system::error_code ec;
        if (is_closed_) ec = boost::asio::error::broken_pipe;
        const std::size_t size = is_closed_ ? 0 : from.size();
        boost::asio::post(executor_, [ec, size, held = std::move(handler)]() mutable { held(ec, size); });
    }
    void cancel() override {}
    void close() override { is_closed_ = true; }
    bool shutdown_write() override { return true; }
    bool is_quiet() override { return false; }
    bool is_tls() const override { return false; }

private:
    boost::asio::any_io_executor executor_;
    std::string in_;
    std::size_t at_ = 0;
    std::size_t piece_;
    std::string* out_;
    bool is_closed_ = false;
};

Task<Result<Response>> echo(Request request) {
    co_return Response::json(request.path + request.body);
}

Task<Result<Response>> stream(Runtime* runtime) {
    const auto events = std::make_shared<EventStream>(*runtime);
    events->push("a", "1", "b");
    events->end();
    co_return EventStream::response(events);
}

Task<> talk(std::unique_ptr<FrameStream> frames) {
    while (true) {
        auto frame = co_await frames->read();
        if (frame.has_error()) break;
        auto written = co_await frames->write(std::move(*frame));
        if (written.has_error()) break;
    }
}

void add_routes(Router& router, Runtime& runtime) {
    for (const Method method : {Method::get, Method::post, Method::put, Method::patch, Method::del}) {
        Route route;
        route.method = method;
        route.pattern = "/echo/{name}";
        route.access = Access::open;
        route.handler = [](Request request) { return echo(std::move(request)); };
        route.body_limit = 100;
        router.add(std::move(route));
    }
    Route events;
    events.pattern = "/events";
    events.access = Access::open;
    Runtime* raw = &runtime;
    events.handler = [raw](const Request&) { return stream(raw); };
    router.add(std::move(events));
    SocketRoute socket;
    socket.pattern = "/socket";
    socket.access = Access::open;
    socket.handler = [](const Request&, std::unique_ptr<FrameStream> frames) {
        return talk(std::move(frames));
    };
    router.add(std::move(socket));
}

void check(bool holds) {
    if (!holds) std::abort();
}

}  // namespace
}  // namespace icos::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace icos::http;
    if (size == 0) return 0;
    icos::configure_logging({.to_stderr = false});
    icos::test::ManualRuntime runtime;
    Router router;
    add_routes(router, runtime);
    Limits limits;
    limits.header_bytes = 1024;
    const auto state = std::make_shared<ServerState>(runtime, router, nullptr, limits, nullptr);
    std::string in(reinterpret_cast<const char*>(data + 1), size - 1);
    std::string out;
    const std::size_t piece = data[0] == 0 ? in.size() + 1 : data[0];
    serve_connection(
        state, std::make_unique<MemoryTransport>(runtime.loop(), std::move(in), piece, &out), Origin{}
    );
    runtime.run_until_idle();
    check(state->session_count() == 0);
    check(out.empty() || out.starts_with("HTTP/1.1 "));
    return 0;
}
