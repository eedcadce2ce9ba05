// SPDX-License-Identifier: Apache-2.0
#include "commands/drain.hpp"

#include "icos/async/backoff.hpp"
#include "output/format.hpp"
#include "output/table.hpp"

#include <cstdio>
#include <set>
#include <string_view>

namespace icos::shell {
namespace {

constexpr std::string_view kStays = "stays: ";

std::string name_of(const boost::json::value& placement) {
    const std::string project = text_of(placement, "project");
    const std::string prefix = project == "default" ? "" : project + "/";
    return prefix + text_of(placement, "app") + "/" + text_of(placement, "component");
}

bool stays(const boost::json::value& placement) {
    return text_of(placement, "drain").starts_with(kStays);
}

/// With -o json standard output is for the document.
std::FILE* progress_of(const Context& context) {
    return context.format == Format::json ? stderr : stdout;
}

struct Drained {
    boost::json::array left;
    std::optional<Error> failed;
    bool is_done = false;
};

/// Placements come in pages.
Task<Result<boost::json::array>> placements_on(Context& context, std::string node) {
    boost::json::array out;
    std::string after;
    for (;;) {
        std::string target = "/api/v1/placements?project=%2A&limit=500&node=" + http::percent_encode(node);
        if (!after.empty()) target += "&after=" + http::percent_encode(after);
        Result<boost::json::value> page =
            co_await context.api.send(http::Method::get, std::move(target), {}, {});
        if (page.has_error()) co_return page.error();
        for (const boost::json::value& item : list_of(*page, "items")) out.push_back(item);
        after = text_of(*page, "next");
        if (after.empty()) co_return out;
    }
}

Task<> follow(Context& context, std::string node, Drained& drained) {
    Backoff backoff({Duration{300}, Duration{3000}});
    constexpr std::uint32_t kMostFailures = 20;
    std::uint32_t failures = 0;
    std::set<std::string> told;
    std::FILE* out = progress_of(context);
    for (;;) {
        Result<boost::json::array> left = co_await placements_on(context, node);
        if (left.has_error() && ++failures >= kMostFailures) {
            drained.failed = left.error();
            co_return;
        }
        if (left.has_value()) {
            failures = 0;
            drained.left = std::move(*left);
            drained.is_done = true;
            for (const boost::json::value& placement : drained.left) {
                if (stays(placement)) continue;
                drained.is_done = false;
                const std::string name = name_of(placement);
                if (told.insert(name).second) std::fprintf(out, "  %s moves\n", name.c_str());
            }
            std::fflush(out);
            if (drained.is_done) co_return;
        }
        const Duration pause = backoff.next(context.runtime);
        co_await sleep_for(context.runtime, pause);
    }
}

}  // namespace

std::string staying_lines(const boost::json::array& placements) {
    Table table({});
    for (const boost::json::value& placement : placements) {
        if (stays(placement)) table.row({name_of(placement), text_of(placement, "drain")});
    }
    return table.text(2);
}

Task<int> wait_for_drain(Context& context, std::string node, Duration timeout) {
    const BootTime began = context.runtime.boot();
    Drained drained;
    const bool in_time = co_await finish_within(context.runtime, timeout, follow(context, node, drained));
    const auto took = std::chrono::duration_cast<Duration>(context.runtime.boot() - began);
    if (drained.failed) co_return report(*drained.failed);
    const std::string staying = staying_lines(drained.left);
    if (in_time && drained.is_done) {
        std::fprintf(
            progress_of(context),
            "node %s is drained after %s%s\n%s",
            node.c_str(),
            elapsed(took).c_str(),
            staying.empty() ? "" : ", except for what stays:",
            staying.c_str()
        );
        co_return kDone;
    }
    std::string moving;
    for (const boost::json::value& placement : drained.left) {
        if (!stays(placement)) moving += (moving.empty() ? "" : ", ") + name_of(placement);
    }
    std::fputs(staying.c_str(), progress_of(context));
    std::fprintf(
        stderr,
        "error: node %s is not drained after %s [node.not_drained]: still on it: %s\n"
        "  the drain goes on; icos status APP says what a successor waits for\n",
        node.c_str(),
        elapsed(timeout).c_str(),
        moving.c_str()
    );
    co_return kTimedOut;
}

}  // namespace icos::shell
