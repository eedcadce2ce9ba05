// SPDX-License-Identifier: Apache-2.0
#include "icos/core/tar.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

namespace icos {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::uint32_t kMaxOwner = 07777777;  // seven octal digits

/// POSIX.1-1988 header ("ustar"), which every engine reads.
struct Header {
    std::array<char, kBlock> bytes{};

    void text(std::size_t offset, std::size_t size, std::string_view value) {
        std::copy_n(
            value.begin(), std::min(size, value.size()), bytes.begin() + static_cast<std::ptrdiff_t>(offset)
        );
    }
    void octal(std::size_t offset, std::size_t size, unsigned long long value) {
        std::array<char, 24> digits{};
        std::snprintf(digits.data(), digits.size(), "%0*llo", static_cast<int>(size - 1), value);
        text(offset, size - 1, digits.data());
    }
    void seal() {
        text(148, 8, "        ");
        unsigned sum = 0;
        for (const char c : bytes) sum += static_cast<unsigned char>(c);
        octal(148, 7, sum);
    }
};

/// Splits a path over the header's name (100) and prefix (155) members.
bool split_path(std::string_view path, std::string_view& prefix, std::string_view& name) {
    if (path.size() <= 100) {
        name = path;
        return true;
    }
    const auto slash = path.find('/', path.size() - 101);
    if (slash == std::string_view::npos || slash > 155 || slash == 0) return false;
    prefix = path.substr(0, slash);
    name = path.substr(slash + 1);
    return !name.empty();
}

bool has_parent_part(std::string_view path) {
    while (!path.empty()) {
        const auto slash = path.find('/');
        if (path.substr(0, slash) == "..") return true;
        if (slash == std::string_view::npos) break;
        path.remove_prefix(slash + 1);
    }
    return false;
}

Error bad(const TarFile& file, std::string_view why) {
    return Error{errc::invalid, "file '" + std::string(file.path) + "': " + std::string(why)};
}

}  // namespace

Result<std::string> make_tar_archive(const std::vector<TarFile>& files) {
    std::string out;
    for (const TarFile& file : files) {
        const std::string_view path = file.path;
        if (path.starts_with('/')) return bad(file, "the path is not relative");
        if (path.empty() || path.ends_with('/')) return bad(file, "the path names no file");
        if (has_parent_part(path)) return bad(file, "the path has a '..' part");
        if (file.uid > kMaxOwner || file.gid > kMaxOwner)
            return bad(file, "uid and gid may be at most 2097151");
        std::string_view prefix;
        std::string_view name;
        if (!split_path(path, prefix, name)) return bad(file, "the path is longer than an archive can hold");
        Header header;
        header.text(0, 100, name);
        header.octal(100, 8, file.mode & 07777U);
        header.octal(108, 8, file.uid);
        header.octal(116, 8, file.gid);
        header.octal(124, 12, file.content.size());
        header.octal(136, 12, 0);  // no time: the same files make the same archive
        header.text(156, 1, "0");
        header.text(257, 6, std::string_view("ustar\0", 6));
        header.text(263, 2, "00");
        header.text(345, 155, prefix);
        header.seal();
        out.append(header.bytes.data(), kBlock);
        out += file.content;
        out.append((kBlock - file.content.size() % kBlock) % kBlock, '\0');
    }
    out.append(2 * kBlock, '\0');
    return out;
}

}  // namespace icos
