// SPDX-License-Identifier: Apache-2.0
#include "sim_user.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace icos::sim {
namespace {

constexpr SimTime kAnswerTime = 20s;
constexpr std::size_t kNodesPerApp = 2;
const std::string kUserHost = "user";
const std::string kHeavyApp = "heavy";

std::string word_of(AppModel::Ask what) {
    switch (what) {
        case AppModel::Ask::apply:
            return "apply";
        case AppModel::Ask::same_again:
            return "apply again";
        case AppModel::Ask::stop:
            return "stop";
        case AppModel::Ask::start:
            return "start";
        case AppModel::Ask::remove:
            return "delete";
    }
    return {};
}

bool is_worth_repeating(unsigned status) {
    return status >= 500 || status == 429 || status == 409 || status == 408;
}

}  // namespace

bool AppModel::has_reason_to_end(const std::string& component, const std::string& revision, SimTime started)
    const {
    if (phase != Phase::live || !running || last_stop >= started) return true;
    if (asking && (asking->what == Ask::stop || asking->what == Ask::remove)) return true;
    const auto differs = [&](const AppSpec& spec) {
        const ComponentSpec* wanted = spec.find(component);
        return wanted == nullptr || std::to_string(wanted->revision) != revision;
    };
    return differs(acknowledged) || (asking && asking->what == Ask::apply && differs(asking->spec));
}

SimUser::SimUser(World& world, SimController& controller, std::vector<std::string> nodes)
    : world_(world),
      controller_(controller),
      rng_(world.rng().fork("user")),
      nodes_(std::move(nodes)),
      most_apps_(std::max<std::size_t>(nodes_.size() / kNodesPerApp, 3)) {}

const AppModel* SimUser::find(const std::string& app) const {
    const auto it = apps_.find(app);
    return it == apps_.end() ? nullptr : &it->second;
}

bool SimUser::is_idle() const {
    return admin_open_ == 0 && std::all_of(apps_.begin(), apps_.end(), [](const auto& entry) {
               return entry.second.is_settled();
           });
}

http::Request SimUser::request(http::Method method, std::string path, std::string body) const {
    http::Request request;
    request.method = method;
    request.path = std::move(path);
    request.body = std::move(body);
    request.caller.subject = "token:admin";
    request.caller.role = http::Role::admin;
    return request;
}

void SimUser::admin(
    http::Method method, std::string path, std::string body, std::function<void(const http::Response&)> then
) {
    ++admin_open_;
    auto done = std::make_shared<bool>(false);
    controller_
        .request(kUserHost, request(method, path, body), [this, done, then](const http::Response& response) {
            if (*done || is_worth_repeating(response.status)) return;
            *done = true;
            --admin_open_;
            then(response);
        });
    world_.after(kAnswerTime, nullptr, [=, this] {
        if (*done) return;
        *done = true;
        --admin_open_;
        admin(method, path, body, then);
    });
}

void SimUser::begin() {
    // One application whose content is large, on one node, changed often: it makes that node's log grow until
    // it is written anew.
    AppModel& heavy = apps_[kHeavyApp];
    heavy.name = kHeavyApp;
    ask(heavy, Ask::apply, new_spec(true));
    for (int i = 0; i < 6; ++i) next_wish();
    const auto tick = std::make_shared<std::function<void()>>();
    *tick = [this, again = std::weak_ptr<std::function<void()>>(tick)] {
        if (resting_) return;
        next_wish();
        const auto self = again.lock();
        const auto pause = std::chrono::milliseconds(rng_.between(20'000, 70'000));
        world_.after(pause, nullptr, [self] { (*self)(); });
    };
    world_.after(10s, nullptr, [tick] { (*tick)(); });
}

