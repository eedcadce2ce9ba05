// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/async/signal.hpp"
#include "icos/http/message.hpp"
#include "icos/link/session.hpp"

#include <deque>
#include <memory>
#include <string>
#include <utility>

namespace icos::test {

/// What lies between the two ends of a pipe. Loop-confined.
struct FramePipeMiddle {
    explicit FramePipeMiddle(Runtime& runtime) : changed(runtime) {}

    bool silent = false;        ///< frames are swallowed, and neither end learns that the other closed
    std::size_t capacity = 64;  ///< frames under way per direction; writers wait beyond it
    std::uint64_t swallowed = 0;
    std::uint64_t passed[2] = {};   ///< frames per direction: [0] written by the first end
    std::deque<std::string> to[2];  ///< [0] for the first end
    bool closed[2] = {};
    Signal changed;
};

/// One end of a connection in memory that keeps messages whole.
class FramePipeEnd final : public http::FrameStream {
public:
    FramePipeEnd(std::shared_ptr<FramePipeMiddle> middle, std::size_t side, std::string peer)
        : middle_(std::move(middle)), side_(side), peer_(std::move(peer)) {}
    ~FramePipeEnd() override { FramePipeEnd::close(); }
    FramePipeEnd(const FramePipeEnd&) = delete;
    FramePipeEnd& operator=(const FramePipeEnd&) = delete;

    Task<Result<std::string>> read() override { return read(middle_, side_); }
    Task<Result<void>> write(std::string frame) override { return write(middle_, side_, std::move(frame)); }
    void close() override {
        if (middle_->closed[side_]) return;
        middle_->closed[side_] = true;
        middle_->changed.notify();
    }
    std::string remote() const override { return peer_; }

private:
    using Middle = std::shared_ptr<FramePipeMiddle>;
    static Error gone() { return Error{link::errc::closed, "the pipe is closed"}; }
    static bool is_over(const Middle& middle, std::size_t side) {
        return middle->closed[side] || (middle->closed[1 - side] && !middle->silent);
    }

    static Task<Result<std::string>> read(Middle middle, std::size_t side) {
        std::deque<std::string>& inbox = middle->to[side];
        while (inbox.empty() || middle->closed[side]) {
            if (is_over(middle, side)) co_return gone();
            co_await middle->changed.wait();
        }
        std::string frame = std::move(inbox.front());
        inbox.pop_front();
        middle->changed.notify();
        co_return frame;
    }

    static Task<Result<void>> write(Middle middle, std::size_t side, std::string frame) {
        std::deque<std::string>& outbox = middle->to[1 - side];
        while (!is_over(middle, side) && !middle->silent && outbox.size() >= middle->capacity)
            co_await middle->changed.wait();
        if (is_over(middle, side)) co_return gone();
        if (middle->silent) {
            ++middle->swallowed;
        } else {
            ++middle->passed[side];
            outbox.push_back(std::move(frame));
            middle->changed.notify();
        }
        co_return Result<void>();
    }

    Middle middle_;
    std::size_t side_;
    std::string peer_;
};

struct FramePipe {
    std::unique_ptr<http::FrameStream> first;
    std::unique_ptr<http::FrameStream> second;
    std::shared_ptr<FramePipeMiddle> middle;
};

/// Two ends of one connection. `first_remote` is what the first end says its peer is.
inline FramePipe make_frame_pipe(
    Runtime& runtime, std::string first_remote = "pipe:second", std::string second_remote = "pipe:first"
) {
    auto middle = std::make_shared<FramePipeMiddle>(runtime);
    return FramePipe{
        std::make_unique<FramePipeEnd>(middle, 0, std::move(first_remote)),
        std::make_unique<FramePipeEnd>(middle, 1, std::move(second_remote)),
        middle,
    };
}

}  // namespace icos::test
