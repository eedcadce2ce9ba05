// SPDX-License-Identifier: Apache-2.0
#include "node_service.hpp"

#include "conditions.hpp"
#include "error.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace icos::fleet {
namespace {

/// The loop did not turn for so long: what agents sent meanwhile has not been read yet.
constexpr Duration kStall{3'000};
/// The controller's clock was set, not just slewed.
constexpr Duration kClockStep{2'000};
constexpr Duration kCertificateCheck{60'000};
constexpr std::size_t kMaxFactsBytes = 64U << 10U;

Error not_found(const std::string& name) {
    return Error{errc::not_found, "there is no node named " + name, "icos get nodes lists them"};
}

std::string describe_change(const NodeChange& change) {
    std::string out;
    const auto add = [&out](const std::string& text) { out += (out.empty() ? "" : ", ") + text; };
    if (change.cordoned) add(*change.cordoned ? "cordoned" : "uncordoned");
    if (change.draining) add(*change.draining ? "drain requested" : "drain ended");
    if (change.confirmed_lost) add(*change.confirmed_lost ? "confirmed lost" : "loss not confirmed");
    for (const auto& [key, value] : change.labels)
        add(value ? "label " + key + "=" + *value : "label " + key + " removed");
    if (change.location) add("location " + (change.location->empty() ? "-" : *change.location));
    if (change.devices) add(std::to_string(change.devices->size()) + " devices");
    return out.empty() ? "nothing changed" : out;
}

}  // namespace

EventDraft node_event(
    std::string kind, const NodeEntry& entry, std::string message, std::string actor, Layer layer
) {
    EventDraft event;
    event.kind = std::move(kind);
    event.layer = layer;
    event.subject_kind = "node";
    event.subject = entry.record.name;
    event.message = std::move(message);
    event.node = entry.record.name;
    event.actor = actor.empty() ? "fleet" : std::move(actor);
    event.data = boost::json::serialize(boost::json::object{
        {"id", entry.record.id.value},
        {"cluster", entry.record.cluster},
        {"state", std::string(to_string(entry.life.state))},
        {"cordoned", entry.record.cordoned},
    });
    return event;
}

NodeService::NodeService(Runtime& runtime, Journal& journal, const Settings& settings, Hooks hooks)
    : runtime_(runtime), journal_(journal), settings_(settings), hooks_(std::move(hooks)) {}

std::string NodeService::etag(const NodeRecord& record) {
    return "\"" + std::to_string(record.revision) + "\"";
}

Task<Result<NodeEntry>> NodeService::change(
    std::string name, NodeChange change, std::string if_match, std::string actor
) {
    if (Result<void> writable = journal_.check_writable(); writable.has_error()) co_return writable.error();
    NodeEntry* entry = journal_.state().find_name(name);
    if (entry == nullptr) co_return not_found(name);
    NodeRecord& record = entry->record;
    if (!if_match.empty() && if_match != "*" && if_match != etag(record)) {
        co_return Error{
            errc::changed,
            "node " + record.name + " changed meanwhile",
            "read it again, then repeat the change"
        };
    }
    if (change.confirmed_lost.value_or(false) && entry->life.state != NodeState::lost) {
        co_return Error{
            errc::in_use,
            "node " + record.name + " is " + std::string(to_string(entry->life.state)) +
                ": only the loss of a lost node can be confirmed",
            "a node that answers is emptied with: icos node drain " + record.name
        };
    }
    const NodeRecord before = record;
    for (auto& [key, value] : change.labels) record.fixed_labels.insert_or_assign(key, value);
    if (change.location) record.fixed_location = change.location;
    if (change.devices) record.fixed_devices = change.devices;
    if (change.draining) record.draining = *change.draining;
    if (record.draining) record.cordoned = true;
    if (change.cordoned) record.cordoned = *change.cordoned;
    if (!record.cordoned) record.draining = false;
    if (change.confirmed_lost) record.confirmed_lost = *change.confirmed_lost;
    const bool same = before.fixed_labels == record.fixed_labels &&
                      before.fixed_location == record.fixed_location &&
                      before.fixed_devices == record.fixed_devices && before.cordoned == record.cordoned &&
                      before.draining == record.draining && before.confirmed_lost == record.confirmed_lost;
    if (same) {
        NodeEntry answer = *entry;
        const Result<void> settled = co_await journal_.settled();
        if (settled.has_error()) co_return settled.error();
        co_return answer;
    }
    ++record.revision;
    journal_.state().touch();
    const bool only_state = change.labels.empty() && !change.location && !change.devices;
    const char* kind = "node.changed";
    if (only_state && change.confirmed_lost) kind = "node.confirmed_lost";
    if (only_state && change.cordoned) kind = record.cordoned ? "node.cordoned" : "node.uncordoned";
    if (only_state && change.draining.value_or(false)) kind = "node.draining";
    ChangeSet changes;
    changes.changes.push_back(upsert(record));
    changes.events.push_back(node_event(kind, *entry, describe_change(change), std::move(actor)));
    NodeEntry answer = *entry;
    Task<Result<std::uint64_t>> written = journal_.write(std::move(changes), {changed(*entry)});
    hooks_.topology_changed();
    const Result<std::uint64_t> version = co_await std::move(written);
    if (version.has_error()) co_return version.error();
    co_return answer;
}

Task<Result<void>> NodeService::remove(std::string name, bool force, std::string actor) {
    if (Result<void> writable = journal_.check_writable(); writable.has_error()) co_return writable.error();
    NodeEntry* entry = journal_.state().find_name(name);
    if (entry == nullptr) co_return not_found(name);
    const NodeId id = entry->record.id;
    const ClaimSum claims = hooks_.claims(id);
    const bool is_lost = entry->life.state == NodeState::lost;
    if (claims.placements > 0 && !(force && is_lost)) {
        Error refused{
            errc::in_use,
            "node " + entry->record.name + " has " + std::to_string(claims.placements) +
                (claims.placements == 1 ? " placement" : " placements"),
        };
        if (force) {
            refused.detail +=
                " and is " + std::string(to_string(entry->life.state)) + ": only a lost node can be given up";
        }
        refused.hint = is_lost
                           ? "if it never comes back, give up what ran there: icos node rm " +
                                 entry->record.name + " --force"
                           : "cordon it and stop or move what runs there first: icos get placements --node " +
                                 entry->record.name;
        co_return refused;
    }
    RevokedKey key{entry->record.key_id, entry->record.name, runtime_.wall()};
    ChangeSet changes;
    changes.changes.push_back(Change{std::string(kNodeRow), id.value, std::nullopt});
    changes.changes.push_back(Change{std::string(kRevokedRow), key.key_id, to_row(key)});
    changes.events.push_back(node_event(
        "node.removed", *entry, "forgotten; its key is no longer accepted", std::move(actor), Layer::security
    ));
    messages::NodeChanged message = changed(*entry);
    journal_.state().add(std::move(key));
    journal_.state().remove(id);
    Task<Result<std::uint64_t>> written = journal_.write(std::move(changes), {std::move(message)});
    hooks_.node_removed(id);
    hooks_.topology_changed();
    const Result<std::uint64_t> version = co_await std::move(written);
    if (version.has_error()) co_return version.error();
    co_return Result<void>();
}

void NodeService::renew(NodeEntry& entry) {
    entry.life.renewed = runtime_.boot();
    entry.life.last_seen = runtime_.wall();
}

void NodeService::move(NodeEntry& entry, NodeState to, std::string message, ChangeSet& changes) {
    entry.life.state = to;
    entry.record.state = to;
    // Whatever was said about its loss: it is back.
    if (to == NodeState::ready) entry.record.confirmed_lost = false;
    entry.record.last_seen = entry.life.last_seen;
    journal_.state().touch();
    changes.changes.push_back(upsert(entry.record));
    changes.events.push_back(node_event("node." + std::string(to_string(to)), entry, std::move(message)));
}

std::string NodeService::return_message(const NodeEntry& entry) const {
    if (entry.life.state == NodeState::joining) return describe(entry.record.facts);
    std::optional<Duration> away;
    if (entry.life.renewed) {
        away = std::chrono::duration_cast<Duration>(runtime_.boot() - *entry.life.renewed);
    } else if (entry.life.last_seen && *entry.life.last_seen < runtime_.wall()) {
        away = runtime_.wall() - *entry.life.last_seen;
    }
    return away ? "back after " + for_people(*away) : "back";
}

void NodeService::heard(const NodeId& id, std::optional<Duration> round_trip) {
    NodeEntry* entry = journal_.state().find(id);
    if (entry == nullptr) return;
    if (round_trip) entry->life.round_trip = round_trip;
    const bool returns = entry->life.state != NodeState::ready;
    std::string message = returns ? return_message(*entry) : std::string();
    renew(*entry);
    if (!returns) return;
    ChangeSet changes;
    move(*entry, NodeState::ready, std::move(message), changes);
    journal_.write_behind(std::move(changes), {changed(*entry)});
    hooks_.topology_changed();
}

std::optional<std::string> NodeService::take_facts(NodeEntry& entry, agent::Facts facts) {
    if (facts == entry.record.facts) return std::nullopt;
    if (agent::encode(agent::FactsChanged{facts}).size() > kMaxFactsBytes) {
        log_.warning("facts of a node are too long and were not taken", {{"node", entry.record.name}});
        return std::nullopt;
    }
    if (const Result<void> checked = check_devices("devices", facts.devices); checked.has_error()) {
        log_.warning("devices of node '" + entry.record.name + "' were not taken", checked.error());
        facts.devices = entry.record.facts.devices;
    }
    std::string difference = describe_change(entry.record.facts, facts);
    entry.record.facts = std::move(facts);
    journal_.state().touch();
    return difference;
}

void NodeService::said_hello(const NodeId& id, agent::Facts facts) {
    NodeEntry* entry = journal_.state().find(id);
    if (entry == nullptr) return;
    ChangeSet changes;
    const std::optional<std::string> difference = take_facts(*entry, std::move(facts));
    const bool returns = entry->life.state != NodeState::ready;
    std::string message = returns ? return_message(*entry) : std::string();
    renew(*entry);
    if (difference && !difference->empty() && entry->record.state != NodeState::joining)
        changes.events.push_back(node_event("node.facts_changed", *entry, *difference));
    if (returns) {
        move(*entry, NodeState::ready, std::move(message), changes);
    } else if (difference) {
        changes.changes.push_back(upsert(entry->record));
    }
    if (changes.empty()) return;
    journal_.write_behind(std::move(changes), {changed(*entry)});
    hooks_.topology_changed();
}

void NodeService::facts_changed(const NodeId& id, agent::Facts facts) {
    NodeEntry* entry = journal_.state().find(id);
    if (entry == nullptr) return;
    const std::optional<std::string> difference = take_facts(*entry, std::move(facts));
    if (!difference) return;
    ChangeSet changes;
    changes.changes.push_back(upsert(entry->record));
    if (!difference->empty()) changes.events.push_back(node_event("node.facts_changed", *entry, *difference));
    journal_.write_behind(std::move(changes), {changed(*entry)});
    hooks_.topology_changed();
}

Task<Result<void>> NodeService::stops_keeping_lease(NodeId id) {
    if (Result<void> writable = journal_.check_writable(); writable.has_error()) co_return writable.error();
    NodeEntry* entry = journal_.state().find(id);
    if (entry == nullptr) co_return Error{errc::not_found, "the node was forgotten meanwhile"};
    entry->record.facts.keeps_lease = false;
    journal_.state().touch();
    ChangeSet changes;
    changes.changes.push_back(upsert(entry->record));
    changes.events.push_back(node_event("node.agent_stopping", *entry, "its containers go on without it"));
    Task<Result<std::uint64_t>> written = journal_.write(std::move(changes), {changed(*entry)});
    hooks_.topology_changed();
    const Result<std::uint64_t> version = co_await std::move(written);
    if (version.has_error()) co_return version.error();
    co_return Result<void>();
}

void NodeService::told_clock(const NodeId& id, std::int64_t wall_ms) {
    NodeEntry* entry = journal_.state().find(id);
    if (entry == nullptr || wall_ms == 0) return;
    const Duration offset = from_ms(wall_ms) - runtime_.wall();
    const auto is_off = [](const std::optional<Duration>& of) {
        return of && (*of > kClockTolerance || *of < -kClockTolerance);
    };
    const bool was_off = is_off(entry->life.clock_offset);
    entry->life.clock_offset = offset;
    if (was_off == is_off(offset)) return;
    ChangeSet changes;
    changes.events.push_back(
        was_off ? node_event("node.clock_ok", *entry, "its clock agrees with the controller's again")
                : node_event(
                      "node.clock_off",
                      *entry,
                      "its clock is " + describe_offset(offset) +
                          " the controller's; set it there: timedatectl set-ntp true"
                  )
    );
    journal_.write_behind(std::move(changes));
}

void NodeService::check_clocks() {
    const BootTime boot = runtime_.boot();
    const std::int64_t difference =
        to_ms(runtime_.wall()) - std::chrono::duration_cast<Duration>(boot.time_since_epoch()).count();
    const Duration set_by{wall_less_boot_ms_ ? difference - *wall_less_boot_ms_ : 0};
    wall_less_boot_ms_ = difference;
    // The clock that was set is ours: nodes differ from it by so much less.
    if (set_by > kClockStep || set_by < -kClockStep) {
        journal_.state().for_each([set_by](NodeEntry& entry) {
            if (entry.life.clock_offset) *entry.life.clock_offset -= set_by;
        });
        log_.warning(
            "the controller's clock was set",
            {{"by_s", set_by.count() / 1000}, {"now", to_rfc3339(runtime_.wall())}}
        );
    }
    if (certificates_checked_ && boot - *certificates_checked_ < kCertificateCheck) return;
    certificates_checked_ = boot;
    ChangeSet changes;
    journal_.state().for_each([&](NodeEntry& entry) {
        const auto& until = entry.record.certificate_until;
        if (!until || entry.life.certificate_warned == until) return;
        const Duration left = *until - runtime_.wall();
        // A node that is connected renews it by itself.
        if (left >= renew_before(settings_.certificate_validity) || entry.life.state == NodeState::ready)
            return;
        entry.life.certificate_warned = until;
        changes.events.push_back(node_event(
            "node.certificate_expiring",
            entry,
            left > Duration{0}
                ? "its certificate expires in " + for_people(left) + " and it is not connected to renew it"
                : "its certificate expired at " + to_rfc3339(*until) + "; it is renewed when it connects",
            {},
            Layer::security
        ));
    });
    if (!changes.empty()) journal_.write_behind(std::move(changes));
}

void NodeService::check_leases() {
    const BootTime now = runtime_.boot();
    const auto since_last = last_check_ ? now - *last_check_ : BootClock::duration{0};
    last_check_ = now;
    const bool stalled = since_last > kStall;
    const LeaseTimes times{settings_.suspect_after, settings_.lease};
    ChangeSet changes;
    std::vector<messages::NodeChanged> moved;
    journal_.state().for_each([&](NodeEntry& entry) {
        if (!entry.life.renewed) return;
        // The silence was ours (a suspended or overloaded machine), so it does not count against anybody.
        if (stalled) *entry.life.renewed = std::min(now, *entry.life.renewed + since_last);
        const auto silence = std::chrono::duration_cast<Duration>(now - *entry.life.renewed);
        const NodeState next = next_state(entry.life.state, silence, times);
        // Only a frame leads back to ready, see heard().
        if (next == entry.life.state || next == NodeState::ready) return;
        std::string message = next == NodeState::lost
                                  ? "lease expired"
                                  : "no heartbeat for " + for_people(settings_.suspect_after);
        move(entry, next, std::move(message), changes);
        moved.push_back(changed(entry));
    });
    if (moved.empty()) return;
    journal_.write_behind(std::move(changes), std::move(moved));
    hooks_.topology_changed();
}

void NodeService::write_states() {
    ChangeSet changes;
    std::vector<messages::NodeChanged> moved;
    journal_.state().for_each([&](NodeEntry& entry) {
        if (entry.life.state == entry.record.state) return;
        move(entry, entry.life.state, "since before a write failed", changes);
        moved.push_back(changed(entry));
    });
    if (!moved.empty()) journal_.write_behind(std::move(changes), std::move(moved));
}

}  // namespace icos::fleet
