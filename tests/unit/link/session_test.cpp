// SPDX-License-Identifier: Apache-2.0
#include "icos/link/session.hpp"

#include "frame_pipe.hpp"
#include "icos/async/task_group.hpp"
#include "link/frame.hpp"
#include "manual_runtime.hpp"
#include "run_task.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace icos;
using namespace icos::link;
using namespace icos::test;

namespace {

Task<> run_session(Session* session, std::optional<Error>* ended) {
    *ended = co_await session->run();
}

/// Two sessions over a pipe; channels that the first opens arrive in `arrived` unless their kind is
/// "unknown".
struct Pair {
    Pair() {
        FramePipe pipe = make_frame_pipe(runtime);
        middle = pipe.middle;
        first = std::make_unique<Session>(
            runtime, std::move(pipe.first), Session::Side::dialling, Session::OnChannel()
        );
        second = std::make_unique<Session>(
            runtime,
            std::move(pipe.second),
            Session::Side::accepting,
            [this](std::shared_ptr<Channel> channel) {
                if (channel->kind() == "unknown") return false;
                arrived.push_back(std::move(channel));
                return true;
            }
        );
        tasks.spawn("first", run_session(first.get(), &first_ended));
        tasks.spawn("second", run_session(second.get(), &second_ended));
        runtime.run_until_idle();
    }
    ~Pair() {
        arrived.clear();
        first->close();
        second->close();
        runtime.run_until_idle();
    }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;

    ManualRuntime runtime;
    std::shared_ptr<FramePipeMiddle> middle;
    std::unique_ptr<Session> first;
    std::unique_ptr<Session> second;
    std::optional<Error> first_ended;
    std::optional<Error> second_ended;
    std::vector<std::shared_ptr<Channel>> arrived;
    TaskGroup tasks{runtime};
};

struct Written {
    int done = 0;
    std::optional<Error> error;
};

Task<> write_to(Channel* channel, std::string message, Written* out) {
    const Result<void> written = co_await channel->write(std::move(message));
    if (written.has_error())
        out->error = written.error();
    else
        ++out->done;
}

Task<> write_empty(std::shared_ptr<Channel> channel, std::uint32_t count, Written* out) {
    for (std::uint32_t i = 0; i < count && !out->error; ++i) co_await write_to(channel.get(), "", out);
}

Result<std::optional<std::string>> read(Pair& pair, Channel& channel) {
    return run(pair.runtime, channel.read());
}

/// The raw end of a connection, to break rules with.
struct Raw {
    Raw() {
        FramePipe pipe = make_frame_pipe(runtime);
        peer = std::move(pipe.second);
        session = std::make_unique<Session>(
            runtime,
            std::move(pipe.first),
            Session::Side::accepting,
            [this](std::shared_ptr<Channel> channel) {
                channels.push_back(std::move(channel));
                return true;
            }
        );
        tasks.spawn("session", run_session(session.get(), &ended));
    }
    ~Raw() {
        channels.clear();
        session->close();
        runtime.run_until_idle();
    }
    Raw(const Raw&) = delete;
    Raw& operator=(const Raw&) = delete;
    void send(const std::string& frame) {
        (void)run(runtime, peer->write(frame));
        runtime.run_until_idle();
    }
    ManualRuntime runtime;
    std::unique_ptr<http::FrameStream> peer;
    std::unique_ptr<Session> session;
    std::vector<std::shared_ptr<Channel>> channels;
    std::optional<Error> ended;
    TaskGroup tasks{runtime};
};

}  // namespace

TEST_CASE("control messages pass both ways in order", "[link][session]") {
    Pair pair;
    Written written;
    for (int i = 0; i < 3; ++i)
        pair.tasks.spawn("w", write_to(&pair.first->control(), "m" + std::to_string(i), &written));
    pair.tasks.spawn("w", write_to(&pair.second->control(), "back", &written));

    for (int i = 0; i < 3; ++i) CHECK(**read(pair, pair.second->control()) == "m" + std::to_string(i));
    CHECK(**read(pair, pair.first->control()) == "back");
    CHECK(written.done == 4);
}

TEST_CASE("a message of the largest size is put together again; a larger one is refused", "[link][session]") {
    Pair pair;
    auto channel = pair.first->open("bulk", "{}");
    Written written;
    std::string big(kMaxMessage, 'x');
    big[12'345'678] = 'y';
    pair.tasks.spawn("w", write_to(channel.get(), big, &written));
    pair.runtime.run_until_idle();

    REQUIRE(pair.arrived.size() == 1);
    const auto message = read(pair, *pair.arrived[0]);
    REQUIRE(message.has_value());
    CHECK(**message == big);

    pair.tasks.spawn("w", write_to(channel.get(), big + "z", &written));
    pair.runtime.run_until_idle();
    REQUIRE(written.error);
    CHECK(written.error->code == link::errc::too_large);
}

