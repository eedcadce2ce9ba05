// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/ports/fleet.hpp"
#include "journal.hpp"
#include "settings.hpp"

#include <functional>
#include <string>

namespace icos::fleet {

/// Takes nodes in. Loop-confined.
class JoinService {
public:
    struct Hooks {
        std::function<void()> topology_changed;
        std::function<void(const NodeId&)> key_changed;  ///< links of the old key have to go
    };
    JoinService(
        Runtime& runtime,
        Journal& journal,
        const Settings& settings,
        CertificateAuthority& authority,
        Hooks hooks
    );

    /// Registers the key of the connection as a node, in one step with the use of the token. A repeated join
    /// (same key, token and name: the answer was lost) gets the same answer. A token that replaces a node
    /// makes the key that node's, and the old key is revoked. node.in_use (it still answers),
    /// node.token_unknown, node.token_spent, node.token_expired, node.name_taken, node.key_known,
    /// node.revoked, node.invalid, node.invalid_label, store errors.
    Task<Result<agent::JoinAnswer>> join(http::PeerKey peer, agent::JoinRequest request, std::string remote);

private:
    Result<Token*> find_token(const std::string& text);
    Result<NodeRecord> make_record(
        const http::PeerKey& peer, agent::JoinRequest request, const Token& token, const std::string& remote
    );
    struct Replaced {
        NodeId id;
        ChangeSet changes;
        messages::NodeChanged message;
    };
    Result<NodeEntry*> find_replaced(const Token& token, const std::string& wanted_name);
    Result<Replaced> replace(
        const http::PeerKey& peer, agent::JoinRequest request, Token& token, const std::string& remote
    );
    agent::JoinAnswer answer(const NodeRecord& record) const;

    Runtime& runtime_;
    Journal& journal_;
    const Settings& settings_;
    CertificateAuthority& authority_;
    Hooks hooks_;
};

}  // namespace icos::fleet
