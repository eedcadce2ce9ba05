// SPDX-License-Identifier: Apache-2.0
#include "matchmaker/quantity_text.hpp"

#include <catch2/catch.hpp>

using namespace icos::matchmaker;

TEST_CASE("memory is written in the family of units its reader used", "[matchmaker]") {
    CHECK(memory_text(6'549'825'126ULL, "7Gi") == "6Gi");
    CHECK(memory_text(6'657'199'308ULL, "7Gi") == "6.1Gi");
    CHECK(memory_text(120'000'000, "200M") == "120M");
    CHECK(memory_text(125'829'120, "200Mi") == "120Mi");
    CHECK(memory_text(1'500'000'000, "200Mb") == "1.5G");
    CHECK(memory_text(512, "1Gi") == "512");
    CHECK(memory_text(0) == "0");
}

TEST_CASE("an amount of memory is never rounded up", "[matchmaker]") {
    CHECK(memory_text((1ULL << 30U) - 1) == "1023.9Mi");
    CHECK(memory_text(1'999'999'999, "1G") == "1.9G");
}

TEST_CASE("cpu is written in cores unless its reader used milli-cores", "[matchmaker]") {
    CHECK(cpu_text(1500, "2") == "1.5");
    CHECK(cpu_text(2000) == "2");
    CHECK(cpu_text(250) == "0.25");
    CHECK(cpu_text(5) == "0.005");
    CHECK(cpu_text(250, "500m") == "250m");
}

TEST_CASE("ages use one unit", "[matchmaker]") {
    CHECK(age_text(-5) == "0 s");
    CHECK(age_text(59'999) == "59 s");
    CHECK(age_text(240'000) == "4 min");
    CHECK(age_text(2 * 3'600'000) == "2 h");
    CHECK(age_text(3 * 86'400'000LL) == "3 d");
}
