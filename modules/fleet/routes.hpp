// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "conditions.hpp"
#include "icos/http/router.hpp"
#include "icos/ports/claims.hpp"
#include "join_service.hpp"
#include "link_service.hpp"
#include "node_service.hpp"
#include "token_service.hpp"

#include <functional>

namespace icos::fleet {

/// The HTTP side of fleet: parse, call, serialise. Loop-confined.
class Routes {
public:
    struct Services {
        Runtime& runtime;
        Store& store;
        const Settings& settings;
        Journal& journal;
        NodeService& nodes;
        TokenService& tokens;
        JoinService& joins;
        LinkService& links;
        std::function<std::map<NodeId, ClaimSum>()> claims;
    };
    explicit Routes(Services services) : s_(std::move(services)) {}

    /// The routes of docs/api/native.md, "Nodes and clusters". The router must not outlive this.
    void add_to(http::Router& router);

private:
    using Answer = Task<Result<http::Response>>;
    Answer list_nodes(http::Request request);
    Answer nodes_at(http::Request request, WallTime at);
    Answer get_node(http::Request request);
    Answer patch_node(http::Request request);
    Answer delete_node(http::Request request);
    Answer list_clusters(http::Request request);
    Answer get_cluster(http::Request request);
    Answer create_token(http::Request request);
    Answer list_tokens(http::Request request);
    Answer delete_token(http::Request request);
    Answer join(http::Request request);
    Task<Result<void>> check_link(const http::Request& request);
    Task<> link(http::Request request, std::unique_ptr<http::FrameStream> stream);
    http::Response node_response(const NodeEntry& entry) const;
    boost::json::object shown(const NodeEntry& entry, const ClaimSum& claims, const Comparison& comparison)
        const;

    Services s_;
};

}  // namespace icos::fleet
