// SPDX-License-Identifier: Apache-2.0
#include "join_service.hpp"

#include "error.hpp"
#include "icos/link/digest.hpp"
#include "node_service.hpp"

namespace icos::fleet {
namespace {

constexpr const char* kAskForOne = "ask for a new one: icos node token";
constexpr Duration kBackdate{std::chrono::hours(24)};
constexpr std::size_t kMaxFactsBytes = 64U << 10U;

/// Own facts as far as the rules allow them, before anything is stored.
Result<void> check(const agent::Facts& facts) {
    if (Result<void> labels = check_labels("labels", facts.labels); labels.has_error()) return labels;
    if (Result<void> devices = check_devices("devices", facts.devices); devices.has_error()) return devices;
    if (agent::encode(agent::FactsChanged{facts}).size() > kMaxFactsBytes)
        return Error{errc::invalid, "facts: longer than " + std::to_string(kMaxFactsBytes) + " bytes"};
    return {};
}

}  // namespace

JoinService::JoinService(
    Runtime& runtime, Journal& journal, const Settings& settings, CertificateAuthority& authority, Hooks hooks
)
    : runtime_(runtime),
      journal_(journal),
      settings_(settings),
      authority_(authority),
      hooks_(std::move(hooks)) {}

Result<Token*> JoinService::find_token(const std::string& text) {
    const std::optional<link::JoinToken> parsed = link::parse_join_token(text);
    if (!parsed) return Error{errc::token_unknown, "that is not a whole join token", kAskForOne};
    if (parsed->ca_pin != authority_.ca_pin())
        return Error{errc::token_unknown, "the token was made by another controller", kAskForOne};
    Token* token = journal_.state().find_secret(link::sha256_hex(parsed->secret));
    if (token == nullptr)
        return Error{
            errc::token_unknown,
            "the token is not known here: it was revoked, or expired long ago",
            kAskForOne
        };
    return token;
}

Result<NodeRecord> JoinService::make_record(
    const http::PeerKey& peer, agent::JoinRequest request, const Token& token, const std::string& remote
) {
    NodeRecord record;
    record.name = request.name.empty() ? request.facts.hostname : request.name;
    if (Result<void> checked = check_name("name", record.name); checked.has_error()) {
        Error error = checked.error();
        error.hint += "; icos-agent join --name chooses one";
        return error;
    }
    if (journal_.state().find_name(record.name) != nullptr) {
        return Error{
            errc::name_taken,
            "a node named " + record.name + " has joined already",
            "choose another name: icos-agent join --name; or forget the old node: icos node rm " + record.name
        };
    }
    if (Result<void> checked = check(request.facts); checked.has_error()) return checked.error();
    record.id = NodeId{make_uuid(runtime_)};
    record.cluster = token.cluster.empty() ? record.name : token.cluster;
    record.key_id = peer.key_id;
    record.token_id = token.id;
    record.joined_at = runtime_.wall();
    record.facts = std::move(request.facts);
    if (record.facts.address.empty()) record.facts.address = host_of(remote);
    for (const auto& [key, value] : token.labels) record.fixed_labels.emplace(key, value);
    if (!token.devices.empty()) record.fixed_devices = narrowed_devices(token.devices, record.facts.devices);
    const WallTime now = record.joined_at;
    // Backdated, so that a node whose clock is a little behind takes it at once.
    Result<std::string> certificate = authority_.issue(
        peer, record.id.value, to_ms(now - kBackdate), to_ms(now + settings_.certificate_validity)
    );
    if (certificate.has_error()) return certificate.error();
    record.certificate = std::move(*certificate);
    record.certificate_until = now + settings_.certificate_validity;
    return record;
}

agent::JoinAnswer JoinService::answer(const NodeRecord& record) const {
    agent::JoinAnswer answer;
    answer.node_id = record.id.value;
    answer.name = record.name;
    answer.cluster = record.cluster;
    answer.certificate = record.certificate;
    answer.ca = authority_.ca_certificate();
    answer.controller_id = settings_.controller_id;
    answer.controller_name = settings_.controller_name;
    answer.controllers = {settings_.advertise};
    answer.labels = record.labels();
    answer.devices = record.devices();
    return answer;
}

/// The node of a token that replaces it, if the machine may become it now.
Result<NodeEntry*> JoinService::find_replaced(const Token& token, const std::string& wanted_name) {
    NodeEntry* entry = journal_.state().find(token.replaces);
    if (entry == nullptr)
        return Error{errc::not_found, "the node that the token is for was forgotten meanwhile", kAskForOne};
    const std::string& name = entry->record.name;
    if (!wanted_name.empty() && wanted_name != name) {
        return Error{
            errc::name_taken,
            "the token makes this machine node " + name + " again, not " + wanted_name,
            "leave --name out, or use --name " + name
        };
    }
    if (entry->life.state == NodeState::ready || entry->life.state == NodeState::suspect) {
        return Error{
            errc::in_use,
            "node " + name + " is " + std::string(to_string(entry->life.state)) +
                ": the machine that is this node now still answers",
            "stop it there (systemctl stop icos-agent) and wait until icos get nodes shows it lost; a second "
            "machine needs a name of its own: icos node token"
        };
    }
    return entry;
}

/// The machine becomes a node that is known already: its id stays, so that its placements, and the containers
/// and volumes that survived on the machine, are its own still.
Result<JoinService::Replaced> JoinService::replace(
    const http::PeerKey& peer, agent::JoinRequest request, Token& token, const std::string& remote
) {
    const Result<NodeEntry*> found = find_replaced(token, request.name);
    if (found.has_error()) return found.error();
    NodeEntry& entry = **found;
    if (Result<void> checked = check(request.facts); checked.has_error()) return checked.error();
    const WallTime now = runtime_.wall();
    const WallTime until = now + settings_.certificate_validity;
    Result<std::string> certificate =
        authority_.issue(peer, entry.record.id.value, to_ms(now - kBackdate), to_ms(until));
    if (certificate.has_error()) return certificate.error();

    Replaced out;
    out.id = entry.record.id;
    RevokedKey old{entry.record.key_id, entry.record.name, now};
    out.changes.changes.push_back(Change{std::string(kRevokedRow), old.key_id, to_row(old)});
    journal_.state().change_key(entry, peer.key_id);
    journal_.state().add(std::move(old));
    NodeRecord& record = entry.record;
    record.token_id = token.id;
    record.certificate = std::move(*certificate);
    record.certificate_until = until;
    record.facts = std::move(request.facts);
    if (record.facts.address.empty()) record.facts.address = host_of(remote);
    ++record.revision;
    token.used_by.push_back({record.name, now});
    out.changes.changes.push_back(upsert(token));
    out.changes.changes.push_back(upsert(record));
    out.changes.events.push_back(node_event(
        "node.rejoined",
        entry,
        "joined again from " + remote +
            " with a new key; the old one is no longer accepted: " + describe(record.facts),
        "token:" + token.id,
        Layer::security
    ));
    out.message = changed(entry);
    return out;
}

Task<Result<agent::JoinAnswer>> JoinService::join(
    http::PeerKey peer, agent::JoinRequest request, std::string remote
) {
    if (Result<void> writable = journal_.check_writable(); writable.has_error()) co_return writable.error();
    FleetState& state = journal_.state();
    if (state.find_revoked(peer.key_id) != nullptr) {
        co_return Error{
            errc::revoked,
            "the key of this node was revoked",
            "remove the agent's state directory, so that it makes a new key, and join again"
        };
    }
    const Result<Token*> found = find_token(request.token);
    if (found.has_error()) co_return found.error();
    Token& token = **found;
    if (const NodeEntry* known = state.find_key(peer.key_id)) {
        std::string wanted = request.name.empty() ? request.facts.hostname : request.name;
        if (request.name.empty() && token.replaces == known->record.id) wanted = known->record.name;
        if (known->record.token_id != token.id || known->record.name != wanted) {
            co_return Error{
                errc::key_known,
                "this key belongs to node " + known->record.name + " already",
                "it has joined: start the agent; or icos node rm " + known->record.name +
                    " and join with a new key"
            };
        }
        agent::JoinAnswer again = answer(known->record);
        const Result<void> settled = co_await journal_.settled();
        if (settled.has_error()) co_return settled.error();
        co_return again;
    }
    const WallTime now = runtime_.wall();
    if (Result<void> usable = check_usable(token, now, runtime_.boot()); usable.has_error())
        co_return usable.error();
    if (!token.replaces.empty()) {
        Result<Replaced> replaced = replace(peer, std::move(request), token, remote);
        if (replaced.has_error()) co_return replaced.error();
        agent::JoinAnswer joined = answer(state.find(replaced->id)->record);
        Task<Result<std::uint64_t>> written =
            journal_.write(std::move(replaced->changes), {std::move(replaced->message)});
        hooks_.key_changed(replaced->id);
        hooks_.topology_changed();
        const Result<std::uint64_t> version = co_await std::move(written);
        if (version.has_error()) co_return version.error();
        co_return joined;
    }
    Result<NodeRecord> record = make_record(peer, std::move(request), token, remote);
    if (record.has_error()) co_return record.error();

    token.used_by.push_back({record->name, now});
    ChangeSet changes;
    changes.changes.push_back(upsert(token));
    const NodeEntry& entry = state.add(std::move(*record));
    changes.changes.push_back(upsert(entry.record));
    changes.events.push_back(node_event(
        "node.joined",
        entry,
        "joined cluster " + entry.record.cluster + " from " + remote + ": " + describe(entry.record.facts),
        "token:" + token.id,
        Layer::security
    ));
    agent::JoinAnswer joined = answer(entry.record);
    Task<Result<std::uint64_t>> written = journal_.write(std::move(changes), {changed(entry)});
    hooks_.topology_changed();
    const Result<std::uint64_t> version = co_await std::move(written);
    if (version.has_error()) co_return version.error();
    co_return joined;
}

}  // namespace icos::fleet