AppSpec SimUser::new_spec(bool heavy) {
    AppSpec spec;
    if (heavy) {
        ComponentSpec component;
        component.name = "main";
        component.revision = ++revisions_;
        component.zones = {"heavy"};
        component.padding = 90'000;
        spec.components.push_back(component);
        return spec;
    }
    static const std::vector<std::string> kNames = {"front", "back", "queue"};
    const std::size_t count = 1 + rng_.below(3);
    for (std::size_t i = 0; i < count; ++i) {
        ComponentSpec component;
        component.name = kNames[i];
        component.revision = ++revisions_;
        const std::uint64_t kind = rng_.below(20);
        if (kind == 0) component.image = "absent";
        if (kind == 1) component.image = "crash";
        if (kind == 2) component.image = "sick";
        if (kind == 3 || kind == 4) component.image = "slow";
        if (kind == 5) {
            component.image = "job";
            component.restart = "no";
        }
        component.has_health_check = kind == 2 || rng_.one_in(3);
        component.cpu_milli = static_cast<std::uint32_t>(rng_.between(2, 15)) * 100;
        component.memory_mib = static_cast<std::uint64_t>(rng_.between(1, 20)) * 64;
        if (rng_.one_in(4))
            component.zones =
                rng_.one_in(2) ? std::vector<std::string>{"a"} : std::vector<std::string>{"a", "b"};
        component.has_volume = component.image == "web" && rng_.one_in(5);
        choose_loss_rule(component);
        component.talks_to_first =
            i > 0 && component.zones.empty() && spec.components.front().zones.empty() && rng_.one_in(4);
        spec.components.push_back(std::move(component));
    }
    return spec;
}

void SimUser::choose_loss_rule(ComponentSpec& component) {
    if (component.image != "web") return;
    if (rng_.one_in(5)) component.on_node_loss = rng_.one_in(3) ? "keep" : "exclusive";
    if (component.zones.empty() && !component.has_volume && rng_.one_in(6))
        component.copies = static_cast<std::size_t>(rng_.between(2, 3));
}

bool SimUser::was_drained(const std::string& node, SimTime since) const {
    const auto drain = drains_.find(node);
    return drain != drains_.end() && (drain->second.is_on || drain->second.last >= since);
}

void SimUser::set_draining(const std::string& node, bool draining) {
    Drain& drain = drains_[node];
    drain.is_on = true;
    drain.is_wanted = draining;
    drain.last = world_.now();
    world_.count(draining ? "user.drain" : "user.uncordon");
    world_.trace("user: " + std::string(draining ? "drain " : "uncordon ") + node);
    // One after the other: of two requests under way nobody promises which one counts.
    if (!drain.is_asked) ask_draining(node);
}

void SimUser::ask_draining(const std::string& node) {
    drains_[node].is_asked = true;
    const bool draining = drains_[node].is_wanted;
    // Taking back a cordon ends a drain too.
    const std::string body = draining ? R"({"draining":true})" : R"({"draining":false,"cordoned":false})";
    admin(http::Method::patch, "/api/v1/nodes/" + node, body, [this, node, draining](const auto& response) {
        if (response.status >= 300) {
            return world_.fail("the drain of " + node + " was answered " + std::to_string(response.status));
        }
        Drain& drain = drains_[node];
        drain.is_asked = false;
        drain.last = world_.now();
        if (drain.is_wanted != draining) return ask_draining(node);
        drain.is_on = draining;
    });
}

void SimUser::drain_one() {
    const auto is_on = [](const auto& entry) { return entry.second.is_on; };
    if (nodes_.empty() || std::any_of(drains_.begin(), drains_.end(), is_on)) return;
    const std::string node = nodes_[rng_.below(nodes_.size())];
    set_draining(node, true);
    world_.after(std::chrono::seconds(rng_.between(60, 240)), nullptr, [this, node] {
        if (!resting_) set_draining(node, false);
    });
}

void SimUser::rest() {
    resting_ = true;
    for (const auto& [node, drain] : drains_) {
        if (drain.is_on && drain.is_wanted) set_draining(node, false);
    }
}

