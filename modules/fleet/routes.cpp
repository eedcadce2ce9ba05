// SPDX-License-Identifier: Apache-2.0
#include "routes.hpp"

#include "answers.hpp"
#include "error.hpp"
#include "row_json.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <charconv>

namespace icos::fleet {
namespace {

using http::Access;
using http::Method;
using http::Request;
using http::Response;

constexpr std::size_t kMaxPage = 1000;
constexpr std::size_t kSmallBody = 64U << 10U;
constexpr std::size_t kJoinBody = 256U << 10U;

/// `{"items": [...], "next": …}` of entries sorted by key, after `?after=`, at most `?limit=`.
template <class Value, class ToJson>
Result<Response> page(
    const std::vector<std::pair<std::string, const Value*>>& sorted, const Request& request, ToJson to_json
) {
    std::size_t limit = kMaxPage;
    const std::string_view wanted = request.query_or("limit", "");
    if (!wanted.empty()) {
        const auto parsed = std::from_chars(wanted.data(), wanted.data() + wanted.size(), limit);
        if (parsed.ec != std::errc() || parsed.ptr != wanted.data() + wanted.size() || limit == 0)
            return Error{http::errc::bad_request, "limit: expected an integer from 1 to 1000"};
        limit = std::min(limit, kMaxPage);
    }
    const std::string_view after = request.query_or("after", "");
    auto at = sorted.begin();
    if (!after.empty()) {
        at = std::upper_bound(at, sorted.end(), after, [](std::string_view key, const auto& item) {
            return key < item.first;
        });
    }
    json::array items;
    json::value next = nullptr;
    for (; at != sorted.end(); ++at) {
        if (items.size() == limit) {
            next = json::string_view(std::prev(at)->first);
            break;
        }
        items.push_back(to_json(*at->second));
    }
    return Response::json(json::serialize(json::object{{"items", std::move(items)}, {"next", std::move(next)}}
    ));
}

ClaimSum claim_of(const std::map<NodeId, ClaimSum>& claims, const NodeId& node) {
    const auto found = claims.find(node);
    return found == claims.end() ? ClaimSum{} : found->second;
}

/// `?at=`: RFC 3339, or a duration before now.
Result<std::optional<WallTime>> at_of(const Request& request, WallTime now) {
    const std::string_view text = request.query_or("at", "");
    if (text.empty()) return std::optional<WallTime>{};
    if (const auto time = parse_past(text, now)) return time;
    return Error{
        http::errc::bad_request,
        "?at=" + std::string(text) + " is neither a time nor a duration",
        "10m, 2h or 2026-11-24T04:03:31Z"
    };
}

/// What the node's row said; what is measured, not recorded, is left out.
json::object recorded_json(const NodeEntry& entry) {
    json::object out = node_to_json(entry, {}, {});
    for (const char* member :
         {"cpu_free_milli",
          "memory_free_bytes",
          "placements",
          "last_seen_ms_ago",
          "round_trip_ms",
          "clock_offset_ms"}) {
        out.erase(member);
    }
    return out;
}

std::string header(const Request& request, std::string_view name) {
    const auto found = request.headers.find(name);
    return found == request.headers.end() ? std::string() : found->second;
}

}  // namespace

void Routes::add_to(http::Router& router) {
    const auto add = [&](Method method,
                         std::string pattern,
                         Access access,
                         std::string summary,
                         Answer (Routes::*handler)(Request),
                         std::size_t body = kSmallBody) {
        router.add(http::Route{
            method,
            std::move(pattern),
            access,
            std::move(summary),
            [this, handler](Request request) { return (this->*handler)(std::move(request)); },
            body
        });
    };
    add(Method::get, "/api/v1/nodes", Access::read, "List nodes", &Routes::list_nodes);
    add(Method::get, "/api/v1/nodes/{name}", Access::read, "One node", &Routes::get_node);
    add(Method::patch,
        "/api/v1/nodes/{name}",
        Access::admin,
        "Change labels, location, devices or cordon",
        &Routes::patch_node);
    add(Method::del,
        "/api/v1/nodes/{name}",
        Access::admin,
        "Forget a node and revoke its key",
        &Routes::delete_node);
    add(Method::get, "/api/v1/clusters", Access::read, "List clusters", &Routes::list_clusters);
    add(Method::get, "/api/v1/clusters/{name}", Access::read, "One cluster", &Routes::get_cluster);
    add(Method::post, "/api/v1/tokens", Access::admin, "Make a join token", &Routes::create_token);
    add(Method::get, "/api/v1/tokens", Access::admin, "List join tokens", &Routes::list_tokens);
    add(Method::del, "/api/v1/tokens/{id}", Access::admin, "Revoke a join token", &Routes::delete_token);
    add(Method::post, "/agent/v1/join", Access::agent, "Join as a node", &Routes::join, kJoinBody);
    router.add(http::SocketRoute{
        "/agent/v1/link",
        Access::agent,
        "The agent link (WebSocket)",
        [this](const Request& request) { return check_link(request); },
        [this](Request request, std::unique_ptr<http::FrameStream> stream) {
            return link(std::move(request), std::move(stream));
        }
    });
}

json::object Routes::shown(const NodeEntry& entry, const ClaimSum& claims, const Comparison& comparison)
    const {
    const ConditionTimes times{s_.runtime.wall(), s_.runtime.boot(), s_.settings.certificate_validity};
    json::object out = node_to_json(entry, claims, times.boot);
    out["conditions"] = to_json(conditions_of(entry, comparison, times));
    return out;
}

Response Routes::node_response(const NodeEntry& entry) const {
    const ClaimSum claims = claim_of(s_.claims(), entry.record.id);
    Response response = Response::json(json::serialize(shown(entry, claims, compare(s_.journal.state()))));
    response.headers.emplace("ETag", NodeService::etag(entry.record));
    return response;
}

Routes::Answer Routes::nodes_at(Request request, WallTime at) {
    const auto rows = co_await s_.store.history(std::string(kNodeRow), at);
    if (rows.has_error()) co_return rows.error();
    std::vector<NodeEntry> entries;
    for (const Row& row : *rows) {
        Result<NodeRecord> record = node_from_row(row.id, row.body);
        if (record.has_error()) co_return record.error();
        NodeEntry entry;
        entry.life.state = record->state;
        entry.life.last_seen = record->last_seen;
        entry.record = std::move(*record);
        entries.push_back(std::move(entry));
    }
    std::vector<std::pair<std::string, const NodeEntry*>> sorted;
    for (const NodeEntry& entry : entries) sorted.emplace_back(entry.record.name, &entry);
    std::sort(sorted.begin(), sorted.end());
    co_return page<NodeEntry>(sorted, request, recorded_json);
}

Routes::Answer Routes::list_nodes(Request request) {
    const auto at = at_of(request, s_.runtime.wall());
    if (at.has_error()) co_return at.error();
    if (*at) co_return co_await nodes_at(std::move(request), **at);
    std::vector<std::pair<std::string, const NodeEntry*>> sorted;
    for (const auto& [id, entry] : s_.journal.state().nodes()) sorted.emplace_back(entry.record.name, &entry);
    std::sort(sorted.begin(), sorted.end());
    const std::map<NodeId, ClaimSum> claims = s_.claims();
    const Comparison comparison = compare(s_.journal.state());
    co_return page<NodeEntry>(sorted, request, [&](const NodeEntry& entry) {
        return shown(entry, claim_of(claims, entry.record.id), comparison);
    });
}

Routes::Answer Routes::get_node(Request request) {
    const std::string name(request.param("name"));
    const NodeEntry* entry = s_.journal.state().find_name(name);
    if (entry == nullptr)
        co_return Error{errc::not_found, "there is no node named " + name, "icos get nodes lists them"};
    co_return node_response(*entry);
}

Routes::Answer Routes::patch_node(Request request) {
    Result<NodeChange> change = read_node_change(request.body);
    if (change.has_error()) co_return change.error();
    const Result<NodeEntry> entry = co_await s_.nodes.change(
        std::string(request.param("name")),
        std::move(*change),
        header(request, "If-Match"),
        request.caller.subject
    );
    if (entry.has_error()) co_return entry.error();
    co_return node_response(*entry);
}

Routes::Answer Routes::delete_node(Request request) {
    const Result<void> removed = co_await s_.nodes.remove(
        std::string(request.param("name")), request.query_flag("force"), request.caller.subject
    );
    if (removed.has_error()) co_return removed.error();
    co_return Response::no_content();
}

Routes::Answer Routes::list_clusters(Request request) {
    const std::map<std::string, Cluster> clusters = clusters_of(s_.journal.state());
    std::vector<std::pair<std::string, const Cluster*>> sorted;
    for (const auto& [name, cluster] : clusters) sorted.emplace_back(name, &cluster);
    co_return page<Cluster>(sorted, request, cluster_to_json);
}

Routes::Answer Routes::get_cluster(Request request) {
    const std::map<std::string, Cluster> clusters = clusters_of(s_.journal.state());
    const std::string name(request.param("name"));
    const auto found = clusters.find(name);
    if (found == clusters.end()) {
        co_return Error{
            errc::cluster_not_found, "there is no cluster named " + name, "icos get clusters lists them"
        };
    }
    co_return Response::json(json::serialize(cluster_to_json(found->second)));
}

Routes::Answer Routes::create_token(Request request) {
    Result<TokenRequest> wanted = read_token_request(request.body);
    if (wanted.has_error()) co_return wanted.error();
    const Result<TokenService::Made> made =
        co_await s_.tokens.create(std::move(*wanted), request.caller.subject);
    if (made.has_error()) co_return made.error();
    json::object out = token_to_json(made->token);
    out["token"] = made->text;
    out["command"] = made->command;
    co_return Response::json(json::serialize(out), 201);
}

Routes::Answer Routes::list_tokens(Request request) {
    std::vector<std::pair<std::string, const Token*>> sorted;
    for (const auto& [id, token] : s_.journal.state().tokens()) sorted.emplace_back(id, &token);
    co_return page<Token>(sorted, request, token_to_json);
}

Routes::Answer Routes::delete_token(Request request) {
    const Result<void> removed =
        co_await s_.tokens.remove(std::string(request.param("id")), request.caller.subject);
    if (removed.has_error()) co_return removed.error();
    co_return Response::no_content();
}

Routes::Answer Routes::join(Request request) {
    if (!request.caller.peer)
        co_return Error{errc::unknown_key, "the connection proves no key", "join with icos-agent join"};
    Result<agent::JoinRequest> wanted = agent::decode<agent::JoinRequest>(request.body);
    if (wanted.has_error()) co_return wanted.error();
    const Result<agent::JoinAnswer> answer =
        co_await s_.joins.join(*request.caller.peer, std::move(*wanted), request.remote);
    if (answer.has_error()) co_return answer.error();
    co_return Response::json(agent::encode(*answer));
}

Task<Result<void>> Routes::check_link(const Request& request) {
    if (!request.caller.peer) co_return Error{errc::unknown_key, "the connection proves no key"};
    const Result<NodeId> admitted = s_.links.admit(*request.caller.peer);
    if (admitted.has_error()) {
        s_.links.record_refusal(*request.caller.peer, request.remote, admitted.error());
        co_return admitted.error();
    }
    co_return Result<void>();
}

Task<> Routes::link(Request request, std::unique_ptr<http::FrameStream> stream) {
    // The check before the upgrade saw the same caller; without a peer nothing else is left to do.
    if (!request.caller.peer) co_return;
    co_await s_.links.serve(std::move(*request.caller.peer), std::move(stream));
}

}  // namespace icos::fleet
