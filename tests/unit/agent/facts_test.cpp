// SPDX-License-Identifier: Apache-2.0
#include "agent/facts.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace icos;
using namespace icos::agent;

namespace {

/// A root directory with files of a machine's identity.
class Root {
public:
    Root() {
        std::string pattern = (std::filesystem::temp_directory_path() / "icos-facts.XXXXXX").string();
        path_ = mkdtemp(pattern.data());
    }
    ~Root() { std::filesystem::remove_all(path_); }
    Root(const Root&) = delete;
    Root& operator=(const Root&) = delete;
    void put(const std::string& path, const std::string& text) const {
        std::filesystem::create_directories(std::filesystem::path(path_ + path).parent_path());
        std::ofstream(path_ + path) << text;
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

}  // namespace

TEST_CASE("facts come from the host's identity files below the root", "[agent][facts]") {
    const Root root;
    root.put("/etc/machine-id", "0123456789abcdef\n");
    root.put("/etc/machine-labels", "site=lab\n\n# a comment\nrole = camera \n");
    root.put("/etc/machine-location", "41.8967:12.4822\n");
    root.put(
        "/etc/machine-devices", "squat.ai/video=/dev/video0\nsquat.ai/video=/dev/video9\nexample.org/token\n"
    );
    root.put("/dev/video0", "");
    root.put("/etc/os-release", "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
    root.put("/proc/stat", "cpu  1 2 3\ncpu0 1\ncpu1 1\ncpu2 1\ncpu3 1\nintr 7\n");
    root.put("/proc/meminfo", "MemTotal:        8167848 kB\nMemFree: 1 kB\n");
    root.put("/proc/sys/kernel/hostname", "edge-1\n");
    root.put("/proc/sys/kernel/osrelease", "6.1.0\n");
    root.put("/proc/sys/kernel/random/boot_id", "b-1\n");

    HostFacts source(root.path(), DeclaredFacts{{{"role", "robot"}}, {{"nvidia.com/gpu", ""}}, ""});
    const Facts facts = source.read();

    CHECK(facts.hostname == "edge-1");
    CHECK(facts.os == "Debian GNU/Linux 12 (bookworm)");
    CHECK(facts.kernel == "6.1.0");
    CHECK(facts.cpu_milli == 4000);
    CHECK(facts.memory_bytes == 8167848ULL * 1024);
    CHECK(facts.labels == std::map<std::string, std::string>{{"role", "robot"}, {"site", "lab"}});
    CHECK(facts.location == "41.8967,12.4822");
    CHECK(
        facts.devices ==
        std::vector<Device>{
            {"example.org/token", ""}, {"nvidia.com/gpu", ""}, {"squat.ai/video", "/dev/video0"}
        }
    );
    CHECK(facts.machine_id == hashed_machine_id("0123456789abcdef"));
    CHECK(facts.machine_id.find("0123456789abcdef") == std::string::npos);
    CHECK(source.boot_id() == "b-1");
}

TEST_CASE("a machine without identity files has facts without them", "[agent][facts]") {
    const Root root;
    const Facts facts = HostFacts(root.path(), DeclaredFacts{}).read();

    CHECK(facts.labels.empty());
    CHECK(facts.location.empty());
    CHECK(facts.machine_id.empty());
    CHECK_FALSE(facts.architecture.empty());
}

TEST_CASE("a label line without a value separator is told, the others count", "[agent][facts]") {
    std::vector<std::string> problems;
    const auto labels = parse_machine_labels("a=1\nnonsense\n=x\nb=two=three", problems);

    CHECK(labels == std::map<std::string, std::string>{{"a", "1"}, {"b", "two=three"}});
    CHECK(
        problems ==
        std::vector<std::string>{"expected name=value, got 'nonsense'", "expected name=value, got '=x'"}
    );
}

TEST_CASE("a location is a pair of numbers or free text", "[agent][facts]") {
    CHECK(parse_machine_location("41.5:-2.25\n") == "41.5,-2.25");
    CHECK(parse_machine_location("Hall 4, row B") == "Hall 4, row B");
    CHECK(parse_machine_location("rack: 7") == "rack: 7");
    CHECK(parse_machine_location("").empty());
}

TEST_CASE("architectures have one name each", "[agent][facts]") {
    CHECK(normalise_architecture("amd64") == "x86_64");
    CHECK(normalise_architecture("aarch64") == "arm64");
    CHECK(normalise_architecture("riscv64") == "riscv64");
}
