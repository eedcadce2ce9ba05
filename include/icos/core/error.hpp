// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/system/error_category.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace boost::json {
class object;
}

namespace icos {

/// What kind of failure a code stands for. One table (src/http/problem.cpp) maps kinds to HTTP statuses, and
/// one (src/shell) maps them to exit codes, so a module only says which kind each of its codes is.
enum class ErrorKind {
    invalid = 1,      ///< 400 the request itself is malformed
    unauthenticated,  ///< 401
    forbidden,        ///< 403
    not_found,        ///< 404
    method,           ///< 405
    timed_out,        ///< 504
    conflict,         ///< 409
    gone,             ///< 410
    precondition,     ///< 412 If-Match did not hold
    too_large,        ///< 413 a documented limit was exceeded
    unprocessable,    ///< 422 well-formed, but its content is wrong (a descriptor with errors)
    busy,             ///< 429 a bounded queue is full, try again
    internal,         ///< 500 a bug; the answer carries no internals
    upstream,         ///< 502 another party (engine, registry, node) answered with an error
    unavailable,      ///< 503 not now: node away, shutting down
    storage_full,     ///< 507
};

/// One row of a module's error table; the row index is the enumerator's value minus one.
struct ErrorEntry {
    std::string_view name;  ///< snake_case, the part after the dot of the stable code ("not_found")
    ErrorKind kind;
};

/// An error category made from a table. `name()` is the part before the dot of the stable code ("app").
class ErrorDomain : public boost::system::error_category {
public:
    constexpr ErrorDomain(const char* name, std::span<const ErrorEntry> entries) noexcept
        : name_(name), entries_(entries) {}
    const char* name() const noexcept override { return name_; }
    std::string message(int value) const override;
    ErrorKind kind(int value) const noexcept;

private:
    const char* name_;
    std::span<const ErrorEntry> entries_;
};

/// Why an operation failed: a code callers branch on, a detail and a hint humans read.
struct Error {
    boost::system::error_code code;
    std::string detail;                                  ///< what went wrong, with the subject and its place
    std::string hint{};                                  ///< what would fix it; may be empty
    std::shared_ptr<const boost::json::object> extra{};  ///< further members of the problem document, or null
};

/// Stable code as answers carry it, e.g. "app.not_found". Codes of foreign categories read
/// "<category>.<value>".
std::string stable_code(const Error& error);
/// Kind of the code; `internal` for categories that are not an ErrorDomain.
ErrorKind kind_of(const Error& error) noexcept;
/// "detail [code]; hint" on one line, for logs and terminals.
std::string describe(const Error& error);
/// As describe(); test output and Boost.System use it.
std::ostream& operator<<(std::ostream& out, const Error& error);

/// Found by Boost.System when `Result::value()` is called on an error.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

template <class T>
using Result = boost::system::result<T, Error>;

/// Errors that belong to no module.
enum class errc { invalid = 1, timed_out, cancelled, unavailable, io, too_large, internal, not_found, busy };
const ErrorDomain& core_domain() noexcept;
inline boost::system::error_code make_error_code(errc e) noexcept {
    return {static_cast<int>(e), core_domain()};
}

}  // namespace icos

template <>
struct boost::system::is_error_code_enum<icos::errc> : std::true_type {};
