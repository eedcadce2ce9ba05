// SPDX-License-Identifier: Apache-2.0
#include "fleet/fleet_state.hpp"
#include "fleet/settings.hpp"
#include "fleet_world.hpp"
#include "icos/store/store.hpp"

#include <catch2/catch.hpp>

namespace icos::fleet::test {

TEST_CASE("a node comes back from its row as it was", "[fleet][record]") {
    NodeRecord record;
    record.id = NodeId{"11111111-2222-4333-8444-555555555555"};
    record.name = "edge-1";
    record.cluster = "lab";
    record.key_id = "key";
    record.token_id = "token";
    record.certificate = "-----BEGIN\nx\n";
    record.joined_at = from_ms(1'795'492'800'123);
    record.facts = some_facts("edge-1");
    record.facts.labels = {{"own", "1"}};
    record.facts.devices = {{"video", "/dev/video0"}};
    record.fixed_labels = {{"site", "lab"}, {"own", std::nullopt}};
    record.fixed_devices = std::vector<agent::Device>{{"gpu", ""}};
    record.fixed_location = "";
    record.cordoned = true;
    record.state = NodeState::suspect;
    record.last_seen = from_ms(1'795'492'900'000);
    record.revision = 7;

    const Result<NodeRecord> read = node_from_row(record.id.value, to_row(record));

    REQUIRE(read.has_value());
    CHECK(to_row(*read) == to_row(record));
    CHECK(read->facts == record.facts);
    CHECK(read->fixed_labels == record.fixed_labels);
    CHECK(read->fixed_location == record.fixed_location);
    CHECK(read->last_seen == record.last_seen);
    CHECK(read->state == NodeState::suspect);
    CHECK(read->labels() == Labels{{"site", "lab"}});
    CHECK(read->devices() == *record.fixed_devices);
}

TEST_CASE("a token comes back from its row as it was", "[fleet][record]") {
    Token token;
    token.id = "t";
    token.secret_hash = "hash";
    token.cluster = "lab";
    token.labels = {{"site", "lab"}};
    token.devices = {{"video", "/dev/video0"}};
    token.created_at = from_ms(1);
    token.expires_at = from_ms(2);
    token.uses = 3;
    token.created_by = "token:admin";
    token.used_by = {{"edge-1", from_ms(1)}};

    const Result<Token> read = token_from_row("t", to_row(token));

    REQUIRE(read.has_value());
    CHECK(to_row(*read) == to_row(token));
    CHECK(read->uses_left() == 2);
}

TEST_CASE("a row that is not one of ours says which and what", "[fleet][record]") {
    for (const char* body :
         {"", "[]", "{\"name\": 4}", "{\"facts\": {\"cpu_milli\": \"x\"}}", "{\"labels\": {\"a\": 1}}"}) {
        INFO(body);
        const Result<NodeRecord> read = node_from_row("n-1", body);
        REQUIRE(read.has_error());
        CHECK(read.error().code == store_errc::corrupt);
        CHECK(read.error().detail.find("the stored node 'n-1' cannot be read: ") == 0);
    }
}

TEST_CASE("an address without a port gets the one that everybody uses", "[fleet][record]") {
    CHECK(with_port("vm-1") == "vm-1:7443");
    CHECK(with_port("vm-1:17443") == "vm-1:17443");
    CHECK(with_port("::1") == "[::1]:7443");
    CHECK(with_port("[::1]") == "[::1]:7443");
    CHECK(with_port("[::1]:9") == "[::1]:9");
    CHECK(host_of("vm-1:7443") == "vm-1");
    CHECK(host_of("[::1]:7443") == "::1");
    CHECK(host_of("192.0.2.1:4711") == "192.0.2.1");
}

}  // namespace icos::fleet::test
