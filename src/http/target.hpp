// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"
#include "icos/http/message.hpp"

#include <string>
#include <string_view>

namespace icos::http {

/// A request target (RFC 9112, 3.2.1 and 3.2.2), decoded.
struct Target {
    std::string path;
    std::map<std::string, std::string, std::less<>> query;
};

/// Splits and decodes `text`. http.bad_request for what is not a path, a broken `%` sequence, an encoded
/// slash or NUL in the path (they would change what the path means after decoding), or bytes outside
/// printable ASCII.
Result<Target> parse_target(std::string_view text);

/// The standard phrase of a status code, "" for codes without one.
std::string_view reason_phrase(unsigned status) noexcept;

}  // namespace icos::http
