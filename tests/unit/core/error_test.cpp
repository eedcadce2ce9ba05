// SPDX-License-Identifier: Apache-2.0
#include "icos/core/error.hpp"

#include <boost/system/errc.hpp>
#include <boost/system/system_error.hpp>
#include <catch2/catch.hpp>

using icos::errc;
using icos::Error;
using icos::ErrorKind;

TEST_CASE("a stable code is the domain's name and the entry's name", "[core][error]") {
    CHECK(icos::stable_code(Error{errc::invalid, ""}) == "core.invalid");
    CHECK(icos::stable_code(Error{errc::busy, ""}) == "core.busy");
    CHECK(icos::kind_of(Error{errc::too_large, ""}) == ErrorKind::too_large);
    CHECK(icos::kind_of(Error{errc::not_found, ""}) == ErrorKind::not_found);
}

TEST_CASE("a foreign code is named by its category and counts as internal", "[core][error]") {
    const Error error{make_error_code(boost::system::errc::no_such_file_or_directory), "x"};

    CHECK(icos::stable_code(error) == "generic.2");
    CHECK(icos::kind_of(error) == ErrorKind::internal);
}

TEST_CASE("a described error shows detail, code and hint on one line", "[core][error]") {
    CHECK(
        icos::describe(Error{errc::io, "cannot open a", "check it"}) == "cannot open a [core.io]; check it"
    );
    CHECK(icos::describe(Error{errc::io, "cannot open a"}) == "cannot open a [core.io]");
}

TEST_CASE("asking a failed result for its value throws with the code", "[core][error]") {
    const icos::Result<int> failed = Error{errc::timed_out, "too slow"};

    try {
        static_cast<void>(failed.value());
        FAIL("value() returned");
    } catch (const boost::system::system_error& error) {
        CHECK(error.code() == errc::timed_out);
        CHECK(std::string(error.what()).find("too slow") != std::string::npos);
    }
}
