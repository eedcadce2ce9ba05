// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "context.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What `icos` can do: one function per verb. Each prints its answer to stdout, problems to stderr, and
/// returns the exit code. src/shell/command_line.cpp maps flags to these; nothing here knows the parser.
namespace icos::shell {

struct ApplyOptions {
    std::vector<std::string> files;  ///< "-" = standard input
    bool wait = false;
    bool dry_run = false;
    bool strict = false;
    Duration timeout{300'000};
};
Task<int> apply(Context& context, ApplyOptions options);
/// Where each component would go; nothing changes.
Task<int> plan(Context& context, ApplyOptions options);

struct ValidateOptions {
    std::vector<std::string> files;
    bool strict = false;
};
/// Offline: needs no controller. -o json prints the diagnostics.
int validate(const ValidateOptions& options, Format format);
/// A commented descriptor to start from, valid without a warning; an error for a name that would make it
/// invalid.
Result<std::string> starter(const std::string& type, const std::string& name);
/// The starter on stdout.
int init(const std::string& type, const std::string& name);

struct GetOptions {
    std::string kind;  ///< apps, components, placements, clusters, nodes, events, tokens
    std::string name;
    std::string app;
    std::string node;
    std::string since;
    std::int64_t limit = 0;
    std::string at;           ///< apps, nodes: "14:03" of today, a duration ago, or RFC 3339
    bool descriptor = false;  ///< the text that was applied, values of secrets masked
    bool reveal = false;      ///< the same with its secrets; for administrators, recorded
};
Task<int> get(Context& context, GetOptions options);
Task<int> describe(Context& context, std::string kind, std::string name);

struct StatusOptions {
    std::string app;  ///< empty = all
    bool watch = false;
};
Task<int> status(Context& context, StatusOptions options);

struct LogsOptions {
    std::string target;  ///< APP[/COMPONENT]
    std::string service;
    std::string since;
    std::optional<std::uint32_t> tail;
    bool follow = false;
    bool timestamps = false;
};
Task<int> logs(Context& context, LogsOptions options);

struct ExecOptions {
    std::string target;  ///< APP/COMPONENT
    std::string service;
    std::uint32_t replica = 0;
    std::vector<std::string> command;
    bool tty = false;
    bool interactive = false;
};
/// The exit code of the command that ran.
Task<int> exec(Context& context, ExecOptions options);

struct ChangeOptions {
    std::string app;
    bool wait = false;
    Duration timeout{300'000};
};
Task<int> stop(Context& context, ChangeOptions options);
Task<int> start(Context& context, ChangeOptions options);
Task<int> remove(Context& context, ChangeOptions options);

struct RolloutOptions {
    std::string app;
    std::optional<std::uint64_t> generation;
    bool wait = false;
    Duration timeout{300'000};
};
/// With `wait` what `apply --wait` prints; otherwise what `status` does.
Task<int> rollout_status(Context& context, RolloutOptions options);
/// The kept generations, or with `generation` the text of that one.
Task<int> rollout_history(Context& context, RolloutOptions options);
/// Back to `generation`, or to the one before.
Task<int> rollout_undo(Context& context, RolloutOptions options);

/// `target` is APP or APP/COMPONENT.
Task<int> explain(Context& context, std::string target);

struct EventsOptions {
    std::string app;
    std::string node;
    std::string kind;
    std::string layer;
    std::string actor;
    std::string since;
    std::int64_t limit = 0;
    bool watch = false;
};
Task<int> events(Context& context, EventsOptions options);

struct TokenOptions {
    std::string expires;
    std::string cluster;
    std::vector<std::string> labels;   ///< K=V
    std::vector<std::string> devices;  ///< NAME=PATH
    std::int64_t uses = 1;
    std::string replaces;  ///< name of the node that a machine becomes again
};
Task<int> node_token(Context& context, TokenOptions options);
struct NodeChange {
    std::string node{};
    std::vector<std::string> labels{};  ///< K=V sets, K- removes
    std::vector<std::string> devices{};
    std::optional<std::string> location{};
    std::optional<bool> cordoned{};
    bool drain = false;
    bool wait = false;  ///< until it is drained
    Duration timeout{};
    bool confirm_lost = false;
};
Task<int> node_change(Context& context, NodeChange change);
Task<int> node_remove(Context& context, std::string node, bool force);

struct CredentialOptions {
    std::string name;
    std::string registry;
    std::string username;
    std::string password_file;  ///< "-" = standard input; empty: asked for on a terminal, else standard input
};
Task<int> credential_set(Context& context, CredentialOptions options);
Task<int> credential_remove(Context& context, std::string name);

/// A tar archive of what helps to find a fault, without secrets; `file` empty: named after the time.
Task<int> support_bundle(Context& context, std::string file);

Task<int> topology(Context& context);
Task<int> version(Context& context);

}  // namespace icos::shell
