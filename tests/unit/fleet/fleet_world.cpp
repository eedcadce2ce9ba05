// SPDX-License-Identifier: Apache-2.0
#include "fleet_world.hpp"

#include "icos/link/digest.hpp"
#include "run_task.hpp"

#include <boost/json/parse.hpp>

#include <stdexcept>

namespace icos::fleet::test {
namespace {

namespace json = boost::json;

Task<> keep_message(
    std::vector<messages::NodeChanged>* out, std::shared_ptr<const messages::NodeChanged> message
) {
    out->push_back(*message);
    co_return;
}

http::Caller admin() {
    http::Caller caller;
    caller.subject = "token:admin";
    caller.role = http::Role::admin;
    return caller;
}

}  // namespace

Result<std::string> NumberedAuthority::issue(
    const http::PeerKey& peer, const std::string& node_id, std::int64_t from, std::int64_t to
) {
    return "certificate " + std::to_string(++issued_) + " for " + node_id + " key " + peer.key_id + " from " +
           std::to_string(from) + " to " + std::to_string(to);
}

void RecordingListener::accepted(
    const TargetId& target, const std::string& digest, const std::string& problem
) {
    if (digest.empty() && problem.empty()) {
        ++unknowns;
        return;
    }
    accepted_digests.emplace_back(target, digest);
    if (!problem.empty()) problems.push_back(problem);
}

void RecordingListener::observed(
    const TargetId& target,
    bool full,
    const std::vector<agent::ObservedPlacement>& upsert,
    const std::vector<PlacementId>& removed
) {
    reports.push_back({target, full, upsert, removed});
}

FleetWorld::FleetWorld() = default;

FleetWorld::~FleetWorld() {
    if (module_) stop();
}

CertificateAuthorityFactory FleetWorld::numbered() {
    return [](const AuthoritySettings&) -> Result<std::unique_ptr<CertificateAuthority>> {
        return std::unique_ptr<CertificateAuthority>(std::make_unique<NumberedAuthority>());
    };
}

Result<void> FleetWorld::try_start(CertificateAuthorityFactory factory) {
    const ModuleDescriptor described = descriptor(std::move(factory));
    bus_ = std::make_unique<Bus>(runtime);
    router_ = std::make_unique<http::Router>();
    ports_ = std::make_unique<Ports>();
    module_ = described.make();
    ModuleContext context{
        runtime,
        *bus_,
        store,
        *disk_,
        *router_,
        *ports_,
        config::defaults(described.schema),
        "/nowhere",
        "11111111-2222-4333-8444-555555555555",
        "vm-1",
        "vm-1"
    };
    if (Result<void> configured = module_->configure(context); configured.has_error()) return configured;
    ports_->provide<ClaimsView>(claims);
    ports_->find<ExecutorRegistry>()->attach(listener);
    subscription_ = bus_->subscribe<messages::NodeChanged>(
        "test",
        1000,
        Overflow::drop_oldest,
        [this](std::shared_ptr<const messages::NodeChanged> message) {
            return keep_message(&changes, std::move(message));
        }
    );
    return icos::test::run(runtime, module_->start());
}

void FleetWorld::start(CertificateAuthorityFactory factory) {
    const Result<void> started = try_start(std::move(factory));
    if (started.has_error()) throw std::runtime_error(describe(started.error()));
}

void FleetWorld::stop() {
    icos::test::run(runtime, module_->stop(Duration{2000}));
    subscription_.reset();
    icos::test::run(runtime, bus_->stop(Duration{100}));
    module_.reset();
    runtime.run_until_idle();
}

void FleetWorld::restart() {
    stop();
    start();
}

std::string FleetWorld::Answer::text(const char* member) const {
    const json::value* value = body.if_contains(member);
    if (value == nullptr || !value->is_string()) return {};
    return {value->get_string().data(), value->get_string().size()};
}

std::string FleetWorld::Answer::code() const {
    return text("code");
}

FleetWorld::Answer FleetWorld::call_as(
    http::Caller caller, http::Method method, const std::string& path, const std::string& body
) {
    http::Request request;
    request.method = method;
    const auto question = path.find('?');
    request.path = path.substr(0, question);
    if (question != std::string::npos) {
        const std::string query = path.substr(question + 1);
        request.query.emplace(query.substr(0, query.find('=')), query.substr(query.find('=') + 1));
    }
    request.body = body;
    request.caller = std::move(caller);
    request.remote = "192.0.2.7:39999";
    const http::Response response = icos::test::run(runtime, router_->dispatch(std::move(request)));
    Answer answer;
    answer.status = response.status;
    if (!response.body.empty()) answer.body = json::parse(response.body).as_object();
    const auto etag = response.headers.find("ETag");
    if (etag != response.headers.end()) answer.etag = etag->second;
    return answer;
}

FleetWorld::Answer FleetWorld::call(
    http::Method method, const std::string& path, const std::string& body, http::Headers headers
) {
    if (headers.empty()) return call_as(admin(), method, path, body);
    http::Request request;
    request.method = method;
    request.path = path;
    request.body = body;
    request.headers = std::move(headers);
    request.caller = admin();
    const http::Response response = icos::test::run(runtime, router_->dispatch(std::move(request)));
    Answer answer;
    answer.status = response.status;
    if (!response.body.empty()) answer.body = json::parse(response.body).as_object();
    return answer;
}

std::string FleetWorld::make_token(const std::string& body) {
    const Answer made = call(http::Method::post, "/api/v1/tokens", body);
    if (made.status != 201) throw std::runtime_error("no token: " + made.text("detail"));
    return made.text("token");
}

http::PeerKey FleetWorld::peer(const std::string& key) {
    http::PeerKey peer;
    peer.key_id = link::sha256_hex(key);
    peer.common_name = key;
    peer.spki_der = key;
    return peer;
}

http::Caller FleetWorld::agent_caller(const std::string& key) {
    http::Caller caller;
    caller.role = http::Role::agent;
    caller.peer = peer(key);
    caller.subject = "agent:" + caller.peer->key_id;
    return caller;
}

FleetWorld::Answer FleetWorld::join(const agent::JoinRequest& request, const std::string& key) {
    return call_as(agent_caller(key), http::Method::post, "/agent/v1/join", agent::encode(request));
}

FleetWorld::Answer FleetWorld::join(
    const std::string& token, const std::string& name, const std::string& key
) {
    agent::JoinRequest request;
    request.token = token;
    request.name = name;
    request.facts = some_facts(name);
    return join(request, key);
}

NodeId FleetWorld::join_node(const std::string& name) {
    const Answer joined = join(make_token(), name, name);
    if (joined.status != 200) throw std::runtime_error("not joined: " + joined.text("detail"));
    return NodeId{joined.text("node_id")};
}

const Node* FleetWorld::node(const std::string& name) {
    return topology().current()->find_name(name);
}

NodeState FleetWorld::state_of(const std::string& name) {
    const Node* found = node(name);
    if (found == nullptr) throw std::runtime_error("no node " + name);
    return found->state;
}

std::vector<std::string> FleetWorld::event_messages(const std::string& kind) const {
    std::vector<std::string> out;
    for (const Event& event : store.recorded()) {
        if (event.kind == kind) out.push_back(event.message);
    }
    return out;
}

std::uint64_t FleetWorld::metric(const std::string& name_and_labels) {
    const std::string all = "\n" + module_->metrics();
    const auto at = all.find("\n" + name_and_labels + " ");
    if (at == std::string::npos) throw std::runtime_error("no metric " + name_and_labels + " in " + all);
    return std::stoull(all.substr(at + name_and_labels.size() + 2));
}

FakeAgent::FakeAgent(FleetWorld& world, const std::string& key, std::string remote)
    : FakeAgent(world, key, std::move(remote), FleetWorld::peer(key)) {}

FakeAgent::FakeAgent(FleetWorld& world, const std::string& key, WallTime certificate_until)
    : FakeAgent(world, key, "192.0.2.7:40000", [&] {
          http::PeerKey peer = FleetWorld::peer(key);
          peer.issued_by_us = true;
          peer.not_after_ms = to_ms(certificate_until);
          return peer;
      }()) {}

FakeAgent::FakeAgent(FleetWorld& world, const std::string& key, std::string remote, http::PeerKey peer)
    : world_(world), tasks_(world.runtime) {
    icos::test::FramePipe pipe = icos::test::make_frame_pipe(world.runtime, std::move(remote), "controller");
    middle = pipe.middle;
    hello.boot_id = "boot-" + key;
    hello.process_nonce = "process-" + key;
    hello.facts = some_facts(key);
    session = std::make_unique<link::Session>(
        world.runtime,
        std::move(pipe.second),
        link::Session::Side::dialling,
        [this](std::shared_ptr<link::Channel> channel) {
            if (channel->kind() != "logs") return false;
            channels.push_back(std::move(channel));
            return true;
        }
    );
    tasks_.spawn("agent.served", serve(this, world.acceptor().serve(std::move(peer), std::move(pipe.first))));
    tasks_.spawn("agent.session", pump(this));
    tasks_.spawn("agent.read", read(this));
    world.runtime.run_until_idle();
}

FakeAgent::~FakeAgent() {
    session->close();
    middle->closed[1] = true;
    middle->silent = false;
    middle->changed.notify();
    world_.runtime.run_until_idle();
    icos::test::run(world_.runtime, tasks_.stop(Duration{20'000}));
}

Task<> FakeAgent::serve(FakeAgent* self, Task<> serving) {
    co_await std::move(serving);
    self->served = true;
}

Task<> FakeAgent::pump(FakeAgent* self) {
    co_await self->session->run();
    self->ended = true;
}

Task<> FakeAgent::read(FakeAgent* self) {
    for (;;) {
        Result<std::optional<std::string>> message = co_await self->session->control().read();
        if (message.has_error() || !message->has_value()) co_return;
        self->inbox.push_back(std::move(**message));
    }
}

Task<> FakeAgent::write(FakeAgent* self, std::string message) {
    co_await self->session->control().write(std::move(message));
}

void FakeAgent::say(std::string message) {
    tasks_.spawn("agent.write", write(this, std::move(message)));
    world_.runtime.run_until_idle();
    world_.runtime.advance(Duration{5});  // for the store
}

void FakeAgent::say_hello() {
    say(agent::encode(hello));
}

std::vector<std::string> FakeAgent::of_type(const std::string& type) const {
    std::vector<std::string> out;
    for (const std::string& message : inbox) {
        if (agent::message_type(message) == type) out.push_back(message);
    }
    return out;
}

std::optional<agent::Welcome> FakeAgent::welcome() const {
    const std::vector<std::string> all = of_type("welcome");
    if (all.empty()) return std::nullopt;
    return agent::decode<agent::Welcome>(all.back()).value();
}

std::vector<agent::Desired> FakeAgent::desired() const {
    std::vector<agent::Desired> out;
    for (const std::string& message : of_type("desired"))
        out.push_back(agent::decode<agent::Desired>(message).value());
    return out;
}

std::string FakeAgent::refusal() const {
    const std::vector<std::string> all = of_type("refused");
    if (all.empty()) return {};
    const json::value value = json::parse(all.back());
    return std::string(value.at("code").as_string());
}

agent::Facts some_facts(const std::string& hostname) {
    agent::Facts facts;
    facts.hostname = hostname;
    facts.architecture = "x86_64";
    facts.os = "Debian GNU/Linux 12 (bookworm)";
    facts.kernel = "6.1";
    facts.agent_version = "0.1.0";
    facts.cpu_milli = 4000;
    facts.memory_bytes = std::uint64_t{8} << 30U;
    facts.engine = "docker";
    facts.engine_version = "20.10";
    return facts;
}

agent::DesiredPlacement placement(const std::string& id, const std::string& digest) {
    agent::DesiredPlacement out;
    out.placement = PlacementId{id};
    out.app = "hello";
    out.component = id;
    out.digest = digest;
    return out;
}

std::shared_ptr<const TargetPlan> plan(
    std::vector<agent::DesiredPlacement> placements, std::uint64_t version
) {
    auto out = std::make_shared<TargetPlan>();
    out->version = version;
    for (agent::DesiredPlacement& item : placements) {
        const PlacementId id = item.placement;
        out->set.emplace(id, std::move(item));
    }
    out->digest = agent::desired_digest(out->set);
    return out;
}

}  // namespace icos::fleet::test
