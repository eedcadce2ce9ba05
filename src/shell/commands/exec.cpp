// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"
#include "icos/async/signal.hpp"
#include "icos/async/task_group.hpp"
#include "output/format.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <array>
#include <csignal>
#include <cstdio>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace icos::shell {
namespace {

constexpr auto kTuple = boost::asio::as_tuple(boost::asio::use_awaitable);

// First byte of a message, see icos/agent/protocol.hpp.
constexpr char kData = 0;
constexpr char kErrorData = 1;
constexpr char kResult = 2;
constexpr char kResize = 3;

/// The terminal in raw mode; restored when it goes.
class RawTerminal {
public:
    RawTerminal() {
        if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
        termios raw = before_;
        cfmakeraw(&raw);
        active_ = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    }
    ~RawTerminal() {
        if (active_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

private:
    termios before_{};
    bool active_ = false;
};

std::string resize_message() {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return {};
    const boost::json::object resize{{"resize", boost::json::array{size.ws_row, size.ws_col}}};
    return std::string(1, kResize) + boost::json::serialize(resize);
}

/// One writer: input, its end and resizes go through here in turn.
class Outbox {
public:
    Outbox(Runtime& runtime, http::FrameStream& stream) : ready_(runtime), stream_(stream) {}
    void put(std::string message) {
        queue_.push_back(std::move(message));
        ready_.notify();
    }
    std::size_t size() const { return queue_.size(); }
    Task<> run() {
        for (;;) {
            while (queue_.empty()) co_await ready_.wait();
            std::string message = std::move(queue_.front());
            queue_.erase(queue_.begin());
            const Result<void> written = co_await stream_.write(std::move(message));
            if (written.has_error()) co_return;  // the reader sees the same and reports it
        }
    }

private:
    std::vector<std::string> queue_;
    Signal ready_;
    http::FrameStream& stream_;
};

Task<> pump_input(Runtime& runtime, Outbox& outbox) {
    boost::asio::posix::stream_descriptor input(runtime.loop(), ::dup(STDIN_FILENO));
    std::array<char, 8192> buffer{};
    for (;;) {
        const auto [failed, size] = co_await input.async_read_some(boost::asio::buffer(buffer), kTuple);
        if (failed) {
            outbox.put(std::string(1, kData));  // an empty message ends the input
            co_return;
        }
        outbox.put(std::string(1, kData) + std::string(buffer.data(), size));
    }
}

Task<> pump_resizes(Runtime& runtime, Outbox& outbox) {
    boost::asio::signal_set changed(runtime.loop(), SIGWINCH);
    for (;;) {
        std::string message = resize_message();
        if (!message.empty()) outbox.put(std::move(message));
        const auto [failed, signal] = co_await changed.async_wait(kTuple);
        if (failed) co_return;
    }
}

void write_all(int file, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(file, bytes.data(), bytes.size());
        if (written <= 0) return;  // nobody reads what we print: as any program in a pipe
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

Task<int> read_output(http::FrameStream& stream) {
    for (;;) {
        const Result<std::string> message = co_await stream.read();
        if (message.has_error()) {
            std::fprintf(
                stderr,
                "error: the connection ended before the command did: %s\n",
                message.error().detail.c_str()
            );
            co_return kUnreachable;
        }
        if (message->empty()) continue;
        const std::string_view body = std::string_view(*message).substr(1);
        if (message->front() == kData) write_all(STDOUT_FILENO, body);
        if (message->front() == kErrorData) write_all(STDERR_FILENO, body);
        if (message->front() != kResult) continue;
        const boost::json::value result = boost::json::parse(body);
        if (const auto* error = result.as_object().if_contains("error")) {
            std::fprintf(
                stderr, "error: %s [%s]\n", text_of(*error, "detail").c_str(), text_of(*error, "code").c_str()
            );
            if (!text_of(*error, "hint").empty())
                std::fprintf(stderr, "  %s\n", text_of(*error, "hint").c_str());
            co_return kRefused;
        }
        co_return static_cast<int>(integer_of(result, "exit_code"));
    }
}

}  // namespace

Task<int> exec(Context& context, ExecOptions options) {
    const std::size_t slash = options.target.find('/');
    if (slash == std::string::npos) {
        std::fprintf(stderr, "error: exec needs APP/COMPONENT, got \"%s\"\n", options.target.c_str());
        co_return kUsage;
    }
    boost::json::array command;
    for (const std::string& word : options.command) command.emplace_back(word);
    std::string target = "/api/v1/apps/" + http::percent_encode(options.target.substr(0, slash)) +
                         "/exec?component=" + http::percent_encode(options.target.substr(slash + 1)) +
                         "&replica=" + std::to_string(options.replica) +
                         "&command=" + http::percent_encode(boost::json::serialize(command));
    if (!options.service.empty()) target += "&service=" + http::percent_encode(options.service);
    if (options.tty) target += "&tty";
    if (options.interactive) target += "&interactive";

    Result<std::unique_ptr<http::FrameStream>> stream =
        co_await context.api.websocket(context.in_project(std::move(target)));
    if (stream.has_error()) co_return report(stream.error());

    TaskGroup tasks(context.runtime);
    Outbox outbox(context.runtime, **stream);
    tasks.spawn("exec.write", outbox.run());
    std::optional<RawTerminal> raw;
    if (options.interactive) tasks.spawn("exec.input", pump_input(context.runtime, outbox));
    if (options.tty) {
        if (isatty(STDIN_FILENO) != 0) raw.emplace();
        tasks.spawn("exec.resize", pump_resizes(context.runtime, outbox));
    }
    const int code = co_await read_output(**stream);
    raw.reset();
    (*stream)->close();
    co_await tasks.stop(Duration{1000});
    co_return code;
}

}  // namespace icos::shell
