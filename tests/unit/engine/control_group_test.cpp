// SPDX-License-Identifier: Apache-2.0
#include "agent/engine/control_group.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

using namespace icos;
using namespace icos::agent;

namespace {

const std::string kId(64, 'a');
const std::string kOther = std::string(63, 'a') + "b";

/// A procfs in a folder, about processes that really run.
class ProcFolder {
public:
    ProcFolder()
        : path_(std::filesystem::temp_directory_path() / ("icos-proc-" + std::to_string(::getpid()))) {
        std::filesystem::create_directories(path_);
    }
    ~ProcFolder() { std::filesystem::remove_all(path_); }
    ProcFolder(const ProcFolder&) = delete;
    ProcFolder& operator=(const ProcFolder&) = delete;

    void add(pid_t pid, const std::string& group, char state = 'S') {
        const auto folder = path_ / std::to_string(pid);
        std::filesystem::create_directories(folder);
        std::ofstream(folder / "cgroup") << "0::" << group << "\n";
        std::ofstream(folder / "stat") << pid << " (name) with) " << state << " 1 2 3\n";
    }
    std::string path() const { return path_.string(); }

private:
    std::filesystem::path path_;
};

pid_t sleeper() {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::execlp("sleep", "sleep", "1000", nullptr);
        ::_exit(127);
    }
    return pid;
}

bool was_killed(pid_t pid) {
    int status = 0;
    return ::waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

}  // namespace

TEST_CASE("a container's control group is known by its whole id", "[agent][engine][fence]") {
    CHECK(is_in_group_of("0::/system.slice/docker-" + kId + ".scope\n", kId));
    CHECK(is_in_group_of("0::/docker/" + kId + "\n", kId));
    CHECK(is_in_group_of("0::/docker/" + kId + "/init\n", kId));
    CHECK(is_in_group_of("12:pids:/x\n3:cpu:/docker/" + kId + "\n", kId));
    CHECK(is_in_group_of("0::/machine.slice/libpod-" + kId + ".scope/container\n", kId));

    CHECK_FALSE(is_in_group_of("0::/docker/" + kOther + "\n", kId));
    CHECK_FALSE(is_in_group_of("0::/docker/" + kId + "a\n", kId));
    CHECK_FALSE(is_in_group_of("0::/docker/a" + kId + "\n", kId));
    CHECK_FALSE(is_in_group_of("0::/user.slice\n", kId));
    CHECK_FALSE(is_in_group_of("", kId));
    // What is too short to be an id names nobody's group.
    CHECK_FALSE(is_in_group_of("0::/docker/aaaa\n", "aaaa"));
    CHECK_FALSE(is_in_group_of("0::/docker/\n", ""));
}

TEST_CASE("every process of the group is killed and nobody else", "[agent][engine][fence]") {
    ProcFolder proc;
    const pid_t first = sleeper();
    const pid_t second = sleeper();
    const pid_t stranger = sleeper();
    proc.add(first, "/system.slice/docker-" + kId + ".scope");
    proc.add(second, "/docker/" + kId);
    proc.add(stranger, "/docker/" + kOther);
    proc.add(::getpid(), "/docker/" + kId, 'Z');  // ended, as far as the list says

    const Result<std::size_t> killed = kill_control_group(proc.path(), kId);

    REQUIRE(killed.has_value());
    CHECK(*killed == 2);
    CHECK(was_killed(first));
    CHECK(was_killed(second));
    CHECK(::kill(stranger, 0) == 0);
    ::kill(stranger, SIGKILL);
    CHECK(was_killed(stranger));
    // They are gone, the list is old.
    CHECK(kill_control_group(proc.path(), kId).value() == 0);
}

TEST_CASE("no procfs is an error, not an empty group", "[agent][engine][fence]") {
    CHECK(kill_control_group("/nonexistent", kId).has_error());
}
