// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace icos {

struct LogField {
    std::string_view key;
    std::string value;
    LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
    LogField(std::string_view k, const char* v) : key(k), value(v) {}
    LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
    LogField(std::string_view k, std::integral auto v) : key(k), value(std::to_string(v)) {}
};

enum class LogLevel { debug, info, warning, error };

/// A named source of structured log lines. Cheap to copy; usable from any thread. Never pass a secret: there
/// is no redaction behind this. Text: `<time> <level> <name>: <message> key='value'`; JSON: one object a
/// line.
class Log {
public:
    explicit Log(std::string_view name) : name_(name) {}
    using Fields = std::initializer_list<LogField>;
    void debug(std::string_view message, Fields fields = {}) const {
        write(LogLevel::debug, message, fields);
    }
    void info(std::string_view message, Fields fields = {}) const { write(LogLevel::info, message, fields); }
    void warning(std::string_view message, Fields fields = {}) const {
        write(LogLevel::warning, message, fields);
    }
    void error(std::string_view message, Fields fields = {}) const {
        write(LogLevel::error, message, fields);
    }
    /// The field set of an error: detail, code and hint.
    void warning(std::string_view message, const Error& error) const;
    void error(std::string_view message, const Error& error) const;

private:
    void write(LogLevel level, std::string_view message, Fields fields) const;
    std::string name_;
};

enum class LogFormat { text, json };
struct LogSettings {
    LogLevel level = LogLevel::info;
    LogFormat format = LogFormat::text;
    bool to_stderr = true;  ///< false: nothing is written (tests, simulation)
};
/// Process-wide; called once at start. Before it, and in tests, warnings and errors go to stderr as text.
void configure_logging(const LogSettings& settings);

}  // namespace icos
