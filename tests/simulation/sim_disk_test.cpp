// SPDX-License-Identifier: Apache-2.0
#include "sim_disk.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace icos;
using namespace icos::sim;

namespace {

std::unique_ptr<SimDisk> make_disk(std::string ignored = {}) {
    auto ledger = std::make_shared<SyncLedger>();
    ledger->ignored = std::move(ignored);
    auto disk = std::make_unique<SimDisk>("agent", ledger);
    REQUIRE_FALSE(disk->make_directory("state").has_error());
    return disk;
}

void write_file(SimDisk& disk, const std::string& path, std::string_view bytes, bool sync) {
    auto file = disk.open(path);
    REQUIRE(file.has_value());
    REQUIRE_FALSE((*file)->write(0, bytes).has_error());
    if (sync) REQUIRE_FALSE((*file)->sync().has_error());
}

/// Contents of `path` that power losses leave; "-" stands for an absent file.
std::set<std::string> survivors(const SimDisk& disk, const std::string& path) {
    std::set<std::string> seen;
    Rng rng(1);
    for (int i = 0; i < 300; ++i) {
        const auto left = disk.after(Ending::power_loss, rng);
        seen.insert(left->exists(path) ? *left->read_all(path) : "-");
    }
    return seen;
}

}  // namespace

TEST_CASE("a killed process leaves all it wrote", "[simulation]") {
    const auto disk = make_disk();
    write_file(*disk, "state/a", "hello", false);
    Rng rng(1);

    const auto next = disk->after(Ending::kill, rng);

    CHECK(*next->read_all("state/a") == "hello");
    CHECK(survivors(*next, "state/a").contains("-"));
}

TEST_CASE("a synced file in a synced directory survives a power loss", "[simulation]") {
    const auto disk = make_disk();
    write_file(*disk, "state/a", "hello", true);
    REQUIRE_FALSE(disk->sync_directory("state").has_error());

    CHECK(survivors(*disk, "state/a") == std::set<std::string>{"hello"});
}

TEST_CASE("a file whose directory was not synced may be absent after a power loss", "[simulation]") {
    const auto disk = make_disk();
    write_file(*disk, "state/a", "hello", true);

    CHECK(survivors(*disk, "state/a") == std::set<std::string>{"-", "hello"});
}

TEST_CASE("an unsynced write survives wholly, in torn sectors or not at all", "[simulation]") {
    const auto disk = make_disk();
    write_file(*disk, "state/a", std::string(1024, 'a'), true);
    REQUIRE_FALSE(disk->sync_directory("state").has_error());
    write_file(*disk, "state/a", std::string(1024, 'b'), false);

    const auto seen = survivors(*disk, "state/a");
    CHECK(seen.contains(std::string(1024, 'a')));
    CHECK(seen.contains(std::string(1024, 'b')));
    CHECK(seen.contains(std::string(512, 'a') + std::string(512, 'b')));
    CHECK(seen.contains(std::string(512, 'b') + std::string(512, 'a')));
    CHECK(seen.size() == 4);
}

TEST_CASE("a rename is one step: the old file or the new one", "[simulation]") {
    const auto disk = make_disk();
    write_file(*disk, "state/a", "old", true);
    REQUIRE_FALSE(disk->sync_directory("state").has_error());
    write_file(*disk, "state/a.tmp", "new", true);
    REQUIRE_FALSE(disk->rename("state/a.tmp", "state/a").has_error());

    CHECK(survivors(*disk, "state/a") == std::set<std::string>{"old", "new"});
}

TEST_CASE("a sync that lies leaves nothing durable, and only that one", "[simulation]") {
    const auto disk = make_disk("agent.a");
    write_file(*disk, "state/a", "hello", true);
    write_file(*disk, "state/b", "hello", true);
    REQUIRE_FALSE(disk->sync_directory("state").has_error());

    CHECK(survivors(*disk, "state/a").size() > 1);
    CHECK(survivors(*disk, "state/b").size() == 1);
}

TEST_CASE("a full disk refuses growth with store.full and takes the rest", "[simulation]") {
    const auto disk = make_disk();
    write_file(*disk, "state/a", "hello", true);
    disk->set_full(true);
    auto file = disk->open("state/a");

    CHECK(stable_code((*file)->write(5, "more").error()) == "store.full");
    CHECK_FALSE((*file)->write(0, "HELLO").has_error());
}
