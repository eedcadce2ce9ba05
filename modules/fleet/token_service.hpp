// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/ports/fleet.hpp"
#include "journal.hpp"
#include "request_body.hpp"
#include "settings.hpp"

#include <string>

namespace icos::fleet {

/// Join tokens. Loop-confined.
class TokenService {
public:
    TokenService(
        Runtime& runtime, Journal& journal, const Settings& settings, const CertificateAuthority& authority
    )
        : runtime_(runtime), journal_(journal), settings_(settings), authority_(authority) {}

    struct Made {
        Token token;
        std::string text;     ///< the token itself: shown once, kept nowhere
        std::string command;  ///< to run on the new node
    };
    /// store errors; core.busy when too many tokens exist.
    Task<Result<Made>> create(TokenRequest request, std::string actor);
    /// node.token_unknown, store errors.
    Task<Result<void>> remove(std::string id, std::string actor);

private:
    Runtime& runtime_;
    Journal& journal_;
    const Settings& settings_;
    const CertificateAuthority& authority_;
};

}  // namespace icos::fleet