AppSpec SimUser::changed_spec(const AppSpec& from) {
    AppSpec spec = from;
    // Some components change, the others must not notice.
    bool changed = false;
    for (ComponentSpec& component : spec.components) {
        if (changed && rng_.one_in(2)) continue;
        component.revision = ++revisions_;
        if (component.image == "absent" || component.image == "crash" || component.image == "sick")
            component.image = "web";
        changed = true;
    }
    return spec;
}

void SimUser::next_wish() {
    if (resting_) return;
    std::vector<AppModel*> live;
    std::vector<AppModel*> stopped;
    for (auto& [name, app] : apps_) {
        if (!app.is_settled() || app.phase != AppModel::Phase::live) continue;
        (app.running ? live : stopped).push_back(&app);
    }
    if (rng_.one_in(8)) drain_one();
    const std::uint64_t dice = rng_.below(100);
    AppModel* heavy = &apps_[kHeavyApp];
    if (dice < 30 && heavy->is_settled() && heavy->phase == AppModel::Phase::live) {
        return ask(*heavy, Ask::apply, changed_spec(heavy->acknowledged));
    }
    if (live.empty() || (dice < 55 && live.size() + stopped.size() < most_apps_)) {
        const std::string name = "app-" + std::to_string(++names_);
        AppModel& app = apps_[name];
        app.name = name;
        return ask(app, Ask::apply, new_spec(false));
    }
    AppModel& app = *live[rng_.below(live.size())];
    if (dice < 72) return ask(app, Ask::apply, changed_spec(app.acknowledged));
    if (dice < 78) return ask(app, Ask::same_again, app.acknowledged);
    if (!stopped.empty() && dice < 86) return ask(*stopped[rng_.below(stopped.size())], Ask::start, {});
    if (app.name == kHeavyApp) return;
    if (dice < 92) return ask(app, Ask::stop, {});
    ask(app, Ask::remove, {});
}

void SimUser::ask(AppModel& app, Ask what, AppSpec spec) {
    app.asking = AppModel::Asking{what, std::move(spec)};
    ++app.checks;
    app.last_change = world_.now();
    if (what == Ask::stop || what == Ask::remove) app.last_stop = world_.now();
    if (what == Ask::apply) {
        ++applies_;
        for (const ComponentSpec& component : app.asking->spec.components) {
            app.history.insert_or_assign({component.name, std::to_string(component.revision)}, component);
        }
    }
    world_.count("user." + word_of(what));
    world_.trace("user: " + word_of(what) + " " + app.name);
    attempt(app);
}

void SimUser::attempt(AppModel& app) {
    AppModel::Asking& asking = *app.asking;
    const std::uint64_t number = ++asking.attempts;
    const std::uint64_t check = app.checks;
    const std::string base = "/api/v1/apps/" + app.name;
    http::Request call;
    switch (asking.what) {
        case Ask::apply:
        case Ask::same_again:
            call = request(http::Method::put, base, descriptor_of(app.name, asking.spec));
            break;
        case Ask::stop:
            call = request(http::Method::post, base + "/stop");
            break;
        case Ask::start:
            call = request(http::Method::post, base + "/start");
            break;
        case Ask::remove:
            call = request(http::Method::del, base);
            break;
    }
    const auto is_current = [this, name = app.name, check, number] {
        const AppModel& now = apps_[name];
        return now.asking && now.checks == check && now.asking->attempts == number;
    };
    controller_.request(
        kUserHost,
        std::move(call),
        [this, name = app.name, is_current](const http::Response& response) {
            if (is_current()) answered(apps_[name], response);
        }
    );
    world_.after(kAnswerTime, nullptr, [this, name = app.name, is_current] {
        if (!is_current()) return;
        apps_[name].asking->possibly_done = true;
        attempt(apps_[name]);
    });
}

void SimUser::again(AppModel& app, SimTime delay) {
    // Answers of the attempt before do not count any more.
    const std::uint64_t number = ++app.asking->attempts;
    const std::uint64_t check = app.checks;
    world_.after(delay, nullptr, [this, name = app.name, check, number] {
        AppModel& now = apps_[name];
        if (now.asking && now.checks == check && now.asking->attempts == number) attempt(now);
    });
}

