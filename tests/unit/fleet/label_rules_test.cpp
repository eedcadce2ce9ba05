// SPDX-License-Identifier: Apache-2.0
#include "fleet/label_rules.hpp"

#include "fleet/error.hpp"

#include <catch2/catch.hpp>

namespace icos::fleet {

TEST_CASE("a label key is a name with an optional DNS prefix", "[fleet][labels]") {
    for (const char* good : {"site", "a", "A-b_c.d", "icos.eu/site", "a.b.c/X_1", "9"}) {
        INFO(good);
        CHECK(is_label_key(good));
    }
    for (const char* bad : {"", "-a", "a-", "a b", "a/", "/a", "a/b/c", "UPPER.eu/x", "é", "a..b/c", "a=b"}) {
        INFO(bad);
        CHECK_FALSE(is_label_key(bad));
    }
    CHECK(is_label_key(std::string(63, 'a')));
    CHECK_FALSE(is_label_key(std::string(64, 'a')));
    CHECK_FALSE(is_label_key(std::string(254, 'a') + "/x"));
}

TEST_CASE("a label value may be empty but not begin or end with punctuation", "[fleet][labels]") {
    for (const char* good : {"", "lab", "1.2.3", "a_b-c"}) CHECK(is_label_value(good));
    for (const char* bad : {"-", "a.", "la b", "a/b", "x\n"}) CHECK_FALSE(is_label_value(bad));
    CHECK_FALSE(is_label_value(std::string(64, 'a')));
}

TEST_CASE("a wrong label is refused with its place", "[fleet][labels]") {
    const Result<void> value = check_labels("labels", {{"ok", "1"}, {"site", "la b"}});
    REQUIRE(value.has_error());
    CHECK(value.error().code == errc::invalid_label);
    CHECK(value.error().detail == "labels.site: \"la b\" cannot be the value of a label");

    const Result<void> key = check_labels("labels", {{"-site", "lab"}});
    REQUIRE(key.has_error());
    CHECK(key.error().detail == "labels: \"-site\" cannot be the key of a label");
}

TEST_CASE("what is refused is quoted without control characters and cut", "[fleet][labels]") {
    const Result<void> refused = check_label("labels", "k", "\x1b[31m" + std::string(500, 'x'));
    REQUIRE(refused.has_error());
    CHECK(refused.error().detail.find('\x1b') == std::string::npos);
    CHECK(refused.error().detail.size() < 200);
}

TEST_CASE("a node name is a DNS name", "[fleet][labels]") {
    for (const char* good : {"edge-1", "a", "pi.lab.example", "0"}) CHECK(is_node_name(good));
    for (const char* bad : {"", "Edge", "-a", "a-", "a.", ".a", "a_b", "a b", "a..b"})
        CHECK_FALSE(is_node_name(bad));
    CHECK_FALSE(is_node_name(std::string(64, 'a')));
}

TEST_CASE("a device needs a resource name and an absolute path or none", "[fleet][labels]") {
    CHECK(check_devices("devices", {{"squat.ai/video", "/dev/video0"}, {"nvidia.com/gpu", ""}}).has_value());
    CHECK(check_devices("devices", {{"a", "/dev/0"}, {"a", "/dev/1"}}).has_value());

    const std::vector<std::pair<std::vector<agent::Device>, std::string>> wrong{
        {{{"a b", ""}}, "devices[0].name"},
        {{{"ok", ""}, {"x", "dev/video0"}}, "devices[1].path"},
        {{{"x", "/dev/../etc/shadow"}}, "devices[0].path"},
        {{{"x", "/dev/0"}, {"x", "/dev/0"}}, "devices[1]: "},
    };
    for (const auto& [devices, place] : wrong) {
        INFO(place);
        const Result<void> refused = check_devices("devices", devices);
        REQUIRE(refused.has_error());
        CHECK(refused.error().code == errc::invalid);
        CHECK(refused.error().detail.find(place) == 0);
    }
}

}  // namespace icos::fleet
