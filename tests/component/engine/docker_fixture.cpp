// SPDX-License-Identifier: Apache-2.0
#include "docker_fixture.hpp"

#include <boost/asio/execution/context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/query.hpp>
#include <boost/json/array.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace icos::test {
namespace {

const std::string kPackaging = ICOS_PACKAGING_DIR;

int shell(const std::string& command) {
    return std::system(command.c_str());  // NOLINT(concurrency-mt-unsafe): before and after the tests
}

/// Runs `commands` if this program ends without having removed `folder`: a crash must not leave an engine
/// running.
void clean_up_after_crash(const std::string& folder, const std::string& commands) {
    const std::string wait =
        "while kill -0 " + std::to_string(::getpid()) + " 2>/dev/null; do sleep 0.5; done; ";
    shell(
        "setsid sh -c '" + wait + "[ -d " + folder + " ] || exit 0; " + commands + "; rm -rf " + folder +
        "' >/dev/null 2>&1 </dev/null &"
    );
}

class DockerEngineProcess {
public:
    DockerEngineProcess() {
        std::string pattern = (std::filesystem::temp_directory_path() / "icos-engine-test.XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) std::abort();
        folder_ = pattern;
        socket_ = folder_ + "/docker.sock";
        clean_up_after_crash(folder_, "bash " + kPackaging + "/dockerd.sh stop " + folder_);
        const bool is_up = shell("bash " + kPackaging + "/dockerd.sh start " + folder_) == 0 &&
                           shell("bash " + kPackaging + "/busybox-image.sh " + socket_ + " busybox:1") == 0;
        if (!is_up) {
            std::fprintf(stderr, "no Docker engine for the test: needs root, docker.io and busybox-static\n");
            shell("bash " + kPackaging + "/dockerd.sh stop " + folder_);
            std::exit(1);
        }
    }
    ~DockerEngineProcess() {
        shell("bash " + kPackaging + "/dockerd.sh stop " + folder_);
        std::error_code ec;
        std::filesystem::remove_all(folder_, ec);
    }
    const std::string& socket() const { return socket_; }

private:
    std::string folder_;
    std::string socket_;
};

/// A registry of images on 127.0.0.1, filled with the engine's busybox:1.
class RegistryProcess {
public:
    explicit RegistryProcess(const std::string& socket) {
        std::string pattern = (std::filesystem::temp_directory_path() / "icos-registry-test.XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) std::abort();
        folder_ = pattern;
        const std::string support = ICOS_SUPPORT_DIR;
        const bool is_up =
            shell("docker -H unix://" + socket + " save busybox:1 >" + folder_ + "/image.tar") == 0 &&
            shell(
                "python3 " + support + "/registry.py " + folder_ + "/image.tar " + folder_ +
                "/port </dev/null & echo $! >" + folder_ + "/pid; for i in $(seq 100); do [ -f " + folder_ +
                "/port ] && exit 0; sleep 0.1; done; exit 1"
            ) == 0;
        clean_up_after_crash(folder_, "kill $(cat " + folder_ + "/pid)");
        std::ifstream file(folder_ + "/port");
        if (!is_up || !(file >> open_ >> private_)) {
            std::fprintf(stderr, "no registry for the test: needs python3 and the docker command\n");
            std::exit(1);
        }
    }
    ~RegistryProcess() {
        shell("kill $(cat " + folder_ + "/pid)");
        std::error_code ec;
        std::filesystem::remove_all(folder_, ec);
    }
    std::string open() const { return "127.0.0.1:" + open_; }
    std::string locked() const { return "127.0.0.1:" + private_; }

private:
    std::string folder_;
    std::string open_;
    std::string private_;
};

Task<> then_stop(ProductionRuntime* runtime, Task<> task, std::exception_ptr* failure) {
    try {
        co_await std::move(task);
    } catch (...) {
        *failure = std::current_exception();
    }
    runtime->stop();
}

std::string next_tag() {
    static std::atomic<int> count{0};
    return std::to_string(++count);
}

}  // namespace

const std::string& docker_socket() {
    static const DockerEngineProcess process;
    return process.socket();
}

namespace {

const RegistryProcess& registry() {
    static const RegistryProcess process(docker_socket());
    return process;
}

}  // namespace

std::string registry_address() {
    return registry().open();
}

std::string private_registry_address() {
    return registry().locked();
}

DockerFixture::DockerFixture()
    : engine_(agent::make_docker_engine(runtime_, docker_socket())), tag_(next_tag()) {}

DockerFixture::~DockerFixture() {
    try {
        clean_up();
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "the engine keeps what a test made: %s\n", failure.what());
    } catch (...) {
        std::fprintf(stderr, "the engine keeps what a test made\n");
    }
}

void DockerFixture::clean_up() {
    for (const auto& container : run(engine_->containers(labels())).value()) {
        run(engine_->remove_container(container.id)).value();
    }
    for (const auto& network : run(engine_->networks(labels())).value())
        run(engine_->remove_network(network)).value();
    for (const auto& volume : run(engine_->volumes(labels())).value())
        run(engine_->remove_volume(volume)).value();
}

boost::json::object DockerFixture::body(const std::string& script) const {
    boost::json::object host;
    host["NetworkMode"] = "none";
    boost::json::object labels;
    labels["icos.test"] = tag_;
    boost::json::object out;
    out["Image"] = "busybox:1";
    out["Cmd"] = boost::json::array{"sh", "-c", script};
    out["StopTimeout"] = 1;
    out["Labels"] = std::move(labels);
    out["HostConfig"] = std::move(host);
    return out;
}

std::string DockerFixture::created(const std::string& suffix, boost::json::object body) {
    return ok(engine_->create_container(name(suffix), std::move(body)));
}

std::string DockerFixture::started(const std::string& suffix, const std::string& script) {
    const std::string id = created(suffix, body(script));
    ok(engine_->start(id));
    return id;
}

void DockerFixture::run_task(Task<> task) {
    std::exception_ptr failure;
    bool is_late = false;
    TaskGroup group(runtime_);
    group.spawn("test", then_stop(&runtime_, std::move(task), &failure));
    const auto limit = runtime_.schedule(Duration(60'000), [&] {
        is_late = true;
        runtime_.stop();
    });
    // A runtime runs once in a program; here each call is a run of its own.
    auto& context = boost::asio::query(runtime_.loop(), boost::asio::execution::context);
    static_cast<boost::asio::io_context&>(context).restart();
    runtime_.run();
    if (failure) std::rethrow_exception(failure);
    REQUIRE_FALSE(is_late);
}

namespace {

Task<Result<agent::ContainerState>> poll(
    Runtime* runtime,
    agent::Engine* engine,
    std::string id,
    std::function<bool(const agent::ContainerState&)> predicate
) {
    while (true) {
        Result<agent::ContainerState> state = co_await engine->inspect(id);
        if (state.has_error() || predicate(*state)) co_return state;
        co_await sleep_for(*runtime, Duration(50));
    }
}

Task<Result<DockerFixture::Ran>> run_command(
    agent::Engine* engine, std::string id, std::vector<std::string> command
) {
    agent::ExecQuery query;
    query.command = std::move(command);
    Result<std::unique_ptr<agent::ExecSession>> session = co_await engine->exec(id, query);
    if (session.has_error()) co_return session.error();
    DockerFixture::Ran ran;
    while (true) {
        Result<std::optional<agent::ExecSession::Output>> output = co_await (*session)->read();
        if (output.has_error()) co_return output.error();
        if (!output->has_value()) break;
        ((*output)->is_stderr ? ran.err : ran.out) += (*output)->bytes;
    }
    const Result<int> code = co_await (*session)->exit_code();
    if (code.has_error()) co_return code.error();
    ran.exit_code = *code;
    co_return ran;
}

}  // namespace

agent::ContainerState DockerFixture::until(
    const std::string& id, std::function<bool(const agent::ContainerState&)> predicate
) {
    return ok(poll(&runtime_, engine_.get(), id, std::move(predicate)));
}

DockerFixture::Ran DockerFixture::exec(const std::string& id, std::vector<std::string> command) {
    return ok(run_command(engine_.get(), id, std::move(command)));
}

}  // namespace icos::test
