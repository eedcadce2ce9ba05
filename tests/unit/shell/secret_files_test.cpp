// SPDX-License-Identifier: Apache-2.0
#include "commands/secret_files.hpp"

#include "commands/descriptor_file.hpp"
#include "icos/descriptor/secrets.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace icos;
using namespace icos::shell;

namespace {

/// A folder with a descriptor and the files of its secrets.
struct Folder {
    Folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "icos-shell-test-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path = pattern;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string put(const std::string& name, const std::string& content) const {
        std::ofstream(path / name, std::ios::binary) << content;
        return (path / name).string();
    }
    std::filesystem::path path;
};

std::string descriptor_with(const std::string& secret) {
    return "name: hello\ncomponents:\n  - {name: web, type: docker, manifests: [{name: web}]}\nmanifests:\n"
           "  - name: web\n    manifest:\n      services:\n        web: {image: i, secrets: [db]}\n"
           "      secrets:\n        db: {" +
           secret + "}\n";
}

/// "CODE line:column message" of the errors.
std::vector<std::string> errors_of(const DescriptorFile& file) {
    std::vector<std::string> out;
    for (const auto& diagnostic : file.parsed.diagnostics) {
        if (diagnostic.severity == descriptor::Severity::error)
            out.push_back(descriptor::to_line(diagnostic));
    }
    return out;
}

}  // namespace

TEST_CASE("a secret's file is read from beside the descriptor, not from the working directory", "[shell]") {
    const Folder folder;
    folder.put("db.txt", "hunter2\n");
    const std::string path = folder.put("app.yaml", descriptor_with("file: ./db.txt"));

    const auto files = read_descriptors({path}, false);

    REQUIRE(files.has_value());
    CHECK(errors_of(files->front()).empty());
    CHECK(files->front().text.find("hunter2\\x0a") != std::string::npos);
    CHECK(files->front().text.find("db.txt") == std::string::npos);
}

TEST_CASE("a secret comes from a variable of the caller's environment", "[shell]") {
    const Folder folder;
    ::setenv("ICOS_TEST_SECRET", "hunter2", 1);
    const std::string path = folder.put("app.yaml", descriptor_with("environment: ICOS_TEST_SECRET"));

    const auto files = read_descriptors({path}, false);

    REQUIRE(files.has_value());
    CHECK(files->front().text.find("content: \"hunter2\"") != std::string::npos);
}

TEST_CASE("a secret that cannot be taken is an error at its place, with the reason", "[shell]") {
    const Folder folder;
    folder.put("large.txt", std::string(descriptor::kMaxSecretBytes + 1, 'x'));
    folder.put("binary.txt", std::string("\xff\x00\x01", 3));
    ::unsetenv("ICOS_TEST_ABSENT");
    for (const auto& [secret, expected] : std::vector<std::pair<std::string, std::string>>{
             {"file: ./absent.txt", "10:20: error: secret \"db\": ./absent.txt No such file or directory"},
             {"file: ./large.txt", "10:20: error: secret \"db\": ./large.txt has more than the 65536 bytes"},
             {"file: ./binary.txt", "10:20: error: secret \"db\": ./binary.txt is not UTF-8 text"},
             {"file: .", "10:20: error: secret \"db\": . is a directory"},
             {"environment: ICOS_TEST_ABSENT", "10:27: error: secret \"db\": ICOS_TEST_ABSENT is not set"}
         }) {
        const auto files = read_descriptors({folder.put("app.yaml", descriptor_with(secret))}, false);
        REQUIRE(files.has_value());
        const auto errors = errors_of(files->front());
        INFO(secret);
        REQUIRE(errors.size() == 1);
        CHECK(errors.front().starts_with(expected));
        CHECK_FALSE(files->front().parsed.application);
    }
}

TEST_CASE("a descriptor without references is sent as it was written", "[shell]") {
    const Folder folder;
    const std::string text = descriptor_with("content: inline");
    const auto files = read_descriptors({folder.put("app.yaml", text)}, false);
    REQUIRE(files.has_value());
    CHECK(files->front().text == text);
}
