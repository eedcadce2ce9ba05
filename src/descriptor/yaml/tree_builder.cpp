// SPDX-License-Identifier: Apache-2.0
#include "yaml/tree_builder.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace icos::descriptor::yaml {

void TreeBuilder::document_start() {
    anchors_.clear();
}

void TreeBuilder::find(std::string_view code, Position at, std::string message, Report::Extra extra) {
    findings_.push_back({std::string(code), at, path(), std::move(message), std::move(extra)});
}

void TreeBuilder::unsupported_tag(Position at, std::string_view tag) {
    find("E011", at, fmt::format("the tag {} is not supported", tag), {.hint = "remove it"});
}

std::string TreeBuilder::path() const {
    std::string path;
    for (const Frame& frame : stack_) {
        if (frame.node.is_sequence()) path = child(path, frame.node.items.size());
        if (frame.node.is_map() && frame.has_key) path = child(path, frame.key.text);
    }
    return path;
}

bool TreeBuilder::count(std::size_t nodes, std::size_t height, Position at) {
    if (stack_.size() + height > options_.max_depth) {
        find("E007", at, fmt::format("more than {} levels deep", options_.max_depth));
        return false;
    }
    nodes_ += nodes;
    if (nodes_ > options_.max_nodes) {
        find("E007", at, fmt::format("more than {} nodes, aliases expanded", options_.max_nodes));
        return false;
    }
    return true;
}

void TreeBuilder::begin_member(Node key) {
    Frame& frame = stack_.back();
    frame.has_key = true;
    if (!key.is_scalar()) {
        // Named after what it is, so that paths and messages below it stay readable.
        find("E011", key.at, fmt::format("a key must be a string, this is a {}", kind_name(key)));
        key.kind = Node::Kind::scalar;
        key.text = "?";
        frame.key = std::move(key);
        return;
    }
    frame.key = std::move(key);
    const auto [first, is_new] = frame.seen.emplace(frame.key.text, frame.key.at);
    if (!is_new) {
        find(
            "E004",
            frame.key.at,
            fmt::format("{}: given twice in this map", frame.key.text),
            {.hint = {}, .related = {{first->second.line, "first given here"}}}
        );
    }
    const bool glued = frame.key.plain && frame.key.text.size() > 1 && frame.key.text[0] == '-' &&
                       ((frame.key.text[1] >= 'a' && frame.key.text[1] <= 'z') ||
                        (frame.key.text[1] >= 'A' && frame.key.text[1] <= 'Z'));
    if (glued && path().find(".manifest.") == std::string::npos) {
        find(
            "E009",
            frame.key.at,
            fmt::format("{}: space missing after '-'", frame.key.text),
            {.hint = fmt::format("write \"- {}:\"", frame.key.text.substr(1))}
        );
    }
}

void TreeBuilder::attach(Node node, std::size_t height) {
    if (stack_.empty()) {
        if (!node.is_null()) documents_.push_back(std::move(node));
        return;
    }
    Frame& frame = stack_.back();
    frame.height = std::max(frame.height, height + 1);
    frame.node.span.end = std::max(frame.node.span.end, node.span.end);
    if (frame.node.is_sequence()) {
        frame.node.items.push_back(std::move(node));
    } else if (!frame.has_key) {
        begin_member(std::move(node));
    } else {
        frame.node.members.push_back({std::move(frame.key), std::move(node)});
        frame.has_key = false;
    }
}

bool TreeBuilder::open(Node node, std::string anchor) {
    const std::size_t before = nodes_;
    if (!count(1, 1, node.at)) return false;
    Frame frame;
    frame.node = std::move(node);
    frame.anchor = std::move(anchor);
    frame.nodes_before = before;
    frame.repeated_before = repeated_;
    stack_.push_back(std::move(frame));
    return true;
}

void TreeBuilder::close(std::size_t end) {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    // A block ends where its last child does; braces and brackets have an end of their own.
    if (end != 0) frame.node.span.end = end;
    if (!frame.anchor.empty()) {
        const std::size_t written =
            frame.node.span.end - std::min(frame.node.span.begin, frame.node.span.end);
        const std::size_t bytes = written + repeated_ - frame.repeated_before;
        anchors_[frame.anchor] = Anchored{frame.node, nodes_ - frame.nodes_before, frame.height, bytes};
    }
    attach(std::move(frame.node), frame.height);
}

bool TreeBuilder::scalar(Node node, const std::string& anchor) {
    if (!count(1, 0, node.at)) return false;
    if (!anchor.empty()) anchors_[anchor] = Anchored{node, 1, 0, node.text.size()};
    attach(std::move(node), 0);
    return true;
}

bool TreeBuilder::alias(const std::string& anchor, Position at, std::size_t end) {
    const bool open =
        std::any_of(stack_.begin(), stack_.end(), [&](const Frame& f) { return f.anchor == anchor; });
    if (open) {
        find("E007", at, fmt::format("*{} refers to a node that contains it", anchor));
        return false;
    }
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
        find("E001", at, fmt::format("*{}: there is no anchor &{} before it", anchor, anchor));
        return false;
    }
    if (!count(found->second.nodes, found->second.height, at)) return false;
    repeated_ += found->second.bytes;
    if (repeated_ > options_.max_bytes) {
        find("E007", at, fmt::format("aliases repeat more than {} bytes", options_.max_bytes));
        return false;
    }
    Node copy = found->second.node;
    copy.at = at;
    attach(std::move(copy), found->second.height);
    if (!stack_.empty()) stack_.back().node.span.end = std::max(stack_.back().node.span.end, end);
    return true;
}

}  // namespace icos::descriptor::yaml
