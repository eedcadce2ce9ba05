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
    JoinService(
        Runtime& runtime,
        Journal& journal,
        const Settings& settings,
        CertificateAuthority& authority,
        std::function<void()> topology_changed
    );

    /// Registers the key of the connection as a node, in one step with the use of the token. A repeated join
    /// (same key, token and name: the answer was lost) gets the same answer. node.token_unknown,
    /// node.token_spent, node.token_expired, node.name_taken, node.key_known, node.revoked, node.invalid,
    /// node.invalid_label, store errors.
    Task<Result<agent::JoinAnswer>> join(http::PeerKey peer, agent::JoinRequest request, std::string remote);

private:
    Result<Token*> find_token(const std::string& text);
    Result<NodeRecord> make_record(
        const http::PeerKey& peer, agent::JoinRequest request, const Token& token, const std::string& remote
    );
    agent::JoinAnswer answer(const NodeRecord& record) const;

    Runtime& runtime_;
    Journal& journal_;
    const Settings& settings_;
    CertificateAuthority& authority_;
    std::function<void()> topology_changed_;
};

}  // namespace icos::fleet
