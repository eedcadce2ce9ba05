// SPDX-License-Identifier: Apache-2.0
#include "quantity.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace icos::descriptor;

TEST_CASE("cpu is cores or milli-cores, rounded up", "[descriptor][quantity]") {
    CHECK(read_cpu("0.5").value == 500U);
    CHECK(read_cpu("500m").value == 500U);
    CHECK(read_cpu("1").value == 1000U);
    CHECK(read_cpu("1e0").value == 1000U);
    CHECK(read_cpu("0.1").value == 100U);
    CHECK(read_cpu("0.0001").value == 1U);
    CHECK(read_cpu("1.0005").value == 1001U);
    for (const std::string_view text :
         {"", "0", "-1", "m", "12:30", "1_000", "0o10", "0x10", ".inf", "nan", "inf", "1 m", "1e99", "one"}) {
        INFO(text);
        CHECK(read_cpu(text).code == "E042");
    }
}

TEST_CASE("memory follows Kubernetes", "[descriptor][quantity]") {
    struct Case {
        std::string_view text;
        std::uint64_t value;
    };
    for (const Case& c : std::vector<Case>{
             {"1", 1},
             {"200M", 200'000'000},
             {"200Mi", 209'715'200},
             {"1k", 1000},
             {"1Ki", 1024},
             {"1.5Gi", 1'610'612'736},
             {"1e9", 1'000'000'000},
             {"1E", 1'000'000'000'000'000'000},
             {"1Ei", 1'152'921'504'606'846'976},
             {"0.1", 1},
             {"0.3Gi", 322'122'548},
             {"1T", 1'000'000'000'000},
             {"2Pi", 2'251'799'813'685'248},
         }) {
        INFO(c.text);
        CHECK(read_memory(c.text).value == c.value);
        CHECK(read_memory(c.text).message.empty());
    }
}

TEST_CASE("memory in the units of others is read with a remark", "[descriptor][quantity]") {
    CHECK(read_memory("200Mb").value == 200'000'000U);
    CHECK(read_memory("200MB").value == 200'000'000U);
    CHECK(read_memory("2GB").value == 2'000'000'000U);
    CHECK(read_memory("200mi").value == 209'715'200U);
    CHECK(read_memory("200 Mi").value == 209'715'200U);
    CHECK(read_memory("200 Mi").message == "\"200 Mi\" read as \"200Mi\"");
}

TEST_CASE("memory that means nothing is refused", "[descriptor][quantity]") {
    for (const std::string_view text :
         {"", "M", "0", "-1", "200Q", "1_000", ".nan", "1e99", "12:30", "200 ", "99Ei"}) {
        INFO(text);
        if (text == "200 ") {
            CHECK(read_memory(text).value == 200U);
        } else {
            CHECK(read_memory(text).code == "E043");
        }
    }
    CHECK(read_memory(std::string(100'000, '1')).code == "E043");
    CHECK(read_cpu("0." + std::string(100'000, '1')).code == "E042");
    CHECK(read_memory("200m").code == "E045");
    CHECK(read_memory("2K").code == "E045");
}
