// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "report.hpp"
#include "yaml/node.hpp"

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace icos::descriptor::yaml {

/// Builds trees from parser events, with aliases expanded and limits kept while building. One per parse.
class TreeBuilder {
public:
    explicit TreeBuilder(const Options& options) noexcept : options_(options) {}

    /// A problem found on the way; kept until the parse is known to be the last one.
    struct Finding {
        std::string code;
        Position at;
        std::string path;
        std::string message;
        Report::Extra extra;
    };

    void document_start();
    /// Each returns false if a limit was hit: reading stops there.
    bool open(Node node, std::string anchor);
    /// `end`: byte after the closing bracket, or 0 for a block.
    void close(std::size_t end);
    bool scalar(Node node, const std::string& anchor);
    bool alias(const std::string& anchor, Position at, std::size_t end);
    void unsupported_tag(Position at, std::string_view tag);

    std::vector<Node> take_documents() { return std::move(documents_); }
    const std::vector<Finding>& findings() const noexcept { return findings_; }

private:
    struct Frame {
        Node node;
        std::string anchor;
        bool has_key = false;
        Node key;
        std::unordered_map<std::string, Position> seen;
        std::size_t nodes_before = 0;
        std::size_t repeated_before = 0;
        std::size_t height = 1;
    };
    struct Anchored {
        Node node;
        std::size_t nodes = 0;
        std::size_t height = 0;
        std::size_t bytes = 0;  ///< of the text, with those that aliases in it repeat
    };

    bool count(std::size_t nodes, std::size_t height, Position at);
    void attach(Node node, std::size_t height);
    void begin_member(Node key);
    std::string path() const;
    void find(std::string_view code, Position at, std::string message, Report::Extra extra = {});

    const Options& options_;
    std::vector<Node> documents_;
    std::vector<Frame> stack_;
    std::map<std::string, Anchored> anchors_;
    std::size_t nodes_ = 0;
    std::size_t repeated_ = 0;  ///< bytes that aliases repeat
    std::vector<Finding> findings_;
};

}  // namespace icos::descriptor::yaml
