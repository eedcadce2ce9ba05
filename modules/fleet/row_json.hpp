// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/core/error.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace icos::fleet {

namespace json = boost::json;

json::array devices_to_json(const std::vector<agent::Device>& devices);

/// Reads a stored row; remembers the first member that does not fit. Absent members are empty.
class RowReader {
public:
    RowReader(std::string_view kind, std::string_view id, std::string_view body);

    const json::value* find(std::string_view member) const;
    std::string text(std::string_view member);
    std::int64_t integer(std::string_view member);
    bool boolean(std::string_view member);
    std::map<std::string, std::optional<std::string>> labels(std::string_view member);
    std::vector<agent::Device> devices(std::string_view member);
    const json::array& list(std::string_view member);

    const std::optional<Error>& error() const noexcept { return error_; }
    Error corrupt(std::string_view what) const;

private:
    void fail(std::string_view member, std::string_view expected);

    std::string subject_;
    json::object object_;
    std::optional<Error> error_;
};

}  // namespace icos::fleet
