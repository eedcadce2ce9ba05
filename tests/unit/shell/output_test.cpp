// SPDX-License-Identifier: Apache-2.0
#include "output/document.hpp"
#include "output/format.hpp"
#include "output/table.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::shell;
using namespace std::chrono_literals;

TEST_CASE("columns are as wide as their widest cell and lines have no trailing spaces", "[shell]") {
    Table table({"NAME", "STATE"});
    table.row({"a-long-name", "ok"});
    table.row({"b", "running"});

    CHECK(table.text() == "NAME         STATE\na-long-name  ok\nb            running\n");
}

TEST_CASE("colours and multi-byte characters do not shift columns", "[shell]") {
    Table table({});
    table.row({paint(true, "green", "ok"), "x"});
    table.row({"µµ", "y"});

    CHECK(table.text() == "\x1b[32mok\x1b[0m  x\nµµ  y\n");
}

TEST_CASE("spans read as people say them", "[shell]") {
    CHECK(span(2s) == "2 s");
    CHECK(span(99s) == "99 s");
    CHECK(span(125s) == "2 min");
    CHECK(span(5h) == "5 h");
    CHECK(span(72h) == "3 d");
    CHECK(span(-5s) == "0 s");
}

TEST_CASE("quantities are short and exact enough", "[shell]") {
    CHECK(cores(4000) == "4");
    CHECK(cores(3600) == "3.6");
    CHECK(cores(50) == "0.05");
    CHECK(memory(8'375'186'227ULL) == "7.8Gi");
    CHECK(memory(12ULL << 20U) == "12Mi");
    CHECK(memory(200) == "200");
    CHECK(elapsed(820ms) == "820 ms");
    CHECK(elapsed(3400ms) == "3.4 s");
    CHECK(elapsed(125s) == "2 min 5 s");
}

TEST_CASE("what is not known is shown as a dash", "[shell]") {
    const auto node = boost::json::parse(R"({"a": null, "labels": {}, "b": "x"})");

    CHECK(or_dash(text_of(node, "a")) == "-");
    CHECK(or_dash(text_of(node, "missing")) == "-");
    CHECK(or_dash(text_of(node, "b")) == "x");
    CHECK(pairs_of(node, "labels") == "-");
    CHECK(ago("", WallTime{}) == "-");
}

TEST_CASE("YAML output reads back as what it was", "[shell]") {
    const auto value = boost::json::parse(
        R"({"name": "yes", "version": "1.0", "count": 3, "none": null, "list": [], "text": "a b"})"
    );

    CHECK(to_yaml(value) == "name: \"yes\"\nversion: \"1.0\"\ncount: 3\nnone: ~\nlist: []\ntext: a b\n");
}

TEST_CASE("JSON output is indented and keeps the order", "[shell]") {
    const auto value = boost::json::parse(R"({"b": [1, 2], "a": {}})");

    CHECK(to_pretty_json(value) == "{\n  \"b\": [\n    1,\n    2\n  ],\n  \"a\": {}\n}\n");
}
