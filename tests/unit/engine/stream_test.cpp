// SPDX-License-Identifier: Apache-2.0
#include "agent/engine/json_splitter.hpp"
#include "agent/engine/log_demultiplexer.hpp"
#include "agent/engine/log_lines.hpp"
#include "icos/agent/engine.hpp"

#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include <algorithm>

using namespace icos;
using namespace icos::agent;

namespace {

std::string frame(char stream, const std::string& text) {
    const auto size = static_cast<std::uint32_t>(text.size());
    std::string out{stream, 0, 0, 0};
    for (const unsigned shift : {24U, 16U, 8U, 0U}) out += static_cast<char>(size >> shift & 0xffU);
    return out + text;
}

/// Everything a demultiplexer makes of the bytes when they come in pieces of `step`.
std::pair<std::string, std::string> demultiplexed(const std::string& bytes, std::size_t step) {
    LogDemultiplexer demultiplexer;
    std::pair<std::string, std::string> out;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        demultiplexer.feed(std::string_view(bytes).substr(at, step));
        while (true) {
            auto piece = demultiplexer.next();
            REQUIRE(piece.has_value());
            if (!piece->has_value()) break;
            ((*piece)->is_stderr ? out.second : out.first) += (*piece)->bytes;
        }
    }
    CHECK(demultiplexer.at_boundary());
    return out;
}

std::vector<std::string> split(JsonSplitter& splitter, std::string_view bytes) {
    splitter.feed(bytes);
    std::vector<std::string> out;
    while (true) {
        auto value = splitter.next();
        REQUIRE(value.has_value());
        if (!value->has_value()) return out;
        out.push_back(boost::json::serialize(**value));
    }
}

std::vector<LogLine> lines_of(LogLines& lines) {
    std::vector<LogLine> out;
    while (auto line = lines.next()) out.push_back(std::move(*line));
    return out;
}

}  // namespace

TEST_CASE("frames come apart however the bytes arrive", "[engine][stream]") {
    const std::string bytes =
        frame(1, "one\n") + frame(2, "oops\n") + frame(1, "") + frame(1, std::string(300, 'x'));
    const std::size_t step = GENERATE(1U, 3U, 8U, 9U, 4096U);
    CAPTURE(step);

    const auto [out, err] = demultiplexed(bytes, step);

    CHECK(out == "one\n" + std::string(300, 'x'));
    CHECK(err == "oops\n");
}

TEST_CASE("bytes that are no frames are an error for good", "[engine][stream]") {
    LogDemultiplexer demultiplexer;
    demultiplexer.feed("plain text, no frame");

    const auto first = demultiplexer.next();
    demultiplexer.feed(frame(1, "x"));
    const auto second = demultiplexer.next();

    REQUIRE(first.has_error());
    CHECK(first.error().code == engine_errc::failed);
    CHECK(second.has_error());
}

TEST_CASE("a frame of 4 GiB needs no more memory than what came of it", "[engine][stream]") {
    LogDemultiplexer demultiplexer;
    demultiplexer.feed(std::string("\x01\0\0\0\xff\xff\xff\xff", 8) + "abc");

    const auto piece = demultiplexer.next();

    REQUIRE(piece.has_value());
    REQUIRE(piece->has_value());
    CHECK((*piece)->bytes == "abc");
    CHECK_FALSE((*piece)->ends_frame);
    CHECK_FALSE(demultiplexer.at_boundary());
}

TEST_CASE("JSON values come apart with and without blanks between them", "[engine][stream]") {
    JsonSplitter splitter;

    CHECK(split(splitter, "{\"a\":1}{\"b\":\"}{\"}\r\n\n").size() == 2);
    CHECK(split(splitter, "{\"c\":[1,").empty());
    CHECK_FALSE(splitter.at_boundary());
    CHECK(split(splitter, "2]}") == std::vector<std::string>{"{\"c\":[1,2]}"});
    CHECK(splitter.at_boundary());
}

TEST_CASE("text that is no JSON, and a value without end, are errors for good", "[engine][stream]") {
    JsonSplitter words;
    words.feed("404 page not found");
    JsonSplitter endless;
    endless.feed("{\"a\":\"" + std::string((1U << 20U) + 1, 'x'));

    auto bad = words.next();
    while (bad.has_value() && bad->has_value()) bad = words.next();
    CHECK(bad.has_error());
    words.feed("{}");
    CHECK(words.next().has_error());
    CHECK(endless.next().has_error());
}

