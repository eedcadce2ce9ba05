// SPDX-License-Identifier: Apache-2.0
#include "agent_world.hpp"

#include <stdexcept>

namespace icos::test {

using namespace agent;

DesiredPlacement make_placement(
    const std::string& id,
    const std::string& digest,
    const std::vector<ServiceText>& services,
    const std::string& more
) {
    DesiredPlacement out;
    out.placement = PlacementId{id};
    out.app_id = AppId{"11111111-app"};
    out.app = "hello";
    out.component = id;
    out.digest = digest;
    std::string compose = R"({"services":{)";
    for (const ServiceText& service : services) {
        if (compose.back() != '{') compose += ',';
        compose += "\"" + service.name + "\":{" + service.members + "}";
    }
    out.manifests.push_back({"m", compose + "}" + more + "}"});
    out.health_timeout_ms = 30'000;
    return out;
}

Task<Result<std::unique_ptr<http::FrameStream>>> FakeController::dial(std::string controller) {
    dialled.push_back(std::move(controller));
    if (!reachable) co_return Error{link::errc::closed, "connection refused"};
    FramePipe pipe = make_frame_pipe(runtime_);
    session_ = std::make_shared<link::Session>(
        runtime_, std::move(pipe.second), link::Session::Side::accepting, link::Session::OnChannel()
    );
    tasks_.spawn("controller.session", run(session_));
    tasks_.spawn("controller.serve", serve(session_));
    co_return std::move(pipe.first);
}

Task<> FakeController::run(std::shared_ptr<link::Session> session) {
    co_await session->run();
}

Task<> FakeController::write(std::shared_ptr<link::Session> session, std::string message) {
    (void)co_await session->control().write(std::move(message));
}

void FakeController::send(const std::string& message) {
    if (session_) tasks_.spawn("controller.write", write(session_, message));
}

void FakeController::drop_link() {
    if (session_) session_->close();
    session_.reset();
}

void FakeController::send_desired() {
    Desired whole;
    whole.digest = desired_digest(desired);
    for (const auto& [id, placement] : desired) whole.upsert.push_back(placement);
    send(encode(whole));
}

void FakeController::send_desired_step(const std::string& base, const Desired& step) {
    Desired message = step;
    message.base = base;
    message.digest = desired_digest(desired);
    send(encode(message));
}

void FakeController::take(const Observed& report) {
    reports.push_back(report);
    if (report.base.empty()) {
        observed.clear();
    } else if (report.base != observed_digest) {
        send(encode(Resend{"observed"}));
        return;
    }
    for (const ObservedPlacement& placement : report.upsert) observed[placement.placement] = placement;
    for (const PlacementId& id : report.removed) observed.erase(id);
    if (agent::observed_digest(observed) != report.digest)
        throw std::logic_error("the observed set has another digest");
    observed_digest = report.digest;
}

Task<> FakeController::serve(std::shared_ptr<link::Session> session) {
    while (true) {
        const Result<std::optional<std::string>> message = co_await session->control().read();
        if (message.has_error() || !message->has_value()) co_return;
        const std::string type = message_type(**message);
        if (type == "hello") {
            hellos.push_back(*decode<Hello>(**message));
            if (keeps_silent) continue;
            if (!refusal.empty()) {
                send(refusal);
                continue;
            }
            Welcome welcome;
            welcome.controller_name = "vm-1";
            welcome.observed_digest = observed_digest;
            welcome.wall_ms = wall_ms;
            send(encode(welcome));
            const std::string& accepted_digest = hellos.back().accepted_digest;
            if (accepted_digest != desired_digest(desired))
                send_desired();
            else if (confirms)
                send(encode(Current{accepted_digest}));
        } else if (type == "stopping") {
            ++stopping;
            if (notes_stopping) send(encode(StoppingNoted{}));
        } else if (type == "accepted") {
            accepted.push_back(*decode<Accepted>(**message));
        } else if (type == "observed") {
            take(*decode<Observed>(**message));
        } else if (type == "facts") {
            facts.push_back(decode<FactsChanged>(**message)->facts);
        } else if (type == "clock") {
            clocks.push_back(decode<ClockChanged>(**message)->wall_ms);
        } else if (type == "resend") {
            resends.push_back(decode<Resend>(**message)->what);
            if (resends.back() == "desired") send_desired();
        }
    }
}

AgentWorld::AgentWorld() {
    engine.add_image("demo/web:1");
    engine.add_image("demo/web:2");
    engine.has_host_path = [this](const std::string& path) { return disk.exists(path); };
    facts.facts.hostname = "edge-1";
}

AgentWorld::~AgentWorld() {
    controller.drop_link();
    node.reset();
    runtime.run_until_idle();
}

void AgentWorld::make_agent() {
    Settings settings;
    settings.node_id = "node-1";
    settings.name = "edge-1";
    settings.controllers = {"vm-1:7443", "vm-2:7443"};
    settings.state_dir = "/state";
    settings.claim = &claim;
    node = std::make_unique<Agent>(runtime, disk, engine, relay, controller, facts, settings);
}

void AgentWorld::start_agent() {
    make_agent();
    const Result<void> started = test::run(runtime, node->start());
    if (started.has_error()) throw std::runtime_error(describe(started.error()));
    runtime.advance(Duration(2'000));
}

void AgentWorld::set_connected(bool connected) {
    controller.reachable = connected;
    if (!connected) controller.drop_link();
}

void AgentWorld::stop_agent() {
    test::run(runtime, node->stop(Duration(4'000)));
    kill_agent();
}

void AgentWorld::kill_agent() {
    controller.drop_link();
    node.reset();
    runtime.run_until_idle();
}

void AgentWorld::reboot() {
    kill_agent();
    disk.lose_power();
    engine.restart_engine();
    facts.boot += "+";
}

void AgentWorld::want(const std::vector<DesiredPlacement>& placements, Duration time) {
    controller.desired.clear();
    for (const DesiredPlacement& each : placements) controller.desired[each.placement] = each;
    controller.send_desired();
    runtime.advance(time);
}

const ObservedPlacement& AgentWorld::seen(const std::string& id) const {
    const auto found = controller.observed.find(PlacementId{id});
    if (found == controller.observed.end()) throw std::out_of_range("the controller knows nothing of " + id);
    return found->second;
}

std::string AgentWorld::state_of(const std::string& id) const {
    const auto found = controller.observed.find(PlacementId{id});
    return found == controller.observed.end() ? "absent" : std::string(to_string(found->second.state));
}

std::map<std::string, std::int64_t> AgentWorld::running() const {
    std::map<std::string, std::int64_t> out;
    for (const auto& [id, container] : engine.all()) {
        if (container.state.state == "running") out[id] = container.state.started_ms;
    }
    return out;
}

}  // namespace icos::test
