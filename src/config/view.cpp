// SPDX-License-Identifier: Apache-2.0
#include "icos/config/view.hpp"

#include "config/value.hpp"

#include <stdexcept>

namespace icos::config {

const std::string& View::text(std::string_view key) const {
    if (values_ != nullptr) {
        if (const auto found = values_->find(key); found != values_->end()) return found->second;
    }
    throw std::logic_error("no configuration key '" + std::string(key) + "' in this section's schema");
}

std::int64_t View::integer(std::string_view key) const {
    return parse_integer(text(key)).value();
}

bool View::boolean(std::string_view key) const {
    return parse_boolean(text(key)).value();
}

Duration View::duration(std::string_view key) const {
    return parse_duration(text(key)).value();
}

std::uint64_t View::bytes(std::string_view key) const {
    return parse_bytes(text(key)).value();
}

std::vector<std::string> View::list(std::string_view key) const {
    return split_list(text(key));
}

View defaults(const Schema& schema) {
    auto values = std::make_shared<std::map<std::string, std::string, std::less<>>>();
    for (const Key& key : schema.keys) values->emplace(key.name, key.fallback);
    return View(std::move(values));
}

}  // namespace icos::config