void SimUser::answered(AppModel& app, const http::Response& response) {
    world_.trace(
        "user: " + word_of(app.asking->what) + " " + app.name + " -> " + std::to_string(response.status)
    );
    if (response.status < 300) return acknowledged(app, response);
    if (is_worth_repeating(response.status)) {
        // 5xx may come after the change was made; asking again is what the interface promises to be harmless.
        app.asking->possibly_done = true;
        return again(app, std::chrono::milliseconds(rng_.between(500, 5000)));
    }
    if (response.status == 404 && app.asking->what == Ask::remove && app.asking->possibly_done) {
        app.asking.reset();
        ++app.checks;
        app.phase = AppModel::Phase::absent;
        return;
    }
    world_.fail(
        word_of(app.asking->what) + " " + app.name + " was answered " + std::to_string(response.status) +
        ": " + response.body
    );
}

void SimUser::acknowledged(AppModel& app, const http::Response& response) {
    const Ask what = app.asking->what;
    world_.count("acknowledged." + word_of(what));
    switch (what) {
        case Ask::apply:
            app.acknowledged = std::move(app.asking->spec);
            app.phase = AppModel::Phase::live;
            break;
        case Ask::same_again:
            if (response.body.find("\"unchanged\"") == std::string::npos) {
                return world_.fail("applying " + app.name + " again with the same text was not 'unchanged'");
            }
            break;
        case Ask::stop:
            app.running = false;
            break;
        case Ask::start:
            app.running = true;
            // What ran before may still be told to stop, by a set that was sent before this.
            app.last_stop = world_.now();
            break;
        case Ask::remove:
            app.phase = AppModel::Phase::deleting;
            break;
    }
    app.asking.reset();
    ++app.checks;
    if (what == Ask::remove) await_removal(app);
}

void SimUser::await_removal(AppModel& app) {
    controller_.request(
        kUserHost,
        request(http::Method::get, "/api/v1/apps/" + app.name),
        [this, name = app.name](const http::Response& response) {
            AppModel& now = apps_[name];
            if (response.status != 404 || now.phase != AppModel::Phase::deleting) return;
            now.phase = AppModel::Phase::absent;
            world_.trace("user: " + name + " is gone");
        }
    );
    world_.after(10s, nullptr, [this, name = app.name] {
        if (apps_[name].phase == AppModel::Phase::deleting) await_removal(apps_[name]);
    });
}

void SimUser::check_list() {
    std::map<std::string, std::uint64_t> asked;
    for (const auto& [name, app] : apps_) {
        if (app.is_settled()) asked.emplace(name, app.checks);
    }
    controller_.request(
        kUserHost,
        request(http::Method::get, "/api/v1/apps"),
        [this, asked](const http::Response& response) {
            if (response.status == 200) {
                compare(response, asked);
            } else if (response.status < 500) {
                world_.fail("the list of applications was answered " + std::to_string(response.status));
            }
        }
    );
}

void SimUser::compare(const http::Response& response, const std::map<std::string, std::uint64_t>& asked) {
    std::set<std::string> listed;
    const boost::json::value body = boost::json::parse(response.body);
    for (const boost::json::value& item : body.as_object().at("items").as_array()) {
        listed.insert(std::string(item.as_object().at("name").as_string()));
    }
    world_.count("check.list of applications");
    for (const auto& [name, checks] : asked) {
        const AppModel& app = apps_[name];
        if (app.checks != checks || !app.is_settled()) continue;
        const bool exists = listed.contains(name);
        if (app.phase == AppModel::Phase::live && !exists) {
            return world_.fail("application " + name + " was acknowledged and is lost");
        }
        if (app.phase == AppModel::Phase::absent && exists) {
            return world_.fail("application " + name + " was deleted and is back");
        }
    }
}

}  // namespace icos::sim
