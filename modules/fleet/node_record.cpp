// SPDX-License-Identifier: Apache-2.0
#include "node_record.hpp"

#include "icos/store/store.hpp"
#include "row_json.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <array>
#include <cstdio>

namespace icos::fleet {

Labels NodeRecord::labels() const {
    Labels out;
    for (const auto& [key, value] : facts.labels) {
        if (is_label_key(key) && is_label_value(value)) out.emplace(key, value);
    }
    for (const auto& [key, value] : fixed_labels) {
        if (value) {
            out.insert_or_assign(key, *value);
        } else {
            out.erase(key);
        }
    }
    return out;
}

const std::vector<agent::Device>& NodeRecord::devices() const {
    return fixed_devices ? *fixed_devices : facts.devices;
}

const std::string& NodeRecord::location() const {
    return fixed_location ? *fixed_location : facts.location;
}

std::string to_row(const NodeRecord& record) {
    json::object out{
        {"name", record.name},
        {"cluster", record.cluster},
        {"key_id", record.key_id},
        {"token", record.token_id},
        {"certificate", record.certificate},
        {"joined_ms", to_ms(record.joined_at)},
        {"cordoned", record.cordoned},
        {"draining", record.draining},
        {"confirmed_lost", record.confirmed_lost},
        {"state", std::string(to_string(record.state))},
        {"revision", record.revision},
    };
    // The wire's own encoding, so that a member added there is stored too.
    const std::string facts = agent::encode(agent::FactsChanged{record.facts});
    json::value parsed = json::parse(facts);
    if (json::value* member = parsed.as_object().if_contains("facts")) out["facts"] = std::move(*member);
    json::object labels;
    for (const auto& [key, value] : record.fixed_labels) {
        if (value) {
            labels.emplace(key, *value);
        } else {
            labels.emplace(key, nullptr);
        }
    }
    out["labels"] = std::move(labels);
    if (record.fixed_devices) out["devices"] = devices_to_json(*record.fixed_devices);
    if (record.fixed_location) out["location"] = *record.fixed_location;
    if (record.certificate_until) out["certificate_until_ms"] = to_ms(*record.certificate_until);
    if (record.last_seen) out["last_seen_ms"] = to_ms(*record.last_seen);
    return json::serialize(out);
}

Result<NodeRecord> node_from_row(const std::string& id, std::string_view body) {
    RowReader row("node", id, body);
    NodeRecord record;
    record.id = NodeId{id};
    record.name = row.text("name");
    record.cluster = row.text("cluster");
    record.key_id = row.text("key_id");
    record.token_id = row.text("token");
    record.certificate = row.text("certificate");
    record.joined_at = from_ms(row.integer("joined_ms"));
    record.cordoned = row.boolean("cordoned");
    record.draining = row.boolean("draining");
    record.confirmed_lost = row.boolean("confirmed_lost");
    record.revision = static_cast<std::uint64_t>(row.integer("revision"));
    const std::string state = row.text("state");
    for (const NodeState known :
         {NodeState::joining, NodeState::ready, NodeState::suspect, NodeState::lost}) {
        if (state == to_string(known)) record.state = known;
    }
    if (const json::value* facts = row.find("facts")) {
        Result<agent::FactsChanged> decoded =
            agent::decode<agent::FactsChanged>(json::serialize(json::object{{"facts", *facts}}));
        if (decoded.has_error()) return row.corrupt("facts: " + decoded.error().detail);
        record.facts = std::move(decoded->facts);
    }
    record.fixed_labels = row.labels("labels");
    if (row.find("devices") != nullptr) record.fixed_devices = row.devices("devices");
    if (row.find("location") != nullptr) record.fixed_location = row.text("location");
    if (row.find("certificate_until_ms") != nullptr)
        record.certificate_until = from_ms(row.integer("certificate_until_ms"));
    if (row.find("last_seen_ms") != nullptr) record.last_seen = from_ms(row.integer("last_seen_ms"));
    if (row.error()) return *row.error();
    return record;
}

namespace {

std::string memory_text(std::uint64_t bytes) {
    constexpr double gi = 1024.0 * 1024.0 * 1024.0;
    constexpr double mi = 1024.0 * 1024.0;
    const double value = static_cast<double>(bytes);
    std::array<char, 32> text{};
    if (value >= gi) {
        std::snprintf(text.data(), text.size(), "%.1fGi", value / gi);
    } else {
        std::snprintf(text.data(), text.size(), "%.0fMi", value / mi);
    }
    return text.data();
}

std::string cores_text(std::uint32_t milli) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%g", static_cast<double>(milli) / 1000.0);
    return std::string(text.data()) + (milli == 1000 ? " core" : " cores");
}

std::string engine_text(const agent::Facts& facts) {
    if (facts.engine.empty()) return "no engine";
    return facts.engine_version.empty() ? facts.engine : facts.engine + " " + facts.engine_version;
}

}  // namespace

std::string describe_change(const agent::Facts& before, const agent::Facts& after) {
    std::string out;
    const auto add = [&out](const std::string& text) { out += (out.empty() ? "" : ", ") + text; };
    const auto changed = [&add](const char* what, const std::string& from, const std::string& to) {
        if (from != to)
            add(std::string(what) + (from.empty() ? "-" : from) + " -> " + (to.empty() ? "-" : to));
    };
    changed("", engine_text(before), engine_text(after));
    if (after.engine.empty() && before.engine_problem != after.engine_problem &&
        !after.engine_problem.empty())
        add(after.engine_problem);
    if (before.disk_problem != after.disk_problem)
        add(after.disk_problem.empty() ? std::string("its disks have space again") : after.disk_problem);
    changed("cpu ", cores_text(before.cpu_milli), cores_text(after.cpu_milli));
    changed("memory ", memory_text(before.memory_bytes), memory_text(after.memory_bytes));
    changed("architecture ", before.architecture, after.architecture);
    changed("agent ", before.agent_version, after.agent_version);
    changed("kernel ", before.kernel, after.kernel);
    changed("os ", before.os, after.os);
    changed("address ", before.address, after.address);
    changed("location ", before.location, after.location);
    if (before.labels != after.labels) add("labels");
    if (before.devices != after.devices) add("devices");
    return out;
}

std::string describe(const agent::Facts& facts) {
    std::string out;
    const auto add = [&out](const std::string& text) {
        if (!text.empty()) out += (out.empty() ? "" : ", ") + text;
    };
    add(facts.architecture);
    if (facts.cpu_milli > 0) add(cores_text(facts.cpu_milli));
    if (facts.memory_bytes > 0) add(memory_text(facts.memory_bytes));
    add(engine_text(facts));
    return out;
}

}  // namespace icos::fleet
