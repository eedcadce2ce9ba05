// SPDX-License-Identifier: Apache-2.0
#include "icos/async/backoff.hpp"
#include "icos/async/runtime.hpp"
#include "manual_runtime.hpp"

#include <catch2/catch.hpp>

#include <regex>

using icos::Duration;
using icos::test::ManualRuntime;

TEST_CASE("a UUID is version 4 in lower case, and one seed gives one sequence", "[async][random]") {
    ManualRuntime a(7);
    ManualRuntime b(7);

    const std::string first = icos::make_uuid(a);

    CHECK(std::regex_match(
        first, std::regex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    ));
    CHECK(icos::make_uuid(b) == first);
    CHECK(icos::make_uuid(a) != first);
    CHECK(icos::random_hex(a, 5).size() == 10);
}

TEST_CASE("backoff draws from a range that doubles up to its cap", "[async][backoff]") {
    ManualRuntime runtime;
    const std::int64_t limits[] = {100, 200, 400, 500, 500};
    std::int64_t highest[] = {0, 0, 0, 0, 0};
    for (int round = 0; round < 400; ++round) {
        icos::Backoff backoff({Duration{100}, Duration{500}});
        for (std::size_t i = 0; i < 5; ++i) {
            const std::int64_t delay = backoff.next(runtime).count();
            REQUIRE(delay >= 0);
            REQUIRE(delay <= limits[i]);
            highest[i] = std::max(highest[i], delay);
        }
        REQUIRE(backoff.attempts() == 5);
    }
    for (std::size_t i = 0; i < 5; ++i) CHECK(highest[i] > limits[i] * 9 / 10);
}

TEST_CASE("backoff starts over after a reset and survives many attempts", "[async][backoff]") {
    ManualRuntime runtime;
    icos::Backoff backoff({Duration{10}, Duration{30'000}});
    for (int i = 0; i < 1000; ++i) REQUIRE(backoff.next(runtime) <= Duration{30'000});

    backoff.reset();

    CHECK(backoff.attempts() == 0);
    CHECK(backoff.next(runtime) <= Duration{10});
}
