// SPDX-License-Identifier: Apache-2.0
#include "agent/accepted_log.hpp"

#include "agent_world.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::test;
using namespace icos::agent;

namespace {

AcceptedSet set_of(const std::vector<std::pair<std::string, std::string>>& entries) {
    AcceptedSet set;
    for (const auto& [id, digest] : entries) set[PlacementId{id}] = make_placement(id, digest, {{"web"}});
    return set;
}

const std::string kKey(Seal::kKeyBytes, 'k');

std::shared_ptr<const Seal> seal_of(const std::string& key = kKey) {
    return std::make_shared<const Seal>(key);
}

std::string appended(std::string log, const AcceptedSet& from, const AcceptedSet& to) {
    ManualRuntime runtime;
    return log + accepted_log_step(runtime, *seal_of(), from, to, desired_digest(to));
}

Replay replayed(std::string_view bytes) {
    return replay_accepted_log(bytes, *seal_of());
}

Result<void> accept(ManualRuntime& runtime, AcceptedLog& log, const AcceptedSet& set) {
    return run(runtime, log.accept(set, desired_digest(set)));
}

}  // namespace

TEST_CASE("a log torn at any byte gives the last set that was committed before it", "[agent][log]") {
    const AcceptedSet first = set_of({{"p1", "d1"}});
    const AcceptedSet second = set_of({{"p1", "d1"}, {"p2", "d2"}});
    const AcceptedSet third = set_of({{"p2", "d3"}});
    const std::string one = appended(accepted_log_header(), {}, first);
    const std::string two = appended(one, first, second);
    const std::string whole = appended(two, second, third);

    for (std::size_t length = 0; length <= whole.size(); ++length) {
        const Replay replay = replayed(std::string_view(whole).substr(0, length));
        const AcceptedSet& expected = length >= whole.size() ? third
                                      : length >= two.size() ? second
                                      : length >= one.size() ? first
                                                             : AcceptedSet();
        INFO("torn at " << length << " of " << whole.size());
        REQUIRE(replay.set == expected);
        REQUIRE(replay.end <= length);
        REQUIRE(replay.digest == desired_digest(expected));
    }
}

TEST_CASE("a flipped bit anywhere never gives a set that was not committed", "[agent][log]") {
    const AcceptedSet first = set_of({{"p1", "d1"}});
    const AcceptedSet second = set_of({{"p1", "d9"}, {"p2", "d2"}});
    const std::string whole = appended(appended(accepted_log_header(), {}, first), first, second);

    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
        const Replay replay = replayed(damaged);
        INFO("flipped in byte " << at);
        const bool known = replay.set.empty() || replay.set == first || replay.set == second;
        REQUIRE(known);
        REQUIRE(replay.set != second);
    }
}

TEST_CASE("after a torn tail the log goes on from what it had", "[agent][log]") {
    const AcceptedSet first = set_of({{"p1", "d1"}});
    const AcceptedSet second = set_of({{"p1", "d1"}, {"p2", "d2"}});
    const std::string one = appended(accepted_log_header(), {}, first);
    const std::string two = appended(one, first, second);
    for (std::size_t length = one.size(); length < two.size(); length += 7) {
        ManualRuntime runtime;
        MemoryDisk disk;
        disk.put("/s/accepted.log", two.substr(0, length));
        {
            AcceptedLog log(runtime, disk, "/s");
            REQUIRE(run(runtime, log.open(seal_of())).has_value());
            CHECK(log.set() == first);
            CHECK(log.is_whole() == (length == one.size()));
            REQUIRE(accept(runtime, log, second).has_value());
        }
        AcceptedLog again(runtime, disk, "/s");
        REQUIRE(run(runtime, again.open(seal_of())).has_value());
        CHECK(again.set() == second);
        CHECK(again.is_whole());
    }
}

TEST_CASE("an accepted set survives a power loss right after", "[agent][log]") {
    ManualRuntime runtime;
    MemoryDisk disk;
    const AcceptedSet set = set_of({{"p1", "d1"}});
    {
        AcceptedLog log(runtime, disk, "/s");
        REQUIRE(run(runtime, log.open(seal_of())).has_value());
        REQUIRE(accept(runtime, log, set).has_value());
    }
    disk.lose_power();

    AcceptedLog again(runtime, disk, "/s");
    REQUIRE(run(runtime, again.open(seal_of())).has_value());
    CHECK(again.set() == set);
}

