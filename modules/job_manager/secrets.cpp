// SPDX-License-Identifier: Apache-2.0
// What JobService keeps secret: the key of digests, registry credentials, and values in descriptors.
#include "icos/descriptor/secrets.hpp"

#include "desired.hpp"
#include "events.hpp"
#include "icos/async/runtime.hpp"
#include "job_service.hpp"
#include "rows.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace icos::job_manager {
namespace {

constexpr std::size_t kDigestKeyBytes = 32;

EventDraft credential_event(const Credential& credential, std::string_view word, std::string message) {
    EventDraft event;
    event.kind = "credential." + std::string(word);
    event.layer = Layer::security;
    event.project = credential.project;
    event.subject_kind = "credential";
    event.subject = credential.name;
    event.message = std::move(message);
    event.actor = credential.actor;
    return event;
}

bool names(const descriptor::Application& application, const std::string& credential) {
    return std::any_of(
        application.components.begin(),
        application.components.end(),
        [&](const auto& component) {
            const auto& used = component.options.registry_credentials;
            return std::find(used.begin(), used.end(), credential) != used.end();
        }
    );
}

}  // namespace

const std::string& JobService::digest_key(Step& step) {
    if (digest_key_.empty()) {
        digest_key_ = random_hex(ports_.runtime, kDigestKeyBytes);
        step.rows.push_back(digest_key_row(digest_key_));
    }
    return digest_key_;
}

std::string JobService::content_digest(
    const App& app, const descriptor::Component& component, descriptor::Engine engine, Step& step
) {
    if (!holds_secrets(component, engine)) return component_digest(app, component, engine, {});
    return component_digest(app, component, engine, digest_key(step));
}

void JobService::add_credentials(const App& app, agent::DesiredPlacement& placement) const {
    const auto* component = find_component(*app.revisions.at(placement.generation), placement.component);
    if (component == nullptr) return;
    placement.credentials =
        credentials_for(credentials_, app.project, component->options.registry_credentials);
    placement.credentials_digest = credentials_digest(placement.credentials, digest_key_);
}

Result<void> JobService::check_credentials(
    const std::string& project, const descriptor::Application& application
) const {
    for (const auto& component : application.components) {
        for (const std::string& name : component.options.registry_credentials) {
            if (credentials_.contains({project, name})) continue;
            return Error{
                descriptor_errc::invalid,
                "components." + component.name + ": x-icos.registryCredentials: there is no credential \"" +
                    name + "\" in project " + project,
                "store it first: icos credential set " + name + " --registry HOST --username USER"
            };
        }
    }
    return {};
}

Task<Result<boost::json::object>> JobService::set_credential(Credential credential) {
    if (const auto writable = check_writable(); writable.has_error()) co_return writable.error();
    credential.updated_at = ports_.runtime.wall();
    Step step;
    static_cast<void>(digest_key(step));
    step.rows.push_back(to_row(credential));
    step.events.push_back(
        credential_event(credential, "set", "for " + credential.registry + " as " + credential.username)
    );
    boost::json::object shown = to_json(credential);
    const std::string name = credential.name;
    const std::string project = credential.project;
    credentials_.insert_or_assign({project, name}, std::move(credential));
    // A node that pulls with it gets the new one; what runs there is not touched.
    for (const auto& [id, placement] : state_.placements()) {
        const App* app = state_.find(placement.app);
        if (app == nullptr || app->project != project) continue;
        if (names(*app->revisions.at(placement.generation), name)) step.targets.insert(placement.node);
    }
    const auto outcome = commit(std::move(step));
    const Result<void> written = co_await durable(outcome);
    if (written.has_error()) co_return written.error();
    co_return shown;
}

Task<Result<void>> JobService::remove_credential(std::string project, std::string name, std::string actor) {
    if (const auto writable = check_writable(); writable.has_error()) co_return writable.error();
    const auto found = credentials_.find({project, name});
    if (found == credentials_.end()) {
        co_return Error{
            errc::no_such_credential,
            "there is no credential named " + name + " in project " + project,
            "icos credential ls lists them"
        };
    }
    for (const auto& [id, app] : state_.apps()) {
        if (app.project != project) continue;
        const bool is_used = std::any_of(app.revisions.begin(), app.revisions.end(), [&](const auto& entry) {
            return names(*entry.second, name);
        });
        if (!is_used) continue;
        co_return Error{
            errc::credential_in_use,
            "application " + app.name + " pulls its images with credential " + name,
            "delete the application, or apply it without the credential"
        };
    }
    Credential gone = std::move(found->second);
    credentials_.erase(found);
    gone.actor = actor;
    Step step;
    step.rows.push_back(credential_removal(project, name));
    step.events.push_back(credential_event(gone, "removed", "for " + gone.registry));
    const auto outcome = commit(std::move(step));
    co_return co_await durable(outcome);
}

Task<Result<std::string>> JobService::masked_text(std::string text) {
    auto mask = [text = std::move(text)] { return descriptor::masked(text); };
    auto shown = co_await offload(ports_.runtime, Pool::compute, std::move(mask));
    if (shown) co_return std::move(*shown);
    co_return Error{
        errc::not_maskable,
        "it cannot be told where the secrets of this descriptor are, so it is not shown",
        "an administrator may see it as it is: icos get app NAME --reveal"
    };
}

Task<Result<void>> JobService::note_reveal(
    std::string project, std::string name, std::uint64_t generation, std::string actor
) {
    if (const auto writable = check_writable(); writable.has_error()) co_return writable.error();
    const auto found = find(project, name);
    if (found.has_error()) co_return found.error();
    Step step;
    EventDraft event = app_event(
        **found, "revealed", "secrets of generation " + std::to_string(generation) + " were read", actor
    );
    event.layer = Layer::security;
    step.events.push_back(std::move(event));
    // Nobody reads a secret without a durable trace of it.
    const auto outcome = commit(std::move(step));
    co_return co_await durable(outcome);
}

}  // namespace icos::job_manager
