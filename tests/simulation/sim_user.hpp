// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "app_spec.hpp"
#include "sim_controller.hpp"
#include "world.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace icos::sim {

/// What the user knows of one application: what was acknowledged, and what is being asked.
struct AppModel {
    enum class Phase { absent, live, deleting };
    enum class Ask { apply, same_again, stop, start, remove };
    struct Asking {
        Ask what = Ask::apply;
        AppSpec spec{};
        std::uint64_t attempts = 0;
        bool possibly_done = false;  ///< an earlier attempt was not answered
    };

    std::string name{};
    Phase phase = Phase::absent;
    AppSpec acknowledged{};
    bool running = true;
    std::optional<Asking> asking{};
    SimTime last_stop{-1};  ///< when a stop or a delete was asked for last
    SimTime last_change{-1};
    std::uint64_t checks = 0;  ///< moves when something was asked: answers of before do not count
    std::map<std::pair<std::string, std::string>, ComponentSpec> history{
    };  ///< (component, revision) -> as it was

    bool is_settled() const { return !asking && phase != Phase::deleting; }
    /// Whether anything the user asked for is a reason to end a container of this revision that started at
    /// `started`.
    bool has_reason_to_end(const std::string& component, const std::string& revision, SimTime started) const;
};

/// Applies, updates, stops, starts and deletes applications through the controller's routes, repeats what is
/// not answered, and remembers what was acknowledged. Breaks the run when an answer contradicts that.
class SimUser {
public:
    /// `nodes`: names of those it may drain.
    SimUser(World& world, SimController& controller, std::vector<std::string> nodes);

    /// Begins to ask for things, one every 20 to 70 seconds.
    void begin();
    /// Asks for nothing new, and takes drains back.
    void rest();
    bool is_idle() const;
    /// Lists the applications and compares with what was acknowledged.
    void check_list();

    const std::map<std::string, AppModel>& apps() const noexcept { return apps_; }
    const AppModel* find(const std::string& app) const;
    /// Whether its user wanted everything off this node at some time since `since`.
    bool was_drained(const std::string& node, SimTime since) const;
    std::uint64_t applies() const noexcept { return applies_; }

    /// An administrator's request: repeated until it is answered with something below 500.
    void admin(
        http::Method method,
        std::string path,
        std::string body,
        std::function<void(const http::Response&)> then
    );

private:
    using Ask = AppModel::Ask;
    void next_wish();
    void ask(AppModel& app, Ask what, AppSpec spec);
    void attempt(AppModel& app);
    void answered(AppModel& app, const http::Response& response);
    void acknowledged(AppModel& app, const http::Response& response);
    void again(AppModel& app, SimTime delay);
    void await_removal(AppModel& app);
    void compare(const http::Response& response, const std::map<std::string, std::uint64_t>& asked);
    void choose_loss_rule(ComponentSpec& component);
    void drain_one();
    void set_draining(const std::string& node, bool draining);
    void ask_draining(const std::string& node);
    AppSpec new_spec(bool heavy);
    AppSpec changed_spec(const AppSpec& from);
    http::Request request(http::Method method, std::string path, std::string body = {}) const;

    World& world_;
    SimController& controller_;
    Rng rng_;
    std::map<std::string, AppModel> apps_;
    std::vector<std::string> nodes_;
    std::size_t most_apps_;
    struct Drain {
        bool is_on = false;  ///< or being asked for, or being taken back
        bool is_wanted = false;
        bool is_asked = false;  ///< a request is under way
        SimTime last{-1};       ///< when it was last wanted
    };
    std::map<std::string, Drain> drains_;
    bool resting_ = false;
    std::uint64_t revisions_ = 0;
    std::uint64_t applies_ = 0;
    std::uint64_t names_ = 0;
    std::uint64_t admin_open_ = 0;
};

}  // namespace icos::sim
