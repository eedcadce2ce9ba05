// SPDX-License-Identifier: Apache-2.0
#include "agent/engine/pull_progress.hpp"

#include "agent/engine/engine_error.hpp"

#include <algorithm>

namespace icos::agent {
namespace {

std::string_view text(const boost::json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string_view(value->as_string()) : std::string_view();
}

std::uint64_t number(const boost::json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    if (value == nullptr || !value->is_number()) return 0;
    boost::system::error_code ec;
    const auto out = value->to_number<std::uint64_t>(ec);
    return ec ? 0 : out;
}

}  // namespace

Result<void> PullTally::line(const boost::json::value& line, const std::string& image) {
    const auto* object = line.if_object();
    if (object == nullptr) return {};
    std::string_view words = text(*object, "error");
    if (const auto* detail = object->if_contains("errorDetail"); detail != nullptr && detail->is_object()) {
        if (const auto more = text(detail->as_object(), "message"); !more.empty()) words = more;
    }
    if (!words.empty()) {
        return engine_error_from_words(words, "pull image '" + image + "'", engine_errc::failed);
    }
    const std::string_view id = text(*object, "id");
    const std::string_view status = text(*object, "status");
    if (id.empty() || status.starts_with("Pulling from")) return {};
    Layer& layer = layers_[std::string(id)];
    if (const auto* progress = object->if_contains("progressDetail");
        progress != nullptr && progress->is_object()) {
        const std::uint64_t now = number(progress->as_object(), "current");
        const std::uint64_t size = number(progress->as_object(), "total");
        if (size > 0) layer.size = std::max(layer.size, size);
        if (status == "Downloading") layer.downloaded = std::max(layer.downloaded, now);
        if (status == "Extracting") {
            layer.downloaded = layer.size;
            layer.unpacked = std::max(layer.unpacked, now);
        }
    }
    if (status == "Download complete" || status == "Verifying Checksum" || status == "Pull complete") {
        layer.downloaded = layer.size;
    }
    if (status == "Pull complete") layer.unpacked = layer.size;
    return {};
}

std::uint64_t PullTally::current() const {
    std::uint64_t sum = 0;
    for (const auto& [id, layer] : layers_) {
        sum += std::min(layer.downloaded, layer.size) + std::min(layer.unpacked, layer.size);
    }
    return sum / 2;
}

std::uint64_t PullTally::total() const {
    std::uint64_t sum = 0;
    for (const auto& [id, layer] : layers_) sum += layer.size;
    return sum;
}

}  // namespace icos::agent
