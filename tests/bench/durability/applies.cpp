// SPDX-License-Identifier: Apache-2.0
#include "applies.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <string_view>

namespace icos::bench {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using Socket = asio::local::stream_protocol::socket;

constexpr std::size_t kGenerations = 10;  // as many as the controller keeps

std::string request_text(std::size_t client, std::size_t number) {
    const std::string name = "bench-" + std::to_string(client) + "-" + std::to_string(number / kGenerations);
    const std::string body = "name: " + name +
                             "\ncomponents:\n  - name: web\n    type: docker\n    manifests: [{name: web}]\n"
                             "    requirements: {cpu: 0.1, memory: 16Mi}\n"
                             "manifests:\n  - name: web\n    manifest:\n      services:\n        web:\n"
                             "          image: busybox:1\n          command: [sleep, \"" +
                             std::to_string(1000 + number) + "\"]\n          environment: {ROLE: web}\n";
    return "PUT /api/v1/apps/" + name +
           " HTTP/1.1\r\nHost: bench\r\nContent-Type: application/yaml\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// The value of a header of an answer, lower or upper case as the server writes it.
std::size_t content_length(std::string_view head) {
    constexpr std::string_view kName = "Content-Length: ";
    const std::size_t at = head.find(kName);
    std::size_t length = 0;
    if (at == std::string_view::npos) throw std::runtime_error("an answer without Content-Length");
    std::from_chars(head.data() + at + kName.size(), head.data() + head.size(), length);
    return length;
}

asio::awaitable<void> client(const ApplyLoad& load, std::size_t number, std::vector<double>& latencies) {
    Socket socket(co_await asio::this_coro::executor);
    co_await socket.async_connect(load.socket, asio::use_awaitable);
    std::string answer;
    for (std::size_t i = 0; i < load.applies; ++i) {
        const std::string request = request_text(number, i);
        const auto begin = Clock::now();
        co_await asio::async_write(socket, asio::buffer(request), asio::use_awaitable);
        const std::size_t head = co_await asio::async_read_until(
            socket, asio::dynamic_buffer(answer), "\r\n\r\n", asio::use_awaitable
        );
        const std::string_view status = std::string_view(answer).substr(9, 3);
        if (status != "200" && status != "201") throw std::runtime_error(answer.substr(0, 400));
        const std::size_t whole = head + content_length(std::string_view(answer).substr(0, head));
        if (answer.size() < whole) {
            co_await asio::async_read(
                socket,
                asio::dynamic_buffer(answer),
                asio::transfer_exactly(whole - answer.size()),
                asio::use_awaitable
            );
        }
        answer.erase(0, whole);
        latencies.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    }
}

}  // namespace

ApplyFigures apply_all(const ApplyLoad& load) {
    asio::io_context loop(1);
    ApplyFigures figures;
    std::exception_ptr failure;
    const auto on_end = [&](std::exception_ptr error) {
        if (!error || failure) return;
        failure = error;
        loop.stop();
    };
    const auto begin = Clock::now();
    for (std::size_t i = 0; i < load.clients; ++i)
        asio::co_spawn(loop, client(load, i, figures.latencies_ms), on_end);
    loop.run();
    figures.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (failure) std::rethrow_exception(failure);
    std::sort(figures.latencies_ms.begin(), figures.latencies_ms.end());
    return figures;
}

}  // namespace icos::bench
