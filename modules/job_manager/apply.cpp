// SPDX-License-Identifier: Apache-2.0
#include "events.hpp"
#include "icos/async/runtime.hpp"
#include "job_service.hpp"
#include "rows.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>

namespace icos::job_manager {
namespace {

constexpr int kAttempts = 8;

Error invalid_descriptor(const std::vector<descriptor::Diagnostic>& diagnostics) {
    const auto errors =
        static_cast<std::size_t>(std::count_if(diagnostics.begin(), diagnostics.end(), [](const auto& d) {
            return d.severity == descriptor::Severity::error;
        }));
    const auto first = std::find_if(diagnostics.begin(), diagnostics.end(), [](const auto& d) {
        return d.severity == descriptor::Severity::error;
    });
    Error error{descriptor_errc::invalid, "the descriptor has " + counted(errors, "error")};
    if (first != diagnostics.end()) error.detail += ": " + descriptor::to_line(*first);
    error.hint = "icos validate shows all of them with their places";
    auto extra = std::make_shared<boost::json::object>();
    (*extra)["diagnostics"] = boost::json::parse(descriptor::to_json(diagnostics));
    error.extra = std::move(extra);
    return error;
}

std::vector<descriptor::Diagnostic> warnings_of(std::vector<descriptor::Diagnostic> diagnostics) {
    std::erase_if(diagnostics, [](const auto& d) { return d.severity != descriptor::Severity::warning; });
    return diagnostics;
}

}  // namespace

Result<App*> JobService::admit(const ApplyCommand& command) {
    if (const auto writable = check_writable(); writable.has_error()) return writable.error();
    App* app = state_.find(command.project, command.name);
    if (!command.only.value.empty() && (app == nullptr || app->id != command.only)) {
        return Error{
            errc::not_found, command.name + " was deleted meanwhile", "icos get apps lists what there is"
        };
    }
    if (app != nullptr && app->desired == Desired::deleted) {
        return Error{
            errc::deleting,
            command.name + " is being deleted; nodes have still to confirm",
            "apply it again once it is gone: icos status " + command.name
        };
    }
    if (command.if_match) {
        const bool holds = app != nullptr && (*command.if_match == "*" || *command.if_match == etag_of(*app));
        if (!holds) {
            return Error{
                errc::changed,
                app == nullptr ? "there is no application named " + command.name
                               : command.name + " is at " + etag_of(*app) + " now, not " + *command.if_match,
                "get it again and repeat the change"
            };
        }
    }
    return app;
}

Task<Result<ApplyAnswer>> JobService::unchanged(ApplyCommand command, ApplyAnswer answer) {
    const App& app = *state_.find(command.project, command.name);
    ++counters_.unchanged;
    answer.result = command.dry_run ? ApplyResult::dry_run : ApplyResult::unchanged;
    answer.id = app.id;
    answer.etag = etag_of(app);
    answer.app = show(app, Detail::with_services);
    if (command.dry_run) {
        auto explained = co_await explain(command.project, command.name, {});
        if (explained.has_value()) answer.explanations = std::move(*explained);
    }
    co_return answer;
}

Task<Result<ApplyAnswer>> JobService::apply(ApplyCommand command) {
    auto parse = [text = command.text] { return descriptor::parse(text); };
    descriptor::Parsed parsed = co_await offload(ports_.runtime, Pool::compute, std::move(parse));
    if (!parsed.application) {
        ++counters_.refused;
        co_return invalid_descriptor(parsed.diagnostics);
    }
    if (parsed.application->name != command.name) {
        co_return Error{
            errc::name_mismatch,
            "the descriptor is named " + parsed.application->name + ", the request is for " + command.name,
            "use one name: PUT /api/v1/apps/" + parsed.application->name
        };
    }
    if (turnstile_.size() >= settings_.max_waiting) {
        co_return Error{errc::busy, "too many changes wait to be planned", "try again in a moment"};
    }
    const auto application = std::make_shared<const descriptor::Application>(std::move(*parsed.application));
    Turnstile::Turn turn(turnstile_);
    co_await turn.wait();

    ApplyAnswer answer;
    answer.warnings = warnings_of(std::move(parsed.diagnostics));
    Result<Planned> planned = Error{errc::changed, ""};
    // Stop, start and delete do not queue here: what they change in between is looked at anew.
    for (int attempt = 0; planned.has_error(); ++attempt) {
        const Result<App*> admitted = admit(command);
        if (admitted.has_error()) co_return admitted.error();
        const auto stored = check_credentials(command.project, *application);
        if (stored.has_error()) co_return stored.error();
        const App* known = *admitted;
        if (known != nullptr && known->text == command.text) {
            auto same = co_await unchanged(std::move(command), std::move(answer));
            co_return std::move(same);
        }
        const AppId id = known == nullptr ? AppId{} : known->id;
        const auto expected = known == nullptr ? std::nullopt : std::optional(etag_of(*known));
        planned = co_await place(id, command.name, application, expected, Urgency::asked);
        if (planned.has_error() && (planned.error().code != errc::changed || attempt >= kAttempts))
            co_return planned.error();
    }

    // From here to commit() without waiting: the plan holds for memory as it is now.
    const auto stored = check_credentials(command.project, *application);
    if (stored.has_error()) co_return stored.error();
    App* existing = state_.find(command.project, command.name);
    if (command.dry_run) {
        ApplyAnswer shown = preview(command, application, existing, *planned);
        shown.warnings = std::move(answer.warnings);
        co_return shown;
    }
    answer.result = existing == nullptr ? ApplyResult::created : ApplyResult::updated;
    Step step;
    App& app = accept(command, application, existing, step);
    adopt(app, planned->first, *planned->second, step);
    answer.id = app.id;
    answer.etag = etag_of(app);
    answer.app = show(app, Detail::with_services);
    const auto outcome = commit(std::move(step));
    turn.leave();
    const Result<void> written = co_await durable(outcome);
    if (written.has_error()) co_return written.error();
    ++counters_.applied;
    co_return answer;
}

App& JobService::accept(
    const ApplyCommand& command,
    std::shared_ptr<const descriptor::Application> application,
    App* existing,
    Step& step
) {
    if (existing == nullptr) {
        App fresh;
        fresh.id = AppId{make_uuid(ports_.runtime)};
        fresh.project = command.project;
        fresh.name = command.name;
        fresh.generation = 0;
        fresh.version = 0;
        fresh.created_at = ports_.runtime.wall();
        fresh.since = fresh.created_at;
        existing = &state_.add(std::move(fresh));
    }
    App& app = *existing;
    ++app.generation;
    ++app.version;
    app.name_space = application->name_space;
    app.description = application->description;
    app.updated_at = ports_.runtime.wall();
    app.text = command.text;
    app.waiting.clear();
    const std::size_t components = application->components.size();
    const RevisionInfo info{app.updated_at, command.actor, static_cast<std::uint32_t>(components)};
    app.stored_generations.insert_or_assign(app.generation, info);
    app.revisions[app.generation] = std::move(application);
    step.apps.insert(app.id);
    step.revisions.push_back(revision_row(app.id, app.generation, app.text, info));
    std::string message =
        "generation " + std::to_string(app.generation) + " accepted, " + counted(components, "component");
    if (command.back_to) message += ", goes back to generation " + std::to_string(*command.back_to);
    step.events.push_back(app_event(app, "accepted", std::move(message), command.actor));
    step.accepted.push_back({app.id, app.project, app.name, app.generation});
    ++epoch_;
    // It frees nothing, so what waits need not be planned again; that this one may wait has to be seen.
    wake_.notify();
    return app;
}

ApplyAnswer JobService::preview(
    const ApplyCommand& command,
    std::shared_ptr<const descriptor::Application> application,
    const App* existing,
    const Planned& planned
) const {
    const auto& [result, topology] = planned;
    // A copy of what is there, changed as the real thing would be; nothing of it is kept.
    State imagined;
    App app = existing == nullptr ? App{} : *existing;
    app.project = command.project;
    app.name = command.name;
    app.generation = existing == nullptr ? 1 : existing->generation + 1;
    app.name_space = application->name_space;
    app.description = application->description;
    app.revisions[app.generation] = std::move(application);
    app.waiting.clear();
    if (existing == nullptr) app.id = AppId{"would-be"};
    if (existing != nullptr) {
        for (const Placement* placement : state_.of_app(existing->id)) imagined.add(*placement);
    }
    App& shown = imagined.add(std::move(app));
    std::set<ReplicaKey> named;
    for (const ReplicaDecision& decision : result.decisions) {
        named.insert({decision.component, decision.replica});
        Placement* home = imagined.home(shown.id, decision.component, decision.replica);
        if (!decision.node) {
            shown.waiting.emplace(ReplicaKey{decision.component, decision.replica}, decision);
            continue;
        }
        if (home != nullptr && home->node == *decision.node) continue;
        if (home != nullptr) home->retiring = true;
        const Node* node = topology->find(*decision.node);
        Placement placement;
        placement.id = PlacementId{"would-be-" + decision.component + "-" + std::to_string(decision.replica)};
        placement.app = shown.id;
        placement.component = decision.component;
        placement.replica = decision.replica;
        placement.node = *decision.node;
        placement.node_name = node == nullptr ? "" : node->name;
        placement.cluster = node == nullptr ? "" : node->cluster;
        placement.engine = decision.engine;
        placement.generation = shown.generation;
        placement.since = ports_.runtime.wall();
        imagined.add(std::move(placement));
    }
    for (Placement* placement : imagined.of_app(shown.id)) {
        if (!named.contains({placement->component, placement->replica})) placement->removing = true;
    }
    ApplyAnswer answer;
    answer.result = ApplyResult::dry_run;
    answer.app = to_json(Snapshot{imagined, *topology, problems_}, shown, Detail::with_services);
    if (existing == nullptr) answer.app["id"] = "";
    for (auto& component : answer.app["components"].as_array()) {
        for (auto& value : component.as_object()["placements"].as_array()) {
            auto& placement = value.as_object();
            if (placement["id"].as_string().starts_with("would-be")) placement["id"] = "";
        }
    }
    for (const ReplicaDecision& decision : result.decisions) {
        answer.explanations.push_back(explanation_json(decision, *topology, topology->nodes.size()));
    }
    return answer;
}

}  // namespace icos::job_manager
