// SPDX-License-Identifier: Apache-2.0
#include "yaml/merge.hpp"

#include <unordered_set>

namespace icos::descriptor::yaml {
namespace {

bool is_merge_key(const Node& key) {
    return key.plain && key.text == "<<";
}

Node without_children(const Node& node) {
    Node copy;
    copy.kind = node.kind;
    copy.plain = node.plain;
    copy.block_map = node.block_map;
    copy.text = node.text;
    copy.at = node.at;
    copy.span = node.span;
    return copy;
}

struct Members {
    std::vector<Member> list;
    std::unordered_set<std::string> taken;
    void add(Member member) {
        if (taken.insert(member.key.text).second) list.push_back(std::move(member));
    }
};

void add_from(
    const Node& source,
    const std::string& path,
    Report& report,
    const std::unordered_set<std::string>& own,
    Members& out
) {
    if (!source.is_map()) {
        report.add(
            "C002", source.at, path, "<<: expected a map or a list of maps", {.hint = "write <<: *anchor"}
        );
        return;
    }
    Node resolved = merged(source, path, report);
    for (Member& member : resolved.members) {
        if (!own.contains(member.key.text)) out.add(std::move(member));
    }
}

}  // namespace

Node merged(const Node& node, const std::string& path, Report& report) {
    Node result = without_children(node);
    for (std::size_t i = 0; i < node.items.size(); ++i)
        result.items.push_back(merged(node.items[i], child(path, i), report));
    if (!node.is_map()) return result;
    std::unordered_set<std::string> own;
    for (const Member& member : node.members) {
        if (!is_merge_key(member.key)) own.insert(member.key.text);
    }
    Members members;
    for (const Member& member : node.members) {
        const std::string below = child(path, member.key.text);
        if (!is_merge_key(member.key)) {
            members.add({member.key, merged(member.value, below, report)});
        } else if (member.value.is_sequence()) {
            for (const Node& item : member.value.items) add_from(item, below, report, own, members);
        } else {
            add_from(member.value, below, report, own, members);
        }
    }
    result.members = std::move(members.list);
    return result;
}

}  // namespace icos::descriptor::yaml