TEST_CASE(
    "what a killed agent had written but not synced is made durable before it is used", "[agent][log]"
) {
    ManualRuntime runtime;
    MemoryDisk disk;
    const AcceptedSet first = set_of({{"p1", "d1"}});
    const AcceptedSet second = set_of({{"p1", "d1"}, {"p2", "d2"}});
    std::string durable;
    {
        AcceptedLog log(runtime, disk, "/s");
        REQUIRE(run(runtime, log.open(seal_of())).has_value());
        REQUIRE(accept(runtime, log, first).has_value());
        durable = disk.content("/s/accepted.log");
        REQUIRE(accept(runtime, log, second).has_value());
    }
    disk.files().at("/s/accepted.log")->synced = durable;  // killed after the write, before the sync

    AcceptedLog next(runtime, disk, "/s");
    REQUIRE(run(runtime, next.open(seal_of())).has_value());
    REQUIRE(next.set() == second);
    disk.lose_power();

    AcceptedLog again(runtime, disk, "/s");
    REQUIRE(run(runtime, again.open(seal_of())).has_value());
    CHECK(again.set() == second);
}

TEST_CASE("a full disk refuses the set and keeps the old one, also over a restart", "[agent][log]") {
    ManualRuntime runtime;
    MemoryDisk disk;
    const AcceptedSet first = set_of({{"p1", "d1"}});
    const AcceptedSet second = set_of({{"p1", "d1"}, {"p2", "d2"}});
    AcceptedLog log(runtime, disk, "/s");
    REQUIRE(run(runtime, log.open(seal_of())).has_value());
    REQUIRE(accept(runtime, log, first).has_value());

    disk.is_full = true;
    const Result<void> refused = accept(runtime, log, second);
    REQUIRE(refused.has_error());
    CHECK(refused.error().code == store_errc::full);
    CHECK(log.set() == first);
    AcceptedLog again(runtime, disk, "/s");
    REQUIRE(run(runtime, again.open(seal_of())).has_value());
    CHECK(again.set() == first);

    disk.is_full = false;
    CHECK(accept(runtime, log, second).has_value());
    CHECK(log.set() == second);
}

TEST_CASE("a log that grew far beyond its set is written anew, durably", "[agent][log]") {
    ManualRuntime runtime;
    MemoryDisk disk;
    AcceptedLog log(runtime, disk, "/s");
    REQUIRE(run(runtime, log.open(seal_of())).has_value());
    const std::string ballast(100'000, 'x');
    AcceptedSet set;
    for (int i = 0; i < 30; ++i) {
        DesiredPlacement placement = make_placement("p1", "d" + std::to_string(i), {{"web"}});
        placement.environment["BALLAST"] = ballast;
        set[placement.placement] = placement;
        REQUIRE(accept(runtime, log, set).has_value());
        CHECK(log.size() <= (1U << 20U) + 2 * ballast.size());
    }
    CHECK(log.compactions() >= 2);
    disk.lose_power();

    AcceptedLog again(runtime, disk, "/s");
    REQUIRE(run(runtime, again.open(seal_of())).has_value());
    CHECK(again.set() == set);
}

TEST_CASE("accepting the same set again writes nothing", "[agent][log]") {
    ManualRuntime runtime;
    MemoryDisk disk;
    AcceptedLog log(runtime, disk, "/s");
    REQUIRE(run(runtime, log.open(seal_of())).has_value());
    const AcceptedSet set = set_of({{"p1", "d1"}});
    REQUIRE(accept(runtime, log, set).has_value());
    const std::uint64_t written = disk.bytes_written;

    REQUIRE(accept(runtime, log, set).has_value());

    CHECK(disk.bytes_written == written);
}

TEST_CASE("a file that is no log is put aside, not overwritten", "[agent][log]") {
    ManualRuntime runtime;
    MemoryDisk disk;
    disk.put("/s/accepted.log", "something else");
    AcceptedLog log(runtime, disk, "/s");

    REQUIRE(run(runtime, log.open(seal_of())).has_value());

    CHECK(log.set().empty());
    CHECK_FALSE(log.is_whole());
    CHECK(disk.content("/s/accepted.log.damaged") == "something else");
}
