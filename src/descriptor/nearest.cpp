// SPDX-License-Identifier: Apache-2.0
#include "nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace icos::descriptor {
namespace {

constexpr std::size_t kLongestWord = 63;
/// An application with more names than this gets hints from the first ones: a hint must not cost a second.
constexpr std::size_t kMostCandidates = 200;
constexpr std::size_t kMostEdits = 3;

char fold(char c) noexcept {
    if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
    return c == '-' ? '_' : c;
}

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost one each.
/// Answers `limit` when it is not less, having looked only at the band of the table that could be.
std::size_t distance(std::string_view a, std::string_view b, std::size_t limit) {
    if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) >= limit) return limit;
    std::array<std::size_t, kLongestWord + 1> two_back{};
    std::array<std::size_t, kLongestWord + 1> back{};
    std::array<std::size_t, kLongestWord + 1> row{};
    for (std::size_t j = 0; j <= b.size(); ++j) back[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        const std::size_t first = i > limit ? i - limit : 1;
        const std::size_t last = std::min(b.size(), i + limit);
        row.fill(limit);
        row[0] = i;
        std::size_t least = i < limit ? i : limit;
        for (std::size_t j = first; j <= last; ++j) {
            const std::size_t substitution = back[j - 1] + (fold(a[i - 1]) == fold(b[j - 1]) ? 0 : 1);
            row[j] = std::min({back[j] + 1, row[j - 1] + 1, substitution, limit});
            const bool swapped =
                i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]);
            if (swapped) row[j] = std::min(row[j], two_back[j - 2] + 1);
            least = std::min(least, row[j]);
        }
        if (least >= limit) return limit;
        two_back = back;
        back = row;
    }
    return std::min(back[b.size()], limit);
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
    if (word.size() > kLongestWord) return {};
    std::string_view best;
    // One edit makes any letter of any other.
    const std::size_t most = word.size() < 2 ? 0 : std::clamp<std::size_t>(word.size() / 3, 1, kMostEdits);
    std::size_t best_distance = most + 1;
    for (const std::string_view candidate : candidates.first(std::min(candidates.size(), kMostCandidates))) {
        if (candidate.size() > kLongestWord || candidate.empty()) continue;
        const std::size_t d = distance(word, candidate, best_distance);
        if (d < best_distance) {
            best_distance = d;
            best = candidate;
        }
    }
    return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
    const std::string_view near = nearest(word, candidates);
    return near.empty() ? std::string() : fmt::format("did you mean \"{}\"?", near);
}

}  // namespace icos::descriptor
