// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"
#include "icos/core/tar.hpp"
#include "output/document.hpp"
#include "output/format.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace icos::shell {
namespace {

struct Piece {
    std::string path;
    std::string content;
};

/// Everything is asked for as any reader may: what masks answers masks the bundle.
struct Question {
    const char* path;
    const char* target;
    bool of_project;
};
constexpr Question kQuestions[] = {
    {"version.json", "/api/v1/version", false},
    {"health.json", "/healthz", false},
    {"metrics.txt", "/metrics", false},
    {"nodes.json", "/api/v1/nodes?limit=1000", false},
    {"clusters.json", "/api/v1/clusters?limit=1000", false},
    {"apps.json", "/api/v1/apps?limit=1000", true},
    {"components.json", "/api/v1/components?limit=1000", true},
    {"placements.json", "/api/v1/placements?limit=1000", true},
    {"credentials.json", "/api/v1/credentials?limit=1000", true},
    {"events.json", "/api/v1/events?limit=1000", false},
};

Task<> ask(
    Context& context, std::string path, std::string target, std::vector<Piece>& pieces, std::string& problems
) {
    Result<std::string> answer = co_await context.api.get_text(std::move(target));
    if (answer.has_error()) {
        problems += path + ": " + describe(answer.error()) + "\n";
        co_return;
    }
    pieces.push_back({std::move(path), std::move(*answer)});
}

Result<void> write_new(const std::string& path, std::string_view bytes) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return Error{errc::io, path + ": " + std::strerror(errno), "name another file"};
    Result<void> done;
    while (!bytes.empty()) {
        const ssize_t put = ::write(file, bytes.data(), bytes.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) {
            done = Error{errc::io, path + ": " + std::strerror(errno)};
            break;
        }
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    ::close(file);
    return done;
}

std::string name_by_time(WallTime now) {
    std::string time = to_rfc3339(now).substr(0, 19);
    std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
    return "icos-support-" + time + ".tar";
}

}  // namespace

Task<int> support_bundle(Context& context, std::string file) {
    std::vector<Piece> pieces;
    std::string problems;
    for (const Question& question : kQuestions) {
        std::string target = question.target;
        if (question.of_project) target = context.in_project(std::move(target));
        co_await ask(context, question.path, std::move(target), pieces, problems);
    }
    if (pieces.empty()) {
        std::fprintf(stderr, "error: the controller answers nothing\n%s", problems.c_str());
        co_return kUnreachable;
    }
    const Result<boost::json::value> apps =
        co_await context.api.get(context.in_project("/api/v1/apps?limit=1000"));
    if (apps.has_value()) {
        for (const auto& app : list_of(*apps, "items")) {
            const std::string name = http::percent_encode(text_of(app, "name"));
            std::string target = context.in_project("/api/v1/apps/" + name + "/descriptor");
            co_await ask(context, "descriptors/" + name + ".yaml", std::move(target), pieces, problems);
        }
    }
    if (!problems.empty()) pieces.push_back({"problems.txt", problems});
    std::vector<TarFile> files;
    for (const Piece& piece : pieces) files.push_back({piece.path, piece.content});
    const Result<std::string> archive = make_tar_archive(files);
    if (archive.has_error()) co_return report(archive.error());
    if (file.empty()) file = name_by_time(context.runtime.wall());
    const Result<void> written = write_new(file, *archive);
    if (written.has_error()) co_return report(written.error());
    std::printf("%s: %zu files, without secrets\n", file.c_str(), files.size());
    if (!problems.empty()) std::fprintf(stderr, "warning: not all was answered:\n%s", problems.c_str());
    co_return kDone;
}

}  // namespace icos::shell
