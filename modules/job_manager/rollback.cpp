// SPDX-License-Identifier: Apache-2.0
#include "icos/async/runtime.hpp"
#include "job_service.hpp"
#include "rows.hpp"

namespace icos::job_manager {
namespace {

constexpr int kAttempts = 8;

Error not_kept(const App& app, std::uint64_t generation) {
    std::string kept;
    for (const auto& [number, info] : app.stored_generations) {
        kept += (kept.empty() ? "" : ", ") + std::to_string(number);
    }
    return Error{
        errc::no_such_generation,
        app.name + " has no generation " + std::to_string(generation) + "; kept are " + kept,
        "icos rollout history " + app.name + " lists them"
    };
}

Error not_written(const std::string& name, std::uint64_t generation) {
    return Error{
        store_errc::busy,
        "generation " + std::to_string(generation) + " of " + name + " is still being written",
        "try again in a moment"
    };
}

}  // namespace

Task<Result<std::map<std::uint64_t, std::string>>> JobService::kept_texts(AppId id) {
    const auto rows = co_await ports_.store.load(kRevisionKind, id.value + "/");
    if (rows.has_error()) co_return rows.error();
    std::map<std::uint64_t, std::string> texts;
    for (const Row& row : *rows) {
        auto revision = read_revision(row);
        if (revision.has_error()) co_return revision.error();
        texts.emplace(revision->generation, std::move(revision->text));
    }
    co_return texts;
}

Task<Result<std::string>> JobService::text_of_generation(
    std::string project, std::string name, std::uint64_t generation
) {
    const auto found = find(project, name);
    if (found.has_error()) co_return found.error();
    const App& app = **found;
    if (generation == app.generation) co_return app.text;
    if (!app.stored_generations.contains(generation)) co_return not_kept(app, generation);
    auto texts = co_await kept_texts(app.id);
    if (texts.has_error()) co_return texts.error();
    if (const auto text = texts->find(generation); text != texts->end()) co_return std::move(text->second);

    // While the store read, memory moved on; or the generation is so new that it is not written yet.
    const auto again = find(project, name);
    if (again.has_error()) co_return again.error();
    if (!(*again)->stored_generations.contains(generation)) co_return not_kept(**again, generation);
    co_return not_written(name, generation);
}

Task<Result<std::pair<std::uint64_t, std::string>>> JobService::text_before(AppId id) {
    const App* app = state_.find(id);
    const std::string name = app->name;
    const std::uint64_t current = app->generation;
    const std::string text = app->text;
    const auto known = app->stored_generations;
    auto texts = co_await kept_texts(id);
    if (texts.has_error()) co_return texts.error();
    for (auto it = known.rbegin(); it != known.rend(); ++it) {
        const std::uint64_t generation = it->first;
        if (generation == current) continue;
        const auto found = texts->find(generation);
        // Never skipped: the one after it is not what was asked for.
        if (found == texts->end()) co_return not_written(name, generation);
        if (found->second != text) co_return std::pair(generation, std::move(found->second));
    }
    co_return Error{
        errc::nothing_to_undo,
        "no kept generation of " + name + " differs from the current one, " + std::to_string(current),
        "icos rollout history " + name + " lists what is kept"
    };
}

Task<Result<ApplyAnswer>> JobService::roll_back(RollbackCommand command) {
    for (int attempt = 0;; ++attempt) {
        if (const auto writable = check_writable(); writable.has_error()) co_return writable.error();
        const auto found = find(command.project, command.name);
        if (found.has_error()) co_return found.error();
        const App& app = **found;
        if (app.desired == Desired::deleted) {
            co_return Error{
                errc::deleting,
                command.name + " is being deleted",
                "wait until it is gone: icos status " + command.name
            };
        }
        const std::string etag = etag_of(app);
        const bool is_pinned = command.if_match && *command.if_match != "*";
        if (is_pinned && *command.if_match != etag) {
            co_return Error{
                errc::changed,
                command.name + " is at " + etag + " now, not " + *command.if_match,
                "get it again and repeat the change"
            };
        }
        ApplyCommand next;
        next.project = command.project;
        next.name = command.name;
        next.actor = command.actor;
        next.if_match = command.if_match;
        next.dry_run = command.dry_run;
        next.only = app.id;
        if (command.generation) {
            next.back_to = command.generation;
            auto text = co_await text_of_generation(command.project, command.name, *command.generation);
            if (text.has_error()) co_return text.error();
            next.text = std::move(*text);
        } else {
            auto before = co_await text_before(next.only);
            if (before.has_error()) co_return before.error();
            next.back_to = before->first;
            next.text = std::move(before->second);
            // "The one before" was chosen from what is current now.
            next.if_match = etag;
        }
        auto applied = co_await apply(std::move(next));
        const bool moved_on = applied.has_error() && applied.error().code == errc::changed;
        if (!moved_on || is_pinned || command.generation || attempt >= kAttempts)
            co_return std::move(applied);
    }
}

}  // namespace icos::job_manager
