// SPDX-License-Identifier: Apache-2.0
#include "codes.hpp"
#include "places.hpp"

#include <catch2/catch.hpp>

#include <fstream>
#include <iterator>
#include <set>

using namespace icos::descriptor;

namespace {

std::string file(std::string_view path) {
    std::ifstream in(std::string(ICOS_SOURCE_DIR) + "/" + std::string(path));
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

TEST_CASE("docs/descriptor.md lists every diagnostic as the table has it", "[descriptor][docs]") {
    const std::string page = file("docs/descriptor.md");
    std::set<std::string_view> codes;

    for (const Code& code : all_codes()) {
        INFO(code.code);
        CHECK(codes.insert(code.code).second);
        CHECK(
            page.find(fmt::format("| {} | {} | {} |", code.code, to_string(code.severity), code.meaning)) !=
            std::string::npos
        );
    }
}

TEST_CASE("the examples are valid without a warning", "[descriptor][docs]") {
    for (const std::string_view name : {"hello", "multi-compose", "volumes", "healthcheck"}) {
        const std::string text = file(fmt::format("config/examples/{}.yaml", name));
        INFO(name);
        CHECK_FALSE(text.empty());
        CHECK(test::parsed(text, {.strict = true}).diagnostics.empty());
        CHECK(test::parsed(text).application.has_value());
    }
}
