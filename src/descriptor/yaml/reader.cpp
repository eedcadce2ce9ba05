// SPDX-License-Identifier: Apache-2.0
#include "yaml/reader.hpp"

#include "yaml/tree_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <yaml.h>

namespace icos::descriptor::yaml {
namespace {

constexpr std::size_t kMaxRepairs = 20;

class Parser {
public:
    explicit Parser(const std::string& text) {
        if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
        yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(
            &parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size()
        );
    }
    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;
    ~Parser() { yaml_parser_delete(&parser_); }
    yaml_parser_t* get() noexcept { return &parser_; }

private:
    yaml_parser_t parser_{};
};

class Event {
public:
    Event() = default;
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    ~Event() { yaml_event_delete(&event_); }
    yaml_event_t* get() noexcept { return &event_; }

private:
    yaml_event_t event_{};
};

std::string text_of(const yaml_char_t* text) {
    return text == nullptr ? "" : reinterpret_cast<const char*>(text);
}

/// Tags of the core schema change nothing but !!str and !!null; "!" means string.
enum class Tag { none, string, null, other };
Tag tag_of(const std::string& tag) {
    if (tag.empty()) return Tag::none;
    if (tag == "!" || tag == YAML_STR_TAG) return Tag::string;
    if (tag == YAML_NULL_TAG) return Tag::null;
    for (const char* known : {YAML_BOOL_TAG, YAML_INT_TAG, YAML_FLOAT_TAG, YAML_SEQ_TAG, YAML_MAP_TAG}) {
        if (tag == known) return Tag::none;
    }
    return Tag::other;
}

struct SyntaxError {
    Position at;
    std::string message;
    Position construct;
    std::string construct_message;
};

SyntaxError syntax_error(const yaml_parser_t& parser, const Source& source) {
    SyntaxError error;
    error.at = source.position(parser.problem_mark.index);
    error.message = parser.problem == nullptr ? "not YAML" : parser.problem;
    if (parser.context != nullptr) {
        error.construct = source.position(parser.context_mark.index);
        error.construct_message = parser.context;
    }
    return error;
}

enum class Outcome { complete, stopped, failed };

/// The lines of a literal or folded text: what looks like a key there is none.
struct Block {
    std::size_t first = 0;
    std::size_t last = 0;
};

/// One pass over the text. `failed`: `error` is set; `stopped`: a finding of the builder says why.
Outcome build(
    const Source& source, TreeBuilder& builder, std::optional<SyntaxError>& error, std::vector<Block>& blocks
) {
    Parser parser(source.repaired());
    const auto node_at = [&](const yaml_event_t& event) {
        Node node;
        node.at = source.position(event.start_mark.index);
        node.span = {source.byte_of(event.start_mark.index), source.byte_of(event.end_mark.index)};
        return node;
    };
    const auto check_tag = [&](const yaml_char_t* tag, Position at) {
        const Tag kind = tag_of(text_of(tag));
        if (kind == Tag::other) builder.unsupported_tag(at, text_of(tag));
        return kind;
    };
    while (true) {
        Event holder;
        yaml_event_t& event = *holder.get();
        if (yaml_parser_parse(parser.get(), &event) == 0) {
            error = syntax_error(*parser.get(), source);
            return Outcome::failed;
        }
        switch (event.type) {
            case YAML_STREAM_END_EVENT:
                return Outcome::complete;
            case YAML_DOCUMENT_START_EVENT:
                builder.document_start();
                break;
            case YAML_ALIAS_EVENT:
                if (!builder.alias(
                        text_of(event.data.alias.anchor),
                        source.position(event.start_mark.index),
                        source.byte_of(event.end_mark.index)
                    )) {
                    return Outcome::stopped;
                }
                break;
            case YAML_SCALAR_EVENT: {
                const auto& scalar = event.data.scalar;
                Node node = node_at(event);
                const Tag tag = check_tag(scalar.tag, node.at);
                if (scalar.style == YAML_LITERAL_SCALAR_STYLE || scalar.style == YAML_FOLDED_SCALAR_STYLE) {
                    const Position end = source.position(event.end_mark.index);
                    blocks.push_back({node.at.line + 1, end.column == 1 ? end.line - 1 : end.line});
                }
                node.text.assign(reinterpret_cast<const char*>(scalar.value), scalar.length);
                node.plain = scalar.style == YAML_PLAIN_SCALAR_STYLE && tag != Tag::string;
                const bool null = tag == Tag::null || (node.plain && is_null_text(node.text));
                node.kind = null ? Node::Kind::null : Node::Kind::scalar;
                if (!builder.scalar(std::move(node), text_of(scalar.anchor))) return Outcome::stopped;
                break;
            }
            case YAML_SEQUENCE_START_EVENT: {
                Node node = node_at(event);
                node.kind = Node::Kind::sequence;
                check_tag(event.data.sequence_start.tag, node.at);
                if (!builder.open(std::move(node), text_of(event.data.sequence_start.anchor)))
                    return Outcome::stopped;
                break;
            }
            case YAML_MAPPING_START_EVENT: {
                Node node = node_at(event);
                node.kind = Node::Kind::map;
                node.block_map = event.data.mapping_start.style != YAML_FLOW_MAPPING_STYLE;
                check_tag(event.data.mapping_start.tag, node.at);
                if (!builder.open(std::move(node), text_of(event.data.mapping_start.anchor)))
                    return Outcome::stopped;
                break;
            }
            case YAML_SEQUENCE_END_EVENT:
            case YAML_MAPPING_END_EVENT: {
                const bool bracket = event.end_mark.index > event.start_mark.index;
                builder.close(bracket ? source.byte_of(event.end_mark.index) : 0);
                break;
            }
            case YAML_NO_EVENT:
            case YAML_STREAM_START_EVENT:
            case YAML_DOCUMENT_END_EVENT:
                break;
        }
    }
}

struct Repair {
    std::size_t line = 0;
    std::size_t key_column = 1;  ///< 1-based; keys and what precedes them are ASCII
    std::size_t space_at = 0;    ///< byte in the line
    std::string key;
    std::string value;
};

/// `^\s*(- )?(known-key):(\S.*)$`
std::optional<Repair> repair_of(const Source& source, std::size_t line_number) {
    const std::string_view line = source.line(line_number);
    std::size_t i = line.find_first_not_of(' ');
    if (i == std::string_view::npos) return std::nullopt;
    if (line.substr(i).starts_with("- ")) i += 2;
    const std::size_t colon = line.find(':', i);
    if (colon == std::string_view::npos || colon + 1 >= line.size()) return std::nullopt;
    const std::string_view key = line.substr(i, colon - i);
    const char next = line[colon + 1];
    if (!is_repairable_key(key) || next == ' ' || next == '\t') return std::nullopt;
    std::string_view value = line.substr(colon + 1);
    value = value.substr(0, value.find_first_of(" \t"));
    return Repair{line_number, i + 1, colon + 1, std::string(key), std::string(value)};
}

std::optional<Repair> find_repair(
    const Source& source,
    const SyntaxError& error,
    const std::vector<Block>& blocks,
    const std::vector<Repair>& done
) {
    // The construct that could not be finished starts on the offending line; a key glued to the first line of
    // a plain scalar of several lines is only noticed one line later.
    const std::size_t problem = error.at.line;
    for (const std::size_t line :
         {error.construct_message.empty() ? 0 : error.construct.line, problem, problem - 1}) {
        const bool repaired =
            std::any_of(done.begin(), done.end(), [&](const Repair& r) { return r.line == line; });
        const bool text = std::any_of(blocks.begin(), blocks.end(), [&](const Block& block) {
            return line >= block.first && line <= block.last;
        });
        if (line == 0 || repaired || text) continue;
        if (auto repair = repair_of(source, line)) return repair;
    }
    return std::nullopt;
}

void report_syntax_error(const SyntaxError& error, const Source& source, Report& report) {
    const std::string_view line = source.line(error.at.line);
    const std::size_t tab = line.find_first_not_of(' ');
    if (tab != std::string_view::npos && line[tab] == '\t') {
        report.add(
            "E003", {error.at.line, tab + 1}, "", "tab used for indentation", {.hint = "indent with spaces"}
        );
        return;
    }
    Report::Extra extra;
    std::string message = error.message;
    if (!error.construct_message.empty()) {
        message +=
            fmt::format(" ({}, which starts on line {})", error.construct_message, error.construct.line);
        extra.related.push_back({error.construct.line, error.construct_message});
    }
    report.add("E001", error.at, "", std::move(message), std::move(extra));
}

}  // namespace

bool is_repairable_key(std::string_view key) noexcept {
    constexpr std::array<std::string_view, 17> kKeys{
        "name",
        "type",
        "performance",
        "energy",
        "security",
        "level",
        "threshold",
        "remediation",
        "remediation_action",
        "fromTemplate",
        "cpu",
        "memory",
        "architecture",
        "devices",
        "key",
        "incoming",
        "outgoing"
    };
    return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

Stream read(Source& source, const Options& options, Report& report) {
    std::vector<Repair> repairs;
    while (true) {
        TreeBuilder builder(options);
        std::optional<SyntaxError> error;
        std::vector<Block> blocks;
        const Outcome outcome = build(source, builder, error, blocks);
        if (outcome == Outcome::failed && repairs.size() < kMaxRepairs) {
            if (auto repair = find_repair(source, *error, blocks, repairs)) {
                source.insert_space(repair->line, repair->space_at);
                repairs.push_back(std::move(*repair));
                continue;
            }
        }
        for (const Repair& repair : repairs) {
            report.add(
                "W002",
                {repair.line, repair.key_column},
                "",
                fmt::format("\"{0}:{1}\" read as \"{0}: {1}\" (space missing)", repair.key, repair.value)
            );
        }
        for (const TreeBuilder::Finding& finding : builder.findings()) {
            report.add(finding.code, finding.at, finding.path, finding.message, finding.extra);
        }
        if (outcome == Outcome::failed) report_syntax_error(*error, source, report);
        return {builder.take_documents(), outcome == Outcome::complete};
    }
}

}  // namespace icos::descriptor::yaml
