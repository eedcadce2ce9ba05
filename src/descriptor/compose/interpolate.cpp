// SPDX-License-Identifier: Apache-2.0
#include "compose/interpolate.hpp"

#include <fmt/format.h>

namespace icos::descriptor::compose {
namespace {

constexpr std::size_t kMostNesting = 32;
constexpr std::string_view kDollarHint = "write $$ for a dollar sign";

bool starts_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool continues_name(char c) {
    return starts_name(c) || (c >= '0' && c <= '9');
}

class Interpolator {
public:
    explicit Interpolator(std::string_view text) : text_(text) {}

    Interpolation run() {
        Interpolation result;
        result.text = sequence(0);
        result.problem = std::move(problem_);
        result.hint = std::move(hint_);
        return result;
    }

private:
    bool failed() const { return !problem_.empty(); }

    void fail(std::string problem, std::string hint) {
        if (failed()) return;
        problem_ = std::move(problem);
        hint_ = std::move(hint);
    }

    /// Up to the end, or, inside braces, up to the '}' that closes them.
    std::string sequence(std::size_t nesting) {
        std::string out;
        while (i_ < text_.size() && !failed()) {
            const char c = text_[i_];
            if (c == '}' && nesting > 0) return out;
            if (c != '$') {
                out.push_back(c);
                ++i_;
                continue;
            }
            ++i_;
            if (i_ < text_.size() && text_[i_] == '$') {
                out.push_back('$');
                ++i_;
            } else if (i_ < text_.size() && text_[i_] == '{') {
                ++i_;
                out += braced(nesting + 1);
            } else {
                const std::string name = take_name();
                if (name.empty()) {
                    fail("a lone $ stands for nothing", std::string(kDollarHint));
                } else {
                    unset(name);
                }
            }
        }
        return out;
    }

    std::string take_name() {
        const std::size_t begin = i_;
        if (i_ < text_.size() && starts_name(text_[i_])) {
            while (i_ < text_.size() && continues_name(text_[i_])) ++i_;
        }
        return std::string(text_.substr(begin, i_ - begin));
    }

    void unset(const std::string& name) {
        fail(
            fmt::format("${{{}}} has no value: there is no environment", name),
            fmt::format("set a default: ${{{}:-...}}", name)
        );
    }

    std::string braced(std::size_t nesting) {
        const std::string name = take_name();
        if (name.empty() || nesting > kMostNesting) {
            fail(name.empty() ? "${ without a variable name" : "nested too deep", std::string(kDollarHint));
            return {};
        }
        if (i_ < text_.size() && text_[i_] == '}') {
            ++i_;
            unset(name);
            return {};
        }
        if (i_ < text_.size() && text_[i_] == ':') ++i_;
        const char operation = i_ < text_.size() ? text_[i_] : '\0';
        if (operation != '-' && operation != '?' && operation != '+') {
            fail(
                fmt::format("${{{}}} is not closed or has an unknown operator", name), "one of :- - :? ? :+ +"
            );
            return {};
        }
        ++i_;
        std::string word = sequence(nesting);
        if (i_ >= text_.size()) {
            fail(fmt::format("${{{} is not closed", name), "add a }");
            return {};
        }
        ++i_;
        if (operation == '?') {
            fail(
                word.empty() ? fmt::format("{} is required and has no value", name)
                             : fmt::format("{}: {}", name, word),
                fmt::format("set a default: ${{{}:-...}}", name)
            );
        }
        return operation == '-' ? word : std::string();
    }

    std::string_view text_;
    std::size_t i_ = 0;
    std::string problem_;
    std::string hint_;
};

}  // namespace

Interpolation interpolate(std::string_view text) {
    return Interpolator(text).run();
}

void interpolate(Node& node, const std::string& path, Report& report) {
    if (node.is_scalar() && node.text.find('$') != std::string::npos) {
        Interpolation result = interpolate(node.text);
        if (!result.problem.empty()) {
            report.add(
                "C003",
                node.at,
                path,
                fmt::format("\"{}\": {}", node.text, result.problem),
                {.hint = std::move(result.hint)}
            );
        } else {
            node.text = std::move(result.text);
        }
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) interpolate(node.items[i], child(path, i), report);
    for (Member& member : node.members) {
        if (!member.key.text.starts_with("x-"))
            interpolate(member.value, child(path, member.key.text), report);
    }
}

}  // namespace icos::descriptor::compose
