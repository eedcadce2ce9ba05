// SPDX-License-Identifier: Apache-2.0
// Everything the system keeps in files, against a power cut at every offset of every write, and against a
// disk that is full at every write.
#include "durable_keeper.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <string>

using namespace icos::sim;

namespace {

void check_power_cuts(const DurableKind& kind, std::uint64_t least_cases) {
    const SweepResult result = cut_power_everywhere(kind);
    CHECK(result.problem == "");
    UNSCOPED_INFO(result.cases << " images after " << result.changes << " changes");
    SUCCEED();
    CHECK(result.cases >= least_cases);
}

void check_full_disk(const DurableKind& kind, std::uint64_t least_cases) {
    for (const bool for_good : {false, true}) {
        INFO((for_good ? "every write from then on" : "one write"));
        const SweepResult result = fill_disk_everywhere(kind, for_good);
        CHECK(result.problem == "");
        CHECK(result.cases >= least_cases);
    }
}

}  // namespace

TEST_CASE("a sweep notices each sync that does nothing", "[simulation][sweep]") {
    std::map<std::string, bool> noticed;
    for (DurableKind kind :
         {small_accepted_log(),
          grown_accepted_log(),
          node_records(),
          node_identity(),
          data_directory(),
          certificate_authority(),
          store(4096)}) {
        kind.step = std::max<std::uint64_t>(kind.step, 64);
        for (const std::string& name : cut_power_everywhere(kind).syncs) {
            if (noticed[name]) continue;
            noticed[name] = !cut_power_everywhere(kind, name).problem.empty();
        }
    }
    // The rollback journal protects only the making of an empty database.
    noticed.erase("store.journal");
    CHECK(noticed.size() >= 13);
    for (const auto& [name, is_noticed] : noticed) {
        INFO(name);
        CHECK(is_noticed);
    }
}

TEST_CASE(
    "peers 23: the accepted log survives a power cut at every byte of every write", "[simulation][sweep]"
) {
    check_power_cuts(small_accepted_log(), 500);
}

TEST_CASE(
    "peers 23: the accepted log survives a power cut anywhere in its compaction", "[simulation][sweep]"
) {
    check_power_cuts(grown_accepted_log(), 20);
}

TEST_CASE(
    "peers 23: the node's records survive a power cut at every byte of every write", "[simulation][sweep]"
) {
    check_power_cuts(node_records(), 100);
}

TEST_CASE(
    "peers 23: a node's key and identity survive a power cut at every byte of every write",
    "[simulation][sweep]"
) {
    check_power_cuts(node_identity(), 500);
}

TEST_CASE(
    "peers 23: the controller's id and admin token survive a power cut at every byte of every write",
    "[simulation][sweep]"
) {
    check_power_cuts(data_directory(), 50);
}

TEST_CASE(
    "peers 23: the certificate authority survives a power cut at every byte of every write",
    "[simulation][sweep]"
) {
    check_power_cuts(certificate_authority(), 1000);
}

TEST_CASE("peers 23: the store survives a power cut in every sector of every write", "[simulation][sweep]") {
    check_power_cuts(store(512), 500);
}

TEST_CASE(
    "peers 21: a full disk at every write of the accepted log loses no accepted set", "[simulation][sweep]"
) {
    check_full_disk(small_accepted_log(), 5);
    check_full_disk(grown_accepted_log(), 12);
}

TEST_CASE(
    "peers 21: a full disk at every write of a node's other files loses nothing", "[simulation][sweep]"
) {
    check_full_disk(node_records(), 6);
    check_full_disk(node_identity(), 6);
}

TEST_CASE(
    "peers 21: a full disk at every write of the controller's other files loses nothing",
    "[simulation][sweep]"
) {
    check_full_disk(data_directory(), 4);
    check_full_disk(certificate_authority(), 4);
}

TEST_CASE(
    "peers 21: a full disk at every write of the store loses nothing that was acknowledged",
    "[simulation][sweep]"
) {
    check_full_disk(store(512), 50);
}

TEST_CASE("every byte of the store's log and database", "[.nightly]") {
    check_power_cuts(store(16), 50'000);
}
