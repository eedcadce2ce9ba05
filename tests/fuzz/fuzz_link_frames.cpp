// SPDX-License-Identifier: Apache-2.0
// A peer that sends anything: the first byte of each chunk is its length. A session must end or go on, never
// crash, and hold no more than its bounds.
#include "frame_pipe.hpp"
#include "icos/async/task_group.hpp"
#include "icos/link/session.hpp"
#include "manual_runtime.hpp"

#include <cstdint>
#include <cstdlib>

using namespace icos;

namespace {

Task<> run_session(std::shared_ptr<link::Session> session) {
    (void)co_await session->run();
}

Task<> drain(std::shared_ptr<link::Channel> channel) {
    while (true) {
        const Result<std::optional<std::string>> message = co_await channel->read();
        if (message.has_error() || !message->has_value()) co_return;
        if ((*message)->size() > link::kMaxMessage) std::abort();
        (void)co_await channel->write("seen");
    }
}

Task<> feed(http::FrameStream* peer, std::vector<std::string> frames) {
    for (std::string& frame : frames) {
        const Result<void> written = co_await peer->write(std::move(frame));
        if (written.has_error()) co_return;
    }
}

Task<> swallow(http::FrameStream* peer) {
    while (true) {
        const Result<std::string> frame = co_await peer->read();
        if (frame.has_error()) co_return;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::vector<std::string> frames;
    for (std::size_t at = 0; at < size && frames.size() < 200;) {
        const std::size_t length = std::min<std::size_t>(data[at], size - at - 1);
        frames.emplace_back(reinterpret_cast<const char*>(data + at + 1), length);
        at += 1 + length;
    }
    test::ManualRuntime runtime;
    test::FramePipe pipe = test::make_frame_pipe(runtime);
    TaskGroup tasks(runtime);
    const auto session = std::make_shared<link::Session>(
        runtime,
        std::move(pipe.first),
        link::Session::Side::accepting,
        [&](std::shared_ptr<link::Channel> channel) {
            if (channel->kind() != "logs") return false;
            tasks.spawn("drain", drain(std::move(channel)));
            return true;
        }
    );
    tasks.spawn("run", run_session(session));
    tasks.spawn("feed", feed(pipe.second.get(), std::move(frames)));
    tasks.spawn("swallow", swallow(pipe.second.get()));
    runtime.run_until_idle();
    runtime.advance(Duration(30'000));
    session->close();
    runtime.run_until_idle();
    return 0;
}