TEST_CASE("log lines carry stream, time and text", "[engine][logs]") {
    LogLines lines(false);

    REQUIRE(lines
                .feed(
                    frame(1, "2026-11-24T04:03:31.123456789Z hello world\n") +
                    frame(2, "2026-11-24T04:03:32Z \n")
                )
                .has_value());

    const auto out = lines_of(lines);
    REQUIRE(out.size() == 2);
    CHECK_FALSE(out[0].is_stderr);
    CHECK(out[0].timestamp == "2026-11-24T04:03:31.123456789Z");
    CHECK(out[0].at_ms == 1795493011123);
    CHECK(out[0].text == "hello world");
    CHECK(out[1].is_stderr);
    CHECK(out[1].text.empty());
}

TEST_CASE("a line may span frames and a last one may lack its newline", "[engine][logs]") {
    LogLines lines(false);

    REQUIRE(lines.feed(frame(1, "2026-11-24T04:03:31Z first ")).has_value());
    REQUIRE(lines.feed(frame(2, "2026-11-24T04:03:31Z err\n") + frame(1, "half\n2026-11-24T04:03:33Z last"))
                .has_value());
    const auto before = lines_of(lines);
    lines.finish();
    const auto after = lines_of(lines);

    REQUIRE(before.size() == 2);
    CHECK(before[0].text == "err");
    CHECK(before[1].text == "first half");
    REQUIRE(after.size() == 1);
    CHECK(after[0].text == "last");
}

TEST_CASE("a terminal's stream is raw and its carriage returns are not text", "[engine][logs]") {
    LogLines lines(true);

    REQUIRE(lines.feed("2026-11-24T04:03:31Z a\r\n2026-11-24T04:03:32Z b\r\n").has_value());

    const auto out = lines_of(lines);
    REQUIRE(out.size() == 2);
    CHECK(out[0].text == "a");
    CHECK(out[1].text == "b");
}

TEST_CASE("a line without end comes in bounded parts with one time", "[engine][logs]") {
    LogLines lines(true);

    REQUIRE(lines.feed("2026-11-24T04:03:31Z " + std::string(200'000, 'x') + "\n2026-11-24T04:03:32Z y\n")
                .has_value());

    const auto out = lines_of(lines);
    REQUIRE(out.size() > 2);
    std::size_t total = 0;
    for (std::size_t i = 0; i + 1 < out.size(); ++i) {
        CHECK(out[i].text.size() <= (64U << 10U) + 40);
        CHECK(out[i].timestamp == "2026-11-24T04:03:31Z");
        total += out[i].text.size();
    }
    CHECK(total == 200'000);
    CHECK(out.back().timestamp == "2026-11-24T04:03:32Z");
    CHECK(out.back().text == "y");
}

TEST_CASE("text without a time is kept whole", "[engine][logs]") {
    LogLines lines(true);

    REQUIRE(lines.feed("no time here\n").has_value());

    const auto out = lines_of(lines);
    REQUIRE(out.size() == 1);
    CHECK(out[0].text == "no time here");
    CHECK(out[0].timestamp.empty());
}

TEST_CASE("the engine's times are read to the millisecond", "[engine][json]") {
    struct Row {
        std::string text;
        std::optional<std::int64_t> expected;
    };
    const Row row = GENERATE(values<Row>(
        {{"1970-01-01T00:00:00Z", 0},
         {"1970-01-01T00:00:01.5Z", 1500},
         {"1970-01-01T01:00:00.000999999+01:00", 0},
         {"1969-12-31T23:00:00-01:00", 0},
         {"0001-01-01T00:00:00Z", 0},
         {"2026-11-24T04:03:31.123456789Z", 1795493011123},
         {"2026-02-30T00:00:00Z", std::nullopt},
         {"2026-11-24T24:00:00Z", std::nullopt},
         {"2026-11-24", std::nullopt},
         {"2026-11-24T04:03:31", std::nullopt},
         {"2026-11-24T04:03:31Zx", std::nullopt},
         {"2026-11-24T04:03:31+0100", std::nullopt},
         {"", std::nullopt}}
    ));
    CAPTURE(row.text);

    CHECK(parse_engine_time(row.text) == row.expected);
}
