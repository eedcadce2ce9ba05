// SPDX-License-Identifier: Apache-2.0
// The only translation unit that includes spdlog, header-only over the fmt that fmt_impl.cpp compiles.
#define SPDLOG_FMT_EXTERNAL
#define SPDLOG_NO_THREAD_ID
#include "icos/core/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <atomic>

namespace icos {
namespace {

constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%eZ %l %v";
constexpr const char* kJsonPattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})";

/// What every Log writes to. The sink has the lock; the two settings are read without it.
class Output {
public:
    Output() : sink_(std::make_shared<spdlog::sinks::stderr_sink_mt>()), logger_("icos", sink_) {
        logger_.flush_on(spdlog::level::trace);
        apply({LogLevel::warning, LogFormat::text, true});
    }

    void apply(const LogSettings& settings) {
        is_json_.store(settings.format == LogFormat::json);
        logger_.set_formatter(std::make_unique<spdlog::pattern_formatter>(
            settings.format == LogFormat::json ? kJsonPattern : kTextPattern, spdlog::pattern_time_type::utc
        ));
        logger_.set_level(settings.to_stderr ? to_spdlog(settings.level) : spdlog::level::off);
    }

    bool wants(LogLevel level) const { return logger_.should_log(to_spdlog(level)); }
    bool is_json() const { return is_json_.load(); }
    void write(LogLevel level, std::string_view line) {
        logger_.log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
    }

private:
    static spdlog::level::level_enum to_spdlog(LogLevel level) {
        switch (level) {
            case LogLevel::debug:
                return spdlog::level::debug;
            case LogLevel::info:
                return spdlog::level::info;
            case LogLevel::warning:
                return spdlog::level::warn;
            case LogLevel::error:
                return spdlog::level::err;
        }
        return spdlog::level::err;
    }

    std::atomic<bool> is_json_{false};
    std::shared_ptr<spdlog::sinks::stderr_sink_mt> sink_;
    spdlog::logger logger_;
};

Output& output() {
    // Never destroyed: threads may log while the process ends.
    static Output* const instance = new Output();
    return *instance;
}

constexpr std::string_view kHex = "0123456789abcdef";

/// Length of the UTF-8 sequence that starts at `at`, 0 if it is none.
std::size_t sequence_length(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(at);
    const std::size_t length = first < 0x80                    ? 1
                               : first >= 0xC2 && first < 0xE0 ? 2
                               : (first & 0xF0U) == 0xE0       ? 3
                               : first >= 0xF0 && first < 0xF5 ? 4
                                                               : 0;
    if (length == 0 || at + length > text.size()) return 0;
    for (std::size_t i = at + 1; i < at + length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80) return 0;
    }
    return length;
}

/// One line whatever `text` holds: log readers split at line ends, and a value must not forge a field or a
/// line.
void append_text(std::string& out, std::string_view text, char quote) {
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        const std::size_t length = sequence_length(text, at);
        if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else if (c == '\t') {
            out += "\\t";
        } else if (quote != '\0' && (c == quote || c == '\\')) {
            out += '\\';
            out += c;
        } else if (length == 0 || static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
            const auto byte = static_cast<unsigned char>(c);
            out += "\\x";
            out += kHex[byte >> 4U];
            out += kHex[byte & 0xFU];
        } else {
            out += text.substr(at, length);
        }
        at += length == 0 ? 1 : length;
    }
}

void append_json(std::string& out, std::string_view text) {
    out += '"';
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        const std::size_t length = sequence_length(text, at);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (length == 0) {
            out += "\xEF\xBF\xBD";  // U+FFFD: JSON text is UTF-8
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
            const auto byte = static_cast<unsigned char>(c);
            out += "\\u00";
            out += kHex[byte >> 4U];
            out += kHex[byte & 0xFU];
        } else {
            out += text.substr(at, length);
        }
        at += length == 0 ? 1 : length;
    }
    out += '"';
}

}  // namespace

void Log::write(LogLevel level, std::string_view message, Fields fields) const {
    Output& out = output();
    if (!out.wants(level)) return;
    std::string line;
    line.reserve(message.size() + 64 * (fields.size() + 1));
    if (out.is_json()) {
        line += R"("logger":)";
        append_json(line, name_);
        line += R"(,"message":)";
        append_json(line, message);
        for (const LogField& field : fields) {
            line += ',';
            append_json(line, field.key);
            line += ':';
            append_json(line, field.value);
        }
    } else {
        append_text(line, name_, '\0');
        line += ": ";
        append_text(line, message, '\0');
        for (const LogField& field : fields) {
            line += ' ';
            append_text(line, field.key, '\0');
            line += "='";
            append_text(line, field.value, '\'');
            line += '\'';
        }
    }
    out.write(level, line);
}

void Log::warning(std::string_view message, const Error& error) const {
    write(
        LogLevel::warning,
        message,
        {{"detail", error.detail}, {"code", stable_code(error)}, {"hint", error.hint}}
    );
}

void Log::error(std::string_view message, const Error& error) const {
    write(
        LogLevel::error,
        message,
        {{"detail", error.detail}, {"code", stable_code(error)}, {"hint", error.hint}}
    );
}

void configure_logging(const LogSettings& settings) {
    output().apply(settings);
}

}  // namespace icos
