// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

namespace icos::shell {

/// Columns padded to their widest cell, two spaces apart. Width counts code points, so that units like "µ"
/// align.
class Table {
public:
    explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    bool empty() const noexcept { return rows_.empty(); }
    /// With the header line unless it is empty; `indent` spaces before each line.
    std::string text(std::size_t indent = 0) const;

private:
    std::vector<std::string> header_;
    std::vector<std::vector<std::string>> rows_;
};

/// `text` in an SGR colour when `on`: "green", "yellow", "red", "bold", "dim".
std::string paint(bool on, const char* style, std::string text);

}  // namespace icos::shell
