// SPDX-License-Identifier: Apache-2.0
#include "sqlite/schema.hpp"

namespace icos::store {

Result<void> migrate(Connection& connection, const std::string& path) {
    const auto newest = static_cast<std::int64_t>(migrations().size());
    const std::int64_t found = connection.integer("PRAGMA user_version");
    if (found > newest) {
        return Error{
            store_errc::newer,
            path + " was written by a later release (schema " + std::to_string(found) + ", this one knows " +
                std::to_string(newest) + ")",
            "install that release again, or restore a backup from before its installation"
        };
    }
    for (std::int64_t version = found; version < newest; ++version) {
        Transaction transaction(connection);
        connection.execute(std::string(migrations()[static_cast<std::size_t>(version)].sql));
        connection.execute("PRAGMA user_version = " + std::to_string(version + 1));
        transaction.commit();
    }
    return {};
}

}  // namespace icos::store
