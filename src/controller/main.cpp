// SPDX-License-Identifier: Apache-2.0
#include "contradictions.hpp"
#include "icos/core/log.hpp"
#include "modules.hpp"
#include "sections.hpp"
#include "serve.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

extern char** environ;

namespace {

using namespace icos;

struct Options {
    std::string file;
    std::string data_dir;
    std::vector<std::string> sets;
};

constexpr const char* kDefaultFile = "/etc/icos/controller.yaml";

std::map<std::string, std::string> environment() {
    std::map<std::string, std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string text(*entry);
        const std::size_t equals = text.find('=');
        if (equals != std::string::npos && text.starts_with("ICOS_"))
            all[text.substr(0, equals)] = text.substr(equals + 1);
    }
    return all;
}

/// Loads the configuration; prints every problem when there are some.
std::optional<config::Config> load(const Options& options) {
    config::Source source;
    source.file = options.file;
    if (source.file.empty() && std::filesystem::exists(kDefaultFile)) source.file = kDefaultFile;
    if (!source.file.empty()) {
        source.drop_in_directory =
            (std::filesystem::path(source.file).parent_path() / "controller.conf.d").string();
    }
    source.environment = environment();
    source.sets = options.sets;
    config::Loaded loaded = config::load(controller::sections(), source);
    if (loaded.config) loaded.problems = controller::contradictions(*loaded.config, controller::modules());
    for (const config::Problem& problem : loaded.problems) {
        std::fprintf(stderr, "%s: %s\n", problem.place.c_str(), problem.message.c_str());
    }
    if (!loaded.problems.empty()) {
        std::fprintf(
            stderr,
            "%zu problem%s in the configuration; `icos-controller default-config` shows every key\n",
            loaded.problems.size(),
            loaded.problems.size() == 1 ? "" : "s"
        );
    }
    if (!loaded.problems.empty()) return std::nullopt;
    return std::move(loaded.config);
}

int run(const Options& options) {
    const std::optional<config::Config> config = load(options);
    if (!config) return 2;
    const config::View& log = config->section("log");
    LogSettings settings;
    const std::string level = log.text("level");
    settings.level = level == "debug"     ? LogLevel::debug
                     : level == "warning" ? LogLevel::warning
                     : level == "error"   ? LogLevel::error
                                          : LogLevel::info;
    settings.format = log.text("format") == "json" ? LogFormat::json : LogFormat::text;
    configure_logging(settings);
    const std::string data_dir =
        options.data_dir.empty() ? config->section("controller").text("data_dir") : options.data_dir;
    return controller::serve(*config, data_dir);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"The ICOS controller: applications, nodes and their state, in one process"};
    app.name("icos-controller");
    app.footer(
        "Configuration: --config FILE (default /etc/icos/controller.yaml), then controller.conf.d/*.yaml "
        "beside it, ICOS_SECTION_KEY "
        "variables, --set section.key=value; the later wins.\nExit codes: 0 stopped in order, 1 could not "
        "start, 2 wrong usage or configuration."
    );
    Options options;
    const auto add_options = [&options](CLI::App& command) {
        command.add_option("--config", options.file, "configuration file");
        command.add_option("--data-dir", options.data_dir, "state, keys and the local socket");
        command.add_option("--set", options.sets, "section.key=value, may be repeated")
            ->allow_extra_args(false);
    };
    add_options(app);
    auto* run_command = app.add_subcommand("run", "Serve (the default)");
    add_options(*run_command);
    auto* check_command =
        app.add_subcommand("check-config", "Check the configuration; every problem with its line");
    add_options(*check_command);
    auto* modules_command = app.add_subcommand("modules", "List the modules of this build");
    bool reference = false;
    auto* default_command = app.add_subcommand("default-config", "Print every key with its default");
    default_command->add_flag("--reference", reference, "as the page docs/configuration.md");
    auto* version_command = app.add_subcommand("version", "Print the version");
    app.require_subcommand(0, 1);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (check_command->parsed()) {
        if (!load(options)) return 2;
        std::puts("the configuration is valid");
        return 0;
    }
    if (modules_command->parsed()) {
        for (const ModuleDescriptor& module : controller::modules()) {
            std::string needs;
            for (const std::string_view need : module.needs)
                needs += (needs.empty() ? "" : ", ") + std::string(need);
            std::printf(
                "%-16s %s\n",
                std::string(module.name).c_str(),
                needs.empty() ? "" : ("needs " + needs).c_str()
            );
        }
        return 0;
    }
    if (default_command->parsed()) {
        const config::Sections all = controller::sections();
        std::fputs(
            (reference ? config::render_reference(all, "Configuration of icos-controller")
                       : config::render_default_file(all, "icos-controller"))
                .c_str(),
            stdout
        );
        return 0;
    }
    if (version_command->parsed()) {
        std::printf("icos-controller %s\n", ICOS_VERSION);
        return 0;
    }
    return run(options);
}
