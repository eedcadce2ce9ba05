// SPDX-License-Identifier: Apache-2.0
#include "facts.hpp"
#include "icos/agent/container_plan.hpp"
#include "program/program.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <map>

namespace {

using namespace icos;

/// "K=V", or a usage error that names the flag.
std::pair<std::string, std::string> split_pair(const std::string& text, const char* flag) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
        throw CLI::ValidationError(flag, "expected NAME=VALUE, got \"" + text + "\"");
    }
    return {text.substr(0, equals), text.substr(equals + 1)};
}

struct Flags {
    agent::JoinOptions join;
    agent::RunOptions run;
    agent::ResetOptions reset;
    std::vector<std::string> labels;
    std::vector<std::string> devices;
    std::string state_dir = agent::kDefaultStateDir;
    std::string secrets_dir = std::string(agent::kDefaultSecretsDir);
    std::string socket;
    std::int64_t reconnect_max_ms = 15'000;
    bool no_start = false;
};

int chosen(const CLI::App& app, Flags& flags) {
    if (app.got_subcommand("join")) {
        for (const std::string& text : flags.labels) flags.join.labels.insert(split_pair(text, "--label"));
        for (const std::string& text : flags.devices) {
            auto [name, path] = split_pair(text, "--device");
            flags.join.devices.push_back({std::move(name), std::move(path)});
        }
        flags.join.state_dir = flags.state_dir;
        flags.join.docker_socket = flags.socket;
        return agent::run_join(std::move(flags.join), !flags.no_start);
    }
    if (app.got_subcommand("run")) {
        flags.run.state_dir = flags.state_dir;
        flags.run.docker_socket = flags.socket;
        flags.run.secrets_dir = flags.secrets_dir;
        flags.run.longest_pause = Duration(flags.reconnect_max_ms);
        return agent::run_agent(flags.run);
    }
    if (app.got_subcommand("reset-identity")) {
        flags.reset.state_dir = flags.state_dir;
        flags.reset.secrets_dir = flags.secrets_dir;
        flags.reset.docker_socket = flags.socket;
        return agent::run_reset_identity(flags.reset);
    }
    if (app.got_subcommand("prepare")) return agent::run_prepare(flags.state_dir, flags.secrets_dir);
    if (app.got_subcommand("status")) return agent::run_status(flags.state_dir);
    std::printf("icos-agent %s\n", std::string(agent::kAgentVersion).c_str());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"The ICOS agent: measures this node and runs the components that a controller places on it"};
    app.name("icos-agent");
    app.require_subcommand(1);
    app.footer("Exit codes: 0 done, 1 refused or failed, 2 wrong usage.");
    Flags flags;

    auto* join = app.add_subcommand("join", "Make this machine a node of a controller (once)");
    join->add_option("--controller", flags.join.controller, "HOST:PORT of the controller")->required();
    join->add_option("--token", flags.join.token, "what `icos node token` printed")->required();
    join->add_option("--name", flags.join.name, "the node's name; default the host name");
    join->add_option("--label", flags.labels, "K=V, may be repeated")->allow_extra_args(false);
    join->add_option("--device", flags.devices, "NAME=PATH, may be repeated")->allow_extra_args(false);
    join->add_flag("--no-start", flags.no_start, "do not start the service");
    join->footer("Example: icos-agent join --controller vm-1:7443 --token icos1.9f3c...");

    auto* run = app.add_subcommand("run", "Run the agent (the service does this)");
    static const std::map<std::string, LogLevel> kLevels{
        {"debug", LogLevel::debug},
        {"info", LogLevel::info},
        {"warning", LogLevel::warning},
        {"error", LogLevel::error}
    };
    static const std::map<std::string, LogFormat> kFormats{
        {"text", LogFormat::text}, {"json", LogFormat::json}
    };
    run->add_option("--log-level", flags.run.log.level, "debug, info, warning or error")
        ->transform(CLI::CheckedTransformer(kLevels));
    run->add_option("--log-format", flags.run.log.format, "text or json")
        ->transform(CLI::CheckedTransformer(kFormats));

    run->add_option(
           "--reconnect-max-ms",
           flags.reconnect_max_ms,
           "longest pause between two attempts to reach a controller"
    )
        ->check(CLI::Range(10, 3'600'000))
        ->capture_default_str();

    auto* prepare = app.add_subcommand(
        "prepare", "Make the files of secrets, at boot and before the engine starts containers"
    );
    auto* status = app.add_subcommand("status", "What this node is, and what it was told to run");
    auto* reset = app.add_subcommand(
        "reset-identity", "Forget which node this machine is, so that it can join as another (a cloned image)"
    );
    reset->add_flag("--yes", flags.reset.is_confirmed, "do not ask");
    reset->add_flag(
        "--keep-containers", flags.reset.keep_containers, "leave what runs; nobody manages it then"
    );
    reset->footer(
        "Removes key, certificate, accepted set and secrets, and the containers and networks of the node it "
        "was; "
        "volumes\n"
        "stay. Stop the agent first. Example: systemctl stop icos-agent && icos-agent reset-identity"
    );
    app.add_subcommand("version", "Print the version");
    for (CLI::App* command : {join, run, prepare, status, reset}) {
        command->add_option("--state-dir", flags.state_dir, "identity and accepted set")
            ->capture_default_str();
    }
    for (CLI::App* command : {run, prepare, reset}) {
        command
            ->add_option(
                "--secrets-dir",
                flags.secrets_dir,
                "files of secrets that containers see; has to be in memory"
            )
            ->capture_default_str();
    }
    for (CLI::App* command : {join, run, reset}) {
        command->add_option(
            "--docker-socket", flags.socket, "socket of the container engine; default Docker's or Podman's"
        );
    }
    try {
        app.parse(argc, argv);
        return chosen(app, flags);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        return 1;
    }
}
