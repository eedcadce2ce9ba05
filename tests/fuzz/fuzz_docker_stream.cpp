// SPDX-License-Identifier: Apache-2.0
// The engine's streams: log demultiplexer, log lines and JSON splitter. The first byte chooses parser and
// piece size; the result must not depend on how the bytes are cut.
#include "agent/engine/json_splitter.hpp"
#include "agent/engine/log_lines.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace icos::agent;

namespace {

std::string demultiplexed(std::string_view bytes, std::size_t step) {
    LogDemultiplexer demultiplexer;
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        demultiplexer.feed(bytes.substr(at, step));
        while (true) {
            auto piece = demultiplexer.next();
            if (piece.has_error()) return out + "!";
            if (!piece->has_value()) break;
            for (const char c : (*piece)->bytes) out += {(*piece)->is_stderr ? 'e' : 'o', c};
        }
    }
    return out;
}

std::string lines(std::string_view bytes, std::size_t step, bool tty) {
    LogLines parser(tty);
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        const bool is_broken = parser.feed(bytes.substr(at, step)).has_error();
        while (auto line = parser.next())
            out += line->timestamp + "|" + line->text + (line->is_stderr ? "\ne" : "\no");
        if (is_broken) return out + "!";
    }
    parser.finish();
    while (auto line = parser.next())
        out += line->timestamp + "|" + line->text + (line->is_stderr ? "\ne" : "\no");
    return out;
}

std::string split(std::string_view bytes, std::size_t step) {
    JsonSplitter splitter;
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        splitter.feed(bytes.substr(at, step));
        while (true) {
            auto value = splitter.next();
            if (value.has_error()) return out + "!";
            if (!value->has_value()) break;
            out += boost::json::serialize(**value) + "\n";
        }
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t step = static_cast<std::size_t>(data[0] >> 2U) + 1;
    const std::size_t whole = std::max<std::size_t>(bytes.size(), 1);
    bool is_same = true;
    switch (data[0] & 3U) {
        case 0:
            is_same = demultiplexed(bytes, step) == demultiplexed(bytes, whole);
            break;
        case 1:
            is_same = split(bytes, step) == split(bytes, whole);
            break;
        case 2:
            is_same = lines(bytes, step, false) == lines(bytes, whole, false);
            break;
        default:
            is_same = lines(bytes, step, true) == lines(bytes, whole, true);
            break;
    }
    if (!is_same) std::abort();
    return 0;
}
