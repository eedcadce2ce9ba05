// SPDX-License-Identifier: Apache-2.0
#include "icos/link/digest.hpp"

#include "icos/link/text.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace icos::link;

TEST_CASE("SHA-256 gives the published test vectors", "[link][digest]") {
    CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("base64url gives the vectors of RFC 4648 and reads them back", "[link][digest]") {
    for (const auto& [plain, encoded] :
         {std::pair{"", ""},
          {"f", "Zg"},
          {"fo", "Zm8"},
          {"foo", "Zm9v"},
          {"foob", "Zm9vYg"},
          {"fooba", "Zm9vYmE"},
          {"foobar", "Zm9vYmFy"}}) {
        CHECK(to_base64url(plain) == encoded);
        CHECK(from_base64url(encoded) == std::string(plain));
    }
    CHECK(to_base64url("\xfb\xff") == "-_8");
}

TEST_CASE("base64url has one text for each value", "[link][digest]") {
    CHECK_FALSE(from_base64url("Zg=="));
    CHECK_FALSE(from_base64url("Zh"));
    CHECK_FALSE(from_base64url("Z"));
    CHECK_FALSE(from_base64url("Zm9+"));
}

TEST_CASE("a join token carries the authority's hash and the secret", "[link][digest]") {
    const JoinToken token{sha256_hex("authority"), std::string(18, 's')};
    const std::string text = format_join_token(token);

    CHECK(text.rfind("icos1.", 0) == 0);
    const auto parsed = parse_join_token(text);
    REQUIRE(parsed);
    CHECK(parsed->ca_pin == token.ca_pin);
    CHECK(parsed->secret == token.secret);
    for (const std::string& broken : std::vector<std::string>{
             "", "icos1.", "icos1.abc.def", "icos2" + text.substr(5), text.substr(0, text.size() - 20)
         }) {
        CHECK_FALSE(parse_join_token(broken));
    }
}

TEST_CASE("what is not UTF-8 is replaced, the rest stays", "[link][text]") {
    CHECK(to_valid_utf8("gr\xc3\xbc\xc3\x9f") == "gr\xc3\xbc\xc3\x9f");
    CHECK(
        to_valid_utf8("a\xff"
                      "b") ==
        "a\xef\xbf\xbd"
        "b"
    );
    CHECK_FALSE(is_valid_utf8("\xc0\xaf"));          // overlong
    CHECK_FALSE(is_valid_utf8("\xed\xa0\x80"));      // surrogate
    CHECK_FALSE(is_valid_utf8("\xf4\x90\x80\x80"));  // beyond Unicode
    CHECK(is_valid_utf8("\xf0\x9f\x9a\x80"));
}
