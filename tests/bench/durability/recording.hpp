// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace icos::bench {

/// A value of a column: text, number or NULL, as SQLite keeps it.
struct Value {
    enum class Type { null, integer, text };
    Type type = Type::null;
    std::int64_t number = 0;
    std::string text;
};
/// One row that a commit wrote, as the parameters of a statement.
struct Write {
    enum class Table { resources, history, events };
    Table table = Table::resources;
    std::vector<Value> values;
};
/// What one transaction of the controller wrote.
struct Group {
    std::vector<Write> writes;
    std::size_t change_sets = 0;
    std::int64_t last_version = 0;
    std::int64_t last_event = 0;
};
/// The transactions that made a database of the controller what it is, and its schema.
struct Recording {
    std::vector<std::string> schema;
    std::vector<Group> groups;
    std::size_t applies = 0;  ///< `app.accepted` events
};

/// Reads what the controller committed, from a database that it has closed. All rows of a transaction carry
/// the time of its begin, and every application has an event and an image in the history for each of its
/// commits, so nothing is guessed. Two transactions within one millisecond become one, which is to the
/// advantage of who replays them.
Recording read_recording(const std::string& database);

/// Writes the groups through plain SQLite with the controller's settings, each in one transaction, to a new
/// database in `directory`. Returns the seconds that took.
double replay(const Recording& recording, const std::string& directory);

}  // namespace icos::bench
