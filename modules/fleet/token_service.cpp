// SPDX-License-Identifier: Apache-2.0
#include "token_service.hpp"

#include "error.hpp"
#include "icos/link/digest.hpp"

#include <array>
#include <cstddef>

namespace icos::fleet {
namespace {

constexpr std::size_t kSecretBytes = 18;
constexpr std::size_t kMaxTokens = 10'000;
/// How long a token that can no longer be used still says why.
constexpr Duration kKeepExpired{std::chrono::hours(24 * 7)};

EventDraft token_event(std::string kind, const Token& token, std::string message, std::string actor) {
    EventDraft event;
    event.kind = std::move(kind);
    event.layer = Layer::security;
    event.subject_kind = "token";
    event.subject = token.id;
    event.message = std::move(message);
    event.actor = std::move(actor);
    return event;
}

std::string describe(const Token& token) {
    std::string out = token.uses == 1 ? "for one node" : "for " + std::to_string(token.uses) + " nodes";
    if (!token.cluster.empty()) out += " of cluster " + token.cluster;
    return out + ", until " + to_rfc3339(token.expires_at);
}

}  // namespace

Task<Result<TokenService::Made>> TokenService::create(TokenRequest request, std::string actor) {
    if (Result<void> writable = journal_.check_writable(); writable.has_error()) co_return writable.error();
    const WallTime now = runtime_.wall();
    FleetState& state = journal_.state();
    NodeId replaces;
    if (!request.replaces.empty()) {
        const NodeEntry* entry = state.find_name(request.replaces);
        if (entry == nullptr)
            co_return Error{
                errc::not_found, "there is no node named " + request.replaces, "icos get nodes lists them"
            };
        replaces = entry->record.id;
    }
    ChangeSet changes;
    std::vector<std::string> old;
    for (const auto& [id, token] : state.tokens()) {
        if (token.expires_at + kKeepExpired < now) old.push_back(id);
    }
    if (state.tokens().size() - old.size() >= kMaxTokens) {
        co_return Error{
            icos::errc::busy,
            "there are " + std::to_string(kMaxTokens) + " join tokens already",
            "remove some, or make one token for several nodes: uses"
        };
    }
    for (const std::string& id : old) {
        changes.changes.push_back(Change{std::string(kTokenRow), id, std::nullopt});
        state.remove_token(id);
    }

    std::array<std::byte, kSecretBytes> secret{};
    runtime_.random_bytes(secret);
    const std::string bytes(reinterpret_cast<const char*>(secret.data()), secret.size());
    Made made;
    made.text = link::format_join_token({authority_.ca_pin(), bytes});
    made.command = "icos-agent join --controller " + settings_.advertise + " --token " + made.text;
    Token& token = made.token;
    token.id = make_uuid(runtime_);
    token.secret_hash = link::sha256_hex(bytes);
    token.cluster = std::move(request.cluster);
    token.labels = std::move(request.labels);
    token.devices = std::move(request.devices);
    token.created_at = now;
    token.expires_at = now + request.expires_in.value_or(settings_.token_validity);
    token.uses = request.uses;
    token.created_by = actor;
    token.replaces = replaces;
    token.created_boot = runtime_.boot();
    state.add(token);
    std::string about = describe(token);
    if (!replaces.empty())
        about = "to join again as node " + request.replaces + ", until " + to_rfc3339(token.expires_at);
    changes.changes.push_back(upsert(token));
    changes.events.push_back(token_event("token.created", token, std::move(about), std::move(actor)));
    const Result<std::uint64_t> version = co_await journal_.write(std::move(changes));
    if (version.has_error()) co_return version.error();
    co_return made;
}

Task<Result<void>> TokenService::remove(std::string id, std::string actor) {
    if (Result<void> writable = journal_.check_writable(); writable.has_error()) co_return writable;
    const Token* token = journal_.state().find_token(id);
    if (token == nullptr)
        co_return Error{
            errc::token_unknown, "there is no join token with id " + id, "icos node token --list shows them"
        };
    ChangeSet changes;
    changes.changes.push_back(Change{std::string(kTokenRow), id, std::nullopt});
    changes.events.push_back(token_event("token.revoked", *token, "revoked", std::move(actor)));
    journal_.state().remove_token(id);
    const Result<std::uint64_t> version = co_await journal_.write(std::move(changes));
    if (version.has_error()) co_return version.error();
    co_return Result<void>();
}

}  // namespace icos::fleet
