// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"

#include <string>

namespace icos::agent {

/// One engine serves one agent: who has it. Called on Pool::blocking.
class EngineClaim {
public:
    virtual ~EngineClaim() = default;
    /// The engine with this id is this agent's from now on, until the object goes. engine.conflict, naming
    /// the other one, while another agent has it. Taking what one has already is fine.
    virtual Result<void> take(const std::string& engine_id) = 0;
};

}  // namespace icos::agent
