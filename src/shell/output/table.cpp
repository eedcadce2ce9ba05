// SPDX-License-Identifier: Apache-2.0
#include "output/table.hpp"

#include <algorithm>
#include <string_view>

namespace icos::shell {
namespace {

/// Printed width: code points, without SGR escapes.
std::size_t width_of(std::string_view text) {
    std::size_t width = 0;
    bool escape = false;
    for (const char c : text) {
        if (c == '\x1b') escape = true;
        if (!escape && (static_cast<unsigned char>(c) & 0xC0U) != 0x80U) ++width;
        if (escape && c == 'm') escape = false;
    }
    return width;
}

}  // namespace

std::string Table::text(std::size_t indent) const {
    std::vector<std::size_t> widths;
    const auto measure = [&widths](const std::vector<std::string>& cells) {
        widths.resize(std::max(widths.size(), cells.size()));
        for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], width_of(cells[i]));
    };
    measure(header_);
    for (const auto& cells : rows_) measure(cells);

    std::string out;
    const auto line = [&](const std::vector<std::string>& cells) {
        std::string text(indent, ' ');
        for (std::size_t i = 0; i < cells.size(); ++i) {
            text += cells[i];
            text.append(widths[i] - width_of(cells[i]) + 2, ' ');
        }
        text.resize(text.find_last_not_of(' ') + 1);
        out += text + '\n';
    };
    if (!header_.empty()) line(header_);
    for (const auto& cells : rows_) line(cells);
    return out;
}

std::string paint(bool on, const char* style, std::string text) {
    if (!on) return text;
    const std::string_view name(style);
    const char* code = name == "green"    ? "32"
                       : name == "yellow" ? "33"
                       : name == "red"    ? "31"
                       : name == "bold"   ? "1"
                                          : "2";
    return std::string("\x1b[") + code + "m" + text + "\x1b[0m";
}

}  // namespace icos::shell
