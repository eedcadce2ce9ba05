// SPDX-License-Identifier: Apache-2.0
#include "fleet/desired_sync.hpp"

#include "fleet_world.hpp"

#include <catch2/catch.hpp>

namespace icos::fleet::test {
namespace {

const BootTime kNow{std::chrono::hours(1)};
constexpr std::uint64_t kDurable = 100;
constexpr Duration kAcceptTime{60'000};

DesiredSync fresh(std::string accepted = "something else") {
    return DesiredSync(std::move(accepted), kAcceptTime);
}

}  // namespace

TEST_CASE("nothing is sent before somebody said what the node shall run", "[fleet][desired]") {
    DesiredSync sync = fresh();
    const DesiredSync::Step step = sync.next(kNow, kDurable);
    CHECK_FALSE(step.send.has_value());
    CHECK_FALSE(step.look_again.has_value());
}

TEST_CASE("a node that has the plan already gets nothing, then steps", "[fleet][desired]") {
    const auto first = plan({placement("a", "1"), placement("b", "1")});
    DesiredSync sync = fresh(first->digest);
    sync.offer(first);
    CHECK_FALSE(sync.next(kNow, kDurable).send.has_value());

    sync.offer(plan({placement("b", "2"), placement("c", "1")}));
    const auto step = sync.next(kNow, kDurable);

    REQUIRE(step.send.has_value());
    CHECK(step.send->base == first->digest);
    REQUIRE(step.send->upsert.size() == 2);
    CHECK(step.send->upsert.at(0).placement.value == "b");
    CHECK(step.send->upsert.at(1).placement.value == "c");
    CHECK(step.send->remove == std::vector<PlacementId>{PlacementId{"a"}});
}

TEST_CASE("a node that has the plan is told so once, when it is durable", "[fleet][desired]") {
    TargetPlan late = *plan({placement("a", "1")});
    late.version = kDurable;
    const auto first = std::make_shared<const TargetPlan>(late);
    DesiredSync sync = fresh(first->digest);
    CHECK_FALSE(sync.next(kNow, kDurable).confirm.has_value());
    sync.offer(first);
    CHECK_FALSE(sync.next(kNow, kDurable - 1).confirm.has_value());
    CHECK(sync.next(kNow, kDurable).confirm == first->digest);
    CHECK_FALSE(sync.next(kNow, kDurable).confirm.has_value());

    const auto second = plan({placement("a", "2")});
    sync.offer(second);
    REQUIRE(sync.next(kNow, kDurable).send.has_value());
    sync.accepted(second->digest, false, kNow);
    CHECK_FALSE(sync.next(kNow, kDurable).confirm.has_value());
}

TEST_CASE("an unknown set is replaced as a whole", "[fleet][desired]") {
    DesiredSync sync = fresh();
    sync.offer(plan({placement("a", "1")}));
    const auto step = sync.next(kNow, kDurable);
    REQUIRE(step.send.has_value());
    CHECK(step.send->base.empty());
    CHECK(step.send->upsert.size() == 1);
}

TEST_CASE("one set is under way at a time, and the latest plan wins", "[fleet][desired]") {
    DesiredSync sync = fresh();
    const auto first = plan({placement("a", "1")});
    sync.offer(first);
    REQUIRE(sync.next(kNow, kDurable).send.has_value());
    sync.offer(plan({placement("a", "2")}));
    sync.offer(plan({placement("a", "3")}));
    CHECK_FALSE(sync.next(kNow, kDurable).send.has_value());

    sync.accepted(first->digest, false, kNow);
    const auto step = sync.next(kNow, kDurable);

    REQUIRE(step.send.has_value());
    CHECK(step.send->base == first->digest);
    CHECK(step.send->upsert.at(0).digest == "3");
}

TEST_CASE("a plan that went back to what the node has is not sent", "[fleet][desired]") {
    const auto first = plan({placement("a", "1")});
    const auto second = plan({placement("a", "2")});
    DesiredSync sync = fresh(first->digest);
    sync.offer(first);
    sync.offer(second);
    sync.offer(first);
    CHECK_FALSE(sync.next(kNow, kDurable).send.has_value());
}

TEST_CASE("a plan waits until the version it was made from is durable", "[fleet][desired]") {
    DesiredSync sync = fresh();
    sync.offer(plan({placement("a", "1")}, kDurable + 1));

    const auto early = sync.next(kNow, kDurable);
    CHECK_FALSE(early.send.has_value());
    CHECK(early.look_again.has_value());
    CHECK(sync.next(kNow, kDurable + 1).send.has_value());
}

TEST_CASE("a node that cannot apply a step gets the whole set", "[fleet][desired]") {
    const auto first = plan({placement("a", "1")});
    DesiredSync sync = fresh(first->digest);
    sync.offer(first);
    sync.offer(plan({placement("a", "1"), placement("b", "1")}));
    REQUIRE_FALSE(sync.next(kNow, kDurable).send->base.empty());

    sync.resend(kNow);
    const auto step = sync.next(kNow, kDurable);

    REQUIRE(step.send.has_value());
    CHECK(step.send->base.empty());
    CHECK(step.send->upsert.size() == 2);
}

TEST_CASE("a node that has a problem is asked again later, with the same step", "[fleet][desired]") {
    const auto first = plan({placement("a", "1")});
    DesiredSync sync = fresh(first->digest);
    sync.offer(first);
    const auto second = plan({placement("a", "2")});
    sync.offer(second);
    REQUIRE(sync.next(kNow, kDurable).send.has_value());

    sync.accepted(second->digest, true, kNow + Duration{30'000});

    CHECK_FALSE(sync.next(kNow, kDurable).send.has_value());
    CHECK(sync.next(kNow, kDurable).look_again == kNow + Duration{30'000});
    const auto again = sync.next(kNow + Duration{30'000}, kDurable);
    REQUIRE(again.send.has_value());
    CHECK(again.send->base == first->digest);
}

TEST_CASE("a set that is never confirmed is sent again as a whole", "[fleet][desired]") {
    const auto first = plan({placement("a", "1")});
    DesiredSync sync = fresh(first->digest);
    sync.offer(first);
    sync.offer(plan({placement("a", "2")}));
    REQUIRE(sync.next(kNow, kDurable).send.has_value());
    CHECK(sync.next(kNow, kDurable).look_again == kNow + kAcceptTime);

    const auto again = sync.next(kNow + kAcceptTime, kDurable);

    REQUIRE(again.send.has_value());
    CHECK(again.send->base.empty());
    CHECK(sync.repeats() == 1);
}

TEST_CASE("a set that the node took from elsewhere is corrected as a whole", "[fleet][desired]") {
    const auto first = plan({placement("a", "1")});
    DesiredSync sync = fresh(first->digest);
    sync.offer(first);
    REQUIRE_FALSE(sync.next(kNow, kDurable).send.has_value());

    sync.accepted("a set that nobody sent", false, kNow);
    const auto step = sync.next(kNow, kDurable);

    REQUIRE(step.send.has_value());
    CHECK(step.send->base.empty());
}

TEST_CASE("applying a step to its base gives the plan", "[fleet][desired]") {
    const auto from = plan({placement("a", "1"), placement("b", "1"), placement("c", "1")});
    const auto to = plan({placement("b", "2"), placement("c", "1"), placement("d", "1")});

    const agent::Desired step = make_desired(from.get(), *to);
    DesiredSet set = from->set;
    for (const PlacementId& id : step.remove) set.erase(id);
    for (const agent::DesiredPlacement& item : step.upsert) set.insert_or_assign(item.placement, item);

    CHECK(agent::desired_digest(set) == step.digest);
    CHECK(step.digest == to->digest);
    CHECK(step.upsert.size() == 2);
}

}  // namespace icos::fleet::test