TEST_CASE("a writer waits for a reader that does not read, and others are not held up", "[link][session]") {
    Pair pair;
    auto slow = pair.first->open("slow", "{}");
    auto quick = pair.first->open("quick", "{}");
    Written stuck;
    Written fine;
    for (int i = 0; i < 20; ++i)
        pair.tasks.spawn("w", write_to(slow.get(), std::string(64'000, 's'), &stuck));
    pair.runtime.run_until_idle();
    CHECK(stuck.done >= 3);
    CHECK(stuck.done <= 5);

    pair.tasks.spawn("w", write_to(quick.get(), "hello", &fine));
    pair.tasks.spawn("w", write_to(&pair.first->control(), "control", &fine));
    pair.runtime.run_until_idle();
    CHECK(fine.done == 2);

    for (int i = 0; i < 20; ++i) CHECK((*read(pair, *pair.arrived[0]))->size() == 64'000);
    CHECK(stuck.done == 20);
}

TEST_CASE(
    "a connection that takes one frame at a time gets control first, then the channels in turn",
    "[link][session]"
) {
    ManualRuntime runtime;
    FramePipe pipe = make_frame_pipe(runtime);
    pipe.middle->capacity = 1;
    Session session(runtime, std::move(pipe.first), Session::Side::dialling, Session::OnChannel());
    std::optional<Error> ended;
    TaskGroup tasks(runtime);
    tasks.spawn("run", run_session(&session, &ended));
    auto a = session.open("a", "{}");
    auto b = session.open("b", "{}");
    Written written;
    tasks.spawn("w", write_to(a.get(), std::string(3 * kMaxPayload, 'a'), &written));
    tasks.spawn("w", write_to(b.get(), std::string(3 * kMaxPayload, 'b'), &written));
    runtime.run_until_idle();
    tasks.spawn("w", write_to(&session.control(), "c", &written));
    runtime.run_until_idle();

    std::string order;
    for (int i = 0; i < 9; ++i) {
        const std::string frame = *run(runtime, pipe.second->read());
        const FrameView view = *parse_frame(frame);
        order += view.type == FrameType::open ? 'o' : view.payload[0];
    }
    CHECK(order.substr(0, 2) == "oo");
    CHECK(order.find('c') <= 4);
    std::string turns = order.substr(2);
    std::erase(turns, 'c');
    CHECK((turns == "ababab" || turns == "bababa"));
    session.close();
    runtime.run_until_idle();
}

TEST_CASE("empty messages cost credit as well", "[link][session]") {
    Written written;
    Pair pair;
    auto channel = pair.first->open("ticks", "{}");
    pair.tasks.spawn("w", write_empty(channel, kInitialCredit / kHeader + 50, &written));
    pair.runtime.run_until_idle();

    CHECK(written.done == static_cast<int>(kInitialCredit / kHeader));
}

TEST_CASE("finish ends one direction, and both together the channel", "[link][session]") {
    Pair pair;
    auto channel = pair.first->open("talk", R"({"a":1})");
    Written written;
    pair.tasks.spawn("w", write_to(channel.get(), "question", &written));
    pair.runtime.run_until_idle();
    channel->finish();
    REQUIRE(pair.arrived.size() == 1);
    Channel& other = *pair.arrived[0];
    CHECK(other.kind() == "talk");
    CHECK(other.arguments() == R"({"a":1})");
    CHECK(**read(pair, other) == "question");
    CHECK_FALSE((*read(pair, other)).has_value());

    pair.tasks.spawn("w", write_to(&other, "answer", &written));
    pair.runtime.run_until_idle();
    other.finish();
    CHECK(**read(pair, *channel) == "answer");
    CHECK_FALSE((*read(pair, *channel)).has_value());
    pair.tasks.spawn("w", write_to(channel.get(), "late", &written));
    pair.runtime.run_until_idle();
    REQUIRE(written.error);
    CHECK(written.error->code == link::errc::closed);
}

TEST_CASE(
    "a reset reaches the other side with its reason, what arrived before is still read", "[link][session]"
) {
    Pair pair;
    auto channel = pair.first->open("talk", "{}");
    Written written;
    pair.tasks.spawn("w", write_to(channel.get(), "first", &written));
    pair.runtime.run_until_idle();
    channel->reset("the container is gone");
    pair.runtime.run_until_idle();

    CHECK(**read(pair, *pair.arrived[0]) == "first");
    const auto end = read(pair, *pair.arrived[0]);
    REQUIRE(end.has_error());
    CHECK(end.error().code == link::errc::reset);
    CHECK(end.error().detail == "the container is gone");
    CHECK_FALSE(pair.second_ended);
}

TEST_CASE("an unknown kind is refused, and the session goes on", "[link][session]") {
    Pair pair;
    auto channel = pair.first->open("unknown", "{}");
    const auto answer = read(pair, *channel);

    REQUIRE(answer.has_error());
    CHECK(answer.error().code == link::errc::refused);
    CHECK_FALSE(pair.first_ended);
    CHECK(run(pair.runtime, pair.first->ping(Duration(1'000))));
}

TEST_CASE("letting a channel go tells the other side", "[link][session]") {
    Pair pair;
    auto channel = pair.first->open("talk", "{}");
    pair.runtime.run_until_idle();
    channel.reset();
    pair.runtime.run_until_idle();

    CHECK(read(pair, *pair.arrived[0]).error().code == link::errc::reset);
}

TEST_CASE("an idle session is kept alive and knows its round trip", "[link][session]") {
    Pair pair;
    pair.runtime.advance(std::chrono::minutes(10));

    CHECK_FALSE(pair.first_ended);
    CHECK_FALSE(pair.second_ended);
    CHECK(pair.first->round_trip().has_value());
    CHECK(pair.first->counters().frames_out < 400);
}

TEST_CASE("a peer that falls silent is dead after 15 s", "[link][session]") {
    Pair pair;
    pair.middle->silent = true;
    pair.runtime.advance(Duration(14'000));
    CHECK_FALSE(pair.first_ended);
    CHECK_FALSE(run(pair.runtime, pair.first->ping(Duration(500))));
    pair.runtime.advance(Duration(6'000));

    REQUIRE(pair.first_ended);
    CHECK(pair.first_ended->code == link::errc::timed_out);
}

TEST_CASE("when the connection ends, readers and writers end with it", "[link][session]") {
    Pair pair;
    auto channel = pair.first->open("talk", "{}");
    Written written;
    Written first;
    pair.tasks.spawn("w", write_to(channel.get(), std::string(1'000'000, 'x'), &first));
    pair.runtime.run_until_idle();
    pair.tasks.spawn("w", write_to(channel.get(), std::string(1'000'000, 'x'), &written));
    pair.runtime.run_until_idle();
    pair.second->close();
    pair.runtime.run_until_idle();

    CHECK(pair.first_ended);
    CHECK(written.error);
    CHECK(read(pair, *channel).has_error());
    CHECK(read(pair, pair.first->control()).has_error());
    CHECK(read(pair, *pair.first->open("more", "{}")).has_error());
    CHECK_FALSE(run(pair.runtime, pair.first->ping(Duration(1'000))));
}

TEST_CASE("a peer that breaks the rules ends the session with the rule", "[link][session]") {
    const auto ends = [](const std::vector<std::string>& frames) {
        Raw raw;
        for (const std::string& frame : frames) raw.send(frame);
        return raw.ended ? raw.ended->detail : std::string("goes on");
    };
    const std::string open = make_frame(FrameType::open, 1, std::string("logs\0{}", 7));
    CHECK(ends({"x"}) == "a frame of 1 bytes has no header");
    CHECK(
        ends({make_frame(FrameType::open, 2, std::string("logs\0{}", 7))}) ==
        "channel id 2 is not the other side's next"
    );
    CHECK(ends({open, open}) == "channel id 1 is not the other side's next");
    CHECK(ends({make_frame(FrameType::open, 1, "no nul")}) == "an open frame without arguments");
    CHECK(ends({make_frame(FrameType::pong, 0, std::string(8, '\1'))}) == "a pong that answers no ping");
    CHECK(
        ends({open, make_frame(FrameType::finish, 1, ""), make_frame(FrameType::data, 1, "x")}) ==
        "data after the channel's end"
    );
    CHECK(ends({make_frame(FrameType::reset, 0, "")}) == "the other side ended the control channel");
    const std::string plenty = make_credit(1, 1U << 30U);
    CHECK(ends({open, plenty, plenty}) == "more credit than any message needs");
    std::vector<std::string> flood{open};
    for (int i = 0; i < 17; ++i)
        flood.push_back(make_frame(FrameType::data_end, 1, std::string(kMaxPayload, 'x')));
    CHECK(ends(flood) == "channel 1 ('logs') exceeded its credit");
}

TEST_CASE("frames of channels that ended here are skipped", "[link][session]") {
    Raw raw;
    raw.send(make_frame(FrameType::data_end, 77, "late"));
    raw.send(make_frame(FrameType::reset, 77, "late"));
    raw.send(make_credit(77, 5));

    CHECK_FALSE(raw.ended);
}

TEST_CASE("a peer cannot hold more than a bounded number of channels", "[link][session]") {
    Raw raw;
    for (std::uint32_t i = 0; i < 300; ++i)
        raw.send(make_frame(FrameType::open, 2 * i + 1, std::string("logs\0{}", 7)));
    CHECK(raw.channels.size() == 256);
    CHECK_FALSE(raw.ended);
}

TEST_CASE("destroying a session with work under way leaves nothing waiting", "[link][session]") {
    ManualRuntime runtime;
    FramePipe pipe = make_frame_pipe(runtime);
    std::optional<Error> ended;
    TaskGroup tasks(runtime);
    auto session = std::make_unique<Session>(
        runtime, std::move(pipe.first), Session::Side::dialling, Session::OnChannel()
    );
    tasks.spawn("run", run_session(session.get(), &ended));
    auto channel = session->open("talk", "{}");
    Written written;
    tasks.spawn("w", write_to(channel.get(), std::string(2'000'000, 'x'), &written));
    runtime.run_until_idle();

    session.reset();
    runtime.run_until_idle();

    REQUIRE(ended);
    CHECK(ended->code == link::errc::closed);
    CHECK(written.error);
    CHECK(tasks.size() == 0);
}
