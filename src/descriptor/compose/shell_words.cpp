// SPDX-License-Identifier: Apache-2.0
#include "compose/shell_words.hpp"

namespace icos::descriptor::compose {

std::optional<std::vector<std::string>> shell_words(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    bool in_word = false;
    char quote = '\0';
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
        if (quote == '\'') {
            if (c == quote) {
                quote = '\0';
            } else {
                word.push_back(c);
            }
        } else if (c == '\\') {
            if (++i == text.size()) return std::nullopt;
            const char next = text[i];
            const bool special = next == '"' || next == '\\' || next == '$' || next == '`';
            if (next != '\n') {
                // Within double quotes a backslash escapes only these; before others it stays.
                if (quote == '"' && !special) word.push_back('\\');
                word.push_back(next);
                in_word = true;
            }
        } else if (quote == '"') {
            if (c == quote) {
                quote = '\0';
            } else {
                word.push_back(c);
            }
        } else if (c == '\'' || c == '"') {
            quote = c;
            in_word = true;
        } else if (blank) {
            if (in_word) words.push_back(std::move(word));
            word.clear();
            in_word = false;
        } else {
            word.push_back(c);
            in_word = true;
        }
    }
    if (quote != '\0') return std::nullopt;
    if (in_word) words.push_back(std::move(word));
    return words;
}

}  // namespace icos::descriptor::compose
