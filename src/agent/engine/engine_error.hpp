// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/engine.hpp"

#include <string>
#include <string_view>

namespace icos::agent {

/// What an answer of the engine with this status and body stands for. `doing` is what was asked, with its
/// subject: "start container 'x'". The engine's words are in the detail.
Error engine_error(unsigned status, std::string_view body, std::string_view doing);
/// The same for the words alone, as they come inside a stream or in a container's state.
Error engine_error_from_words(std::string_view words, std::string_view doing, engine_errc fallback);
/// The engine could not be asked: which socket, why, and what to do.
Error unreachable_error(const Error& cause, const std::string& socket);

}  // namespace icos::agent
