// SPDX-License-Identifier: Apache-2.0
#include "link/frame.hpp"

#include <catch2/catch.hpp>

using namespace icos::link;

TEST_CASE("a frame is read back as it was made", "[link][frame]") {
    const std::string bytes = make_frame(FrameType::data_end, 0x01020304, "payload");
    CHECK(bytes == std::string("\x01\x02\x00\x00\x01\x02\x03\x04payload", 15));
    const auto frame = parse_frame(bytes);

    REQUIRE(frame.has_value());
    CHECK(frame->type == FrameType::data_end);
    CHECK(frame->channel == 0x01020304);
    CHECK(frame->payload == "payload");
}

TEST_CASE("bytes that are no frame are refused with what is wrong", "[link][frame]") {
    CHECK(parse_frame("short").error().code == errc::protocol);
    CHECK(parse_frame(std::string(kMaxFrame + 1, '\1')).has_error());
    std::string bytes = make_frame(FrameType::data, 1, "x");
    bytes[0] = 9;
    CHECK(parse_frame(bytes).error().detail == "frame version 9 is not understood");
    bytes[0] = 0;
    CHECK(parse_frame(bytes).has_error());
    bytes[0] = 1;
    bytes[1] = 40;
    CHECK(parse_frame(bytes).error().detail == "frame type 40 does not exist");
    CHECK(parse_frame(make_frame(FrameType::credit, 1, "123")).has_error());
    CHECK(parse_frame(make_frame(FrameType::ping, 1, "123")).has_error());
}

TEST_CASE("a type of the next two versions is skipped, not an error", "[link][frame]") {
    std::string bytes = make_frame(FrameType::data, 1, "x");
    bytes[0] = 3;
    bytes[1] = 40;
    const auto frame = parse_frame(bytes);

    REQUIRE(frame.has_value());
    CHECK_FALSE(frame->known);
}
