// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/container_plan.hpp"
#include "icos/agent/docker_engine.hpp"
#include "icos/async/production_runtime.hpp"
#include "icos/async/task_group.hpp"

#include <boost/json/object.hpp>
#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace icos::test {

/// A real engine with the image busybox:1, one for the whole program; stopped when it ends.
const std::string& docker_socket();
/// host:port of a registry with the repositories of tests/support/registry.py, one for the whole program.
std::string registry_address();
/// The same images for user "me" with password "secret" only.
std::string private_registry_address();

/// An engine client with a loop of its own. What a test made carries its label and is removed afterwards.
class DockerFixture {
public:
    DockerFixture();
    ~DockerFixture();
    DockerFixture(const DockerFixture&) = delete;
    DockerFixture& operator=(const DockerFixture&) = delete;

    agent::Engine& engine() { return *engine_; }
    ProductionRuntime& runtime() { return runtime_; }
    const std::string& tag() const { return tag_; }
    agent::LabelMap labels() const { return {{"icos.test", tag_}}; }

    /// A name no other test has.
    std::string name(const std::string& suffix) const { return "t-" + tag_ + "-" + suffix; }
    /// Create body of a busybox container that runs `script`.
    boost::json::object body(const std::string& script) const;
    std::string created(const std::string& suffix, boost::json::object body);
    std::string started(const std::string& suffix, const std::string& script);

    /// Runs `task` on the loop; fails the test after a minute.
    template <class T>
    T run(Task<T> task) {
        std::optional<T> out;
        run_task(keep(std::move(task), &out));
        REQUIRE(out.has_value());
        return std::move(*out);
    }
    /// As run(), for a call that must succeed.
    template <class T>
    T ok(Task<Result<T>> task) {
        Result<T> result = run(std::move(task));
        INFO((result.has_error() ? describe(result.error()) : std::string()));
        REQUIRE(result.has_value());
        if constexpr (!std::is_void_v<T>) return std::move(*result);
    }
    /// Inspects until `predicate` holds.
    agent::ContainerState until(
        const std::string& id, std::function<bool(const agent::ContainerState&)> predicate
    );
    /// Everything a command prints, and its exit code.
    struct Ran {
        std::string out;
        std::string err;
        int exit_code = -1;
    };
    Ran exec(const std::string& id, std::vector<std::string> command);

private:
    template <class T>
    static Task<> keep(Task<T> task, std::optional<T>* out) {
        T value = co_await std::move(task);
        out->emplace(std::move(value));
    }
    void run_task(Task<> task);
    void clean_up();

    ProductionRuntime runtime_{ProductionRuntime::Settings{}};
    std::unique_ptr<agent::Engine> engine_;
    std::string tag_;
};

}  // namespace icos::test
