// SPDX-License-Identifier: Apache-2.0
#include "command_line.hpp"

#include "commands/commands.hpp"
#include "connection.hpp"
#include "icos/async/production_runtime.hpp"
#include "icos/core/log.hpp"

#include <boost/asio/co_spawn.hpp>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <map>
#include <unistd.h>

namespace icos::shell {
namespace {

/// What the parser chose: an offline command (returns an exit code) or one that needs a controller.
struct Chosen {
    std::function<int(Format)> offline;
    std::function<Task<int>(Context&)> online;
};

struct Global {
    Format format = Format::table;
    std::string project = "default";
    ConnectionOptions connection;
};

Duration to_duration(const std::string& text, const char* flag) {
    const auto value = parse_duration(text);
    if (!value)
        throw CLI::ValidationError(flag, "expected a duration like 30s, 5m or 1h, got \"" + text + "\"");
    return *value;
}

void add_global(CLI::App& root, Global& global) {
    static const std::map<std::string, Format> kFormats{
        {"table", Format::table},
        {"wide", Format::wide},
        {"json", Format::json},
        {"yaml", Format::yaml},
        {"name", Format::name}
    };
    root.add_option("-o,--output", global.format, "table, wide, json, yaml or name")
        ->transform(CLI::CheckedTransformer(kFormats))
        ->option_text("FORMAT");
    root.add_option("--project", global.project, "project the command works in")->envname("ICOS_PROJECT");
    root.add_option(
            "--controller",
            global.connection.controller,
            "unix://PATH, http://HOST:PORT or HOST:PORT (TLS); default: the controller on this host"
    )
        ->envname("ICOS_CONTROLLER");
    root.add_option(
            "--token-file", global.connection.token_file, "file with the token (or ICOS_TOKEN holds it)"
    )
        ->envname("ICOS_TOKEN_FILE");
    root.add_option("--ca-pin", global.connection.ca_pin, "SHA-256 of the controller's public key, hex")
        ->envname("ICOS_CA_PIN");
    root.add_option("--ca-file", global.connection.ca_file, "PEM file with the CA to trust")
        ->envname("ICOS_CA_FILE");
    if (const char* token = std::getenv("ICOS_TOKEN")) global.connection.token = token;
}

void add_descriptors(CLI::App& root, Chosen& chosen) {
    auto* apply_command =
        root.add_subcommand("apply", "Run an application: create it or bring it to this descriptor");
    auto apply_options = std::make_shared<ApplyOptions>();
    auto timeout = std::make_shared<std::string>("5m");
    apply_command->add_option("-f,--file,file", apply_options->files, "descriptor; - reads standard input")
        ->required();
    apply_command->add_flag("--wait", apply_options->wait, "wait until it runs, showing progress");
    apply_command->add_option("--timeout", *timeout, "how long --wait waits")->capture_default_str();
    apply_command->add_flag("--dry-run", apply_options->dry_run, "show what would happen; change nothing");
    apply_command->add_flag("--strict", apply_options->strict, "lenient repairs are errors");
    apply_command->footer(
        "Examples:\n  icos apply -f hello.yaml --wait\n  generate | icos apply -f - --dry-run"
    );
    apply_command->callback([=, &chosen] {
        apply_options->timeout = to_duration(*timeout, "--timeout");
        chosen.online = [=](Context& context) { return apply(context, *apply_options); };
    });

    auto* plan_command = root.add_subcommand("plan", "Show where the components would go; change nothing");
    auto plan_options = std::make_shared<ApplyOptions>();
    plan_command->add_option("-f,--file,file", plan_options->files, "descriptor; - reads standard input")
        ->required();
    plan_command->footer("Example:\n  icos plan -f hello.yaml");
    plan_command->callback([=, &chosen] {
        chosen.online = [=](Context& context) { return plan(context, *plan_options); };
    });

    auto* validate_command = root.add_subcommand("validate", "Check descriptors without a controller");
    auto validate_options = std::make_shared<ValidateOptions>();
    validate_command
        ->add_option("-f,--file,files", validate_options->files, "descriptors; - reads standard input")
        ->required();
    validate_command->add_flag("--strict", validate_options->strict, "lenient repairs are errors");
    validate_command->footer("Exit code 3 if one has errors. Example:\n  icos validate hello.yaml -o json");
    validate_command->callback([=, &chosen] {
        chosen.offline = [=](Format format) { return validate(*validate_options, format); };
    });

    auto* init_command = root.add_subcommand("init", "Print a commented starter descriptor");
    auto type = std::make_shared<std::string>("docker");
    auto name = std::make_shared<std::string>();
    init_command->add_option("--type", *type, "docker, kubernetes or multiple")
        ->capture_default_str()
        ->check(CLI::IsMember({"docker", "kubernetes", "multiple"}));
    init_command->add_option("name", *name, "name of the application")->required();
    init_command->footer("Example:\n  icos init --type docker hello > hello.yaml");
    init_command->callback([=, &chosen] { chosen.offline = [=](Format) { return init(*type, *name); }; });
}

void add_change(
    CLI::App& root,
    Chosen& chosen,
    const char* verb,
    const char* help,
    Task<int> (*run)(Context&, ChangeOptions)
) {
    auto* command = root.add_subcommand(verb, help);
    auto options = std::make_shared<ChangeOptions>();
    auto timeout = std::make_shared<std::string>("5m");
    command->add_option("app", options->app, "application")->required();
    command->add_flag("--wait", options->wait, "wait until it is done");
    command->add_option("--timeout", *timeout, "how long --wait waits")->capture_default_str();
    command->footer(std::string("Example:\n  icos ") + verb + " hello --wait");
    command->callback([=, &chosen] {
        options->timeout = to_duration(*timeout, "--timeout");
        chosen.online = [=](Context& context) { return run(context, *options); };
    });
}

void add_rollout_verb(
    CLI::App& rollout,
    Chosen& chosen,
    const char* verb,
    const char* help,
    const char* generation_flag,  ///< empty = it takes none
    const char* generation_help,
    bool waits,
    const char* examples,
    Task<int> (*run)(Context&, RolloutOptions)
) {
    auto* command = rollout.add_subcommand(verb, help);
    auto options = std::make_shared<RolloutOptions>();
    auto timeout = std::make_shared<std::string>("5m");
    command->add_option("app", options->app, "application")->required();
    if (*generation_flag != '\0') command->add_option(generation_flag, options->generation, generation_help);
    if (waits) {
        command->add_flag("--wait", options->wait, "wait until it runs, showing progress");
        command->add_option("--timeout", *timeout, "how long --wait waits")->capture_default_str();
    }
    command->footer(examples);
    command->callback([=, &chosen] {
        options->timeout = to_duration(*timeout, "--timeout");
        chosen.online = [=](Context& context) { return run(context, *options); };
    });
}

void add_rollout(CLI::App& root, Chosen& chosen) {
    auto* rollout = root.add_subcommand("rollout", "Follow a change, list generations, go back to one");
    rollout->require_subcommand(1);
    rollout->footer("Example:\n  icos rollout undo hello --wait");
    add_rollout_verb(
        *rollout,
        chosen,
        "status",
        "How far the current generation is",
        "",
        "",
        true,
        "Exit code 5 if --wait timed out. Examples:\n"
        "  icos rollout status hello\n  icos rollout status hello --wait --timeout 2m",
        rollout_status
    );
    add_rollout_verb(
        *rollout,
        chosen,
        "history",
        "The generations that are kept, newest first",
        "--generation",
        "print the descriptor of this one",
        false,
        "Examples:\n  icos rollout history hello\n  icos rollout history hello --generation 3 > hello.yaml",
        rollout_history
    );
    add_rollout_verb(
        *rollout,
        chosen,
        "undo",
        "Apply the descriptor of an earlier generation as a new one",
        "--to-generation",
        "default: the one before the current with another descriptor",
        true,
        "Only what differs restarts. Examples:\n"
        "  icos rollout undo hello --wait\n  icos rollout undo hello --to-generation 3",
        rollout_undo
    );
}

void add_reading(CLI::App& root, Chosen& chosen) {
    auto* get_command = root.add_subcommand(
        "get", "List apps, components, placements, clusters, nodes, tokens, credentials or events"
    );
    auto get_options = std::make_shared<GetOptions>();
    get_command
        ->add_option(
            "kind",
            get_options->kind,
            "apps, components, placements, clusters, nodes, tokens, credentials, events"
        )
        ->required();
    get_command->add_option("name", get_options->name, "one of them");
    get_command->add_option("--app", get_options->app, "only of this application");
    get_command->add_option("--node", get_options->node, "only on this node");
    get_command->add_option("--since", get_options->since, "events: RFC 3339 or a duration like 10m");
    get_command->add_option("--limit", get_options->limit, "events: at most this many");
    get_command->add_option(
        "--at", get_options->at, "apps, nodes: as recorded at 14:03 (today), 10m ago or an RFC 3339 time"
    );
    get_command->add_flag(
        "--descriptor", get_options->descriptor, "app: the text that was applied, values of secrets masked"
    );
    get_command->add_flag(
        "--reveal", get_options->reveal, "app: the text with its secrets; administrators only, recorded"
    );
    get_command->footer(
        "Examples:\n  icos get nodes -o wide\n  icos get apps -o json | jq '.[].name'\n"
        "  icos get app hello --descriptor"
    );
    get_command->callback([=, &chosen] {
        chosen.online = [=](Context& context) { return get(context, *get_options); };
    });

    auto* describe_command =
        root.add_subcommand("describe", "Everything about one app, node or cluster, with its latest events");
    auto kind = std::make_shared<std::string>();
    auto name = std::make_shared<std::string>();
    describe_command->add_option("kind", *kind, "app, node or cluster")->required();
    describe_command->add_option("name", *name)->required();
    describe_command->footer("Example:\n  icos describe node edge-1");
    describe_command->callback([=, &chosen] {
        chosen.online = [=](Context& context) { return describe(context, *kind, *name); };
    });

    auto* status_command = root.add_subcommand("status", "State of an application and its components");
    auto status_options = std::make_shared<StatusOptions>();
    status_command->add_option("app", status_options->app, "application; all when left out");
    status_command->add_flag("-w,--watch", status_options->watch, "follow changes");
    status_command->footer("Example:\n  icos status hello --watch");
    status_command->callback([=, &chosen] {
        chosen.online = [=](Context& context) { return status(context, *status_options); };
    });

    auto* explain_command =
        root.add_subcommand("explain", "Why a component is where it is, or why it is pending");
    auto target = std::make_shared<std::string>();
    explain_command->add_option("target", *target, "APP or APP/COMPONENT")->required();
    explain_command->footer("Example:\n  icos explain hello/frontend");
    explain_command->callback([=, &chosen] {
        chosen.online = [=](Context& context) { return explain(context, *target); };
    });

    auto* events_command = root.add_subcommand("events", "What happened, oldest first");
    auto events_options = std::make_shared<EventsOptions>();
    events_command->add_option("--app", events_options->app, "only of this application");
    events_command->add_option("--node", events_options->node, "only of this node");
    events_command->add_option(
        "--kind", events_options->kind, "exact kind, or a prefix that ends with a dot: node."
    );
    events_command->add_option("--actor", events_options->actor, "only what this caller or module did");
    events_command->add_option("--layer", events_options->layer, "runtime, security or intelligence");
    events_command->add_option("--since", events_options->since, "RFC 3339 or a duration like 10m");
    events_command->add_option("--limit", events_options->limit, "at most this many");
    events_command->add_flag("-w,--watch", events_options->watch, "follow new ones");
    events_command->footer("Example:\n  icos events --watch --app hello");
    events_command->callback([=, &chosen] {
        chosen.online = [=](Context& context) { return events(context, *events_options); };
    });

    auto* topology_command =
        root.add_subcommand("topology", "Controller, clusters, nodes and what runs on them, as a tree");
    topology_command->callback([&chosen] {
        chosen.online = [](Context& context) { return topology(context); };
    });

    auto* bundle_command =
        root.add_subcommand("support-bundle", "A tar archive of the controller's state, without secrets");
    auto bundle = std::make_shared<std::string>();
    bundle_command->add_option("file", *bundle, "archive to write; default: icos-support-<time>.tar");
    bundle_command->footer(
        "It holds version, health, metrics, nodes, applications, masked descriptors and the last events, as "
        "any\n"
        "reader sees them. Names, labels, addresses and images are in it: look before you send it.\n"
        "Example:\n  icos support-bundle && tar tf icos-support-*.tar"
    );
    bundle_command->callback([=, &chosen] {
        chosen.online = [=](Context& context) { return support_bundle(context, *bundle); };
    });

    auto* version_command = root.add_subcommand("version", "Version of the shell and of the controller");
    version_command->callback([&chosen] { chosen.online = [](Context& context) { return version(context); }; }
    );
}

void add_streams(CLI::App& root, Chosen& chosen) {
    auto* logs_command = root.add_subcommand("logs", "Output of an application's containers");
    auto logs_options = std::make_shared<LogsOptions>();
    logs_command->add_option("target", logs_options->target, "APP or APP/COMPONENT")->required();
    logs_command->add_flag("-f,--follow", logs_options->follow, "go on with what is written from now");
    logs_command->add_option("--since", logs_options->since, "RFC 3339 or a duration like 10m");
    logs_command->add_option("--tail", logs_options->tail, "only the last N lines of each container");
    logs_command->add_option("--service", logs_options->service, "only this compose service");
    logs_command->add_flag("--timestamps", logs_options->timestamps, "put the time before each line");
    logs_command->footer("Example:\n  icos logs -f --since 10m hello/frontend");
    logs_command->callback([=, &chosen] {
        chosen.online = [=](Context& context) { return logs(context, *logs_options); };
    });

    auto* exec_command = root.add_subcommand("exec", "Run a command in a component's container");
    auto exec_options = std::make_shared<ExecOptions>();
    exec_command->add_option("target", exec_options->target, "APP/COMPONENT")->required();
    exec_command->add_option(
        "--service", exec_options->service, "compose service; default: the component's first"
    );
    exec_command->add_option("--replica", exec_options->replica, "replica of the component");
    exec_command->add_flag("-t,--tty", exec_options->tty, "with a terminal");
    exec_command->add_flag("-i,--interactive", exec_options->interactive, "pass standard input on");
    exec_command->add_option("command", exec_options->command, "after --")->required();
    exec_command->footer(
        "Exit code: that of the command. Example:\n  icos exec hello/backend -- sh -c 'echo hi'"
    );
    exec_command->callback([=, &chosen] {
        chosen.online = [=](Context& context) { return exec(context, *exec_options); };
    });
}

void add_node_change(CLI::App& node, Chosen& chosen, const char* verb, const char* help, NodeChange wanted) {
    auto* command = node.add_subcommand(verb, help);
    auto change = std::make_shared<NodeChange>(std::move(wanted));
    command->add_option("node", change->node)->required();
    command->callback([=, &chosen] {
        chosen.online = [=](Context& context) { return node_change(context, *change); };
    });
}

void add_drain(CLI::App& node, Chosen& chosen) {
    auto* command = node.add_subcommand("drain", "Cordon a node and move away what may move, without a gap");
    auto change = std::make_shared<NodeChange>(NodeChange{.drain = true});
    auto timeout = std::make_shared<std::string>("10m");
    command->add_option("node", change->node)->required();
    command->add_flag("--wait", change->wait, "wait until nothing is left that may move; list what stays");
    command->add_option("--timeout", *timeout, "how long --wait waits")->capture_default_str();
    command->footer("Example:\n  icos node drain edge-1 --wait && ssh edge-1 reboot");
    command->callback([=, &chosen] {
        change->timeout = to_duration(*timeout, "--timeout");
        chosen.online = [=](Context& context) { return node_change(context, *change); };
    });
}

void add_nodes(CLI::App& root, Chosen& chosen) {
    auto* node = root.add_subcommand("node", "Add, change and remove nodes");
    node->require_subcommand(1);

    auto* token_command = node->add_subcommand("token", "Print the command that joins a new node");
    auto token_options = std::make_shared<TokenOptions>();
    token_command->add_option(
        "--expires", token_options->expires, "how long the token is valid (default 1h)"
    );
    token_command->add_option(
        "--cluster", token_options->cluster, "cluster of the node; default: one of its own"
    );
    token_command->add_option("--label", token_options->labels, "KEY=VALUE, may be repeated")
        ->allow_extra_args(false);
    token_command->add_option("--device", token_options->devices, "NAME=PATH, may be repeated")
        ->allow_extra_args(false);
    token_command->add_option("--uses", token_options->uses, "how many nodes may join with it")
        ->capture_default_str()
        ->check(CLI::Range(1, 10'000));
    token_command->add_option(
        "--replace",
        token_options->replaces,
        "a node that lost its disk: the machine becomes it again, under a new key"
    );
    token_command->footer(
        "Examples:\n  icos node token --expires 1h --cluster lab --label site=lab\n"
        "  icos node token --replace edge-1"
    );
    token_command->callback([=, &chosen] {
        chosen.online = [=](Context& context) { return node_token(context, *token_options); };
    });

    auto* list_command = node->add_subcommand("ls", "List nodes, with what is wrong with them");
    list_command->footer("As icos get nodes. Example:\n  icos node ls -o wide");
    list_command->callback([&chosen] {
        chosen.online = [](Context& context) {
            GetOptions options;
            options.kind = "nodes";
            return get(context, std::move(options));
        };
    });

    auto* describe_command =
        node->add_subcommand("describe", "Everything about a node, and what to do about it");
    auto described = std::make_shared<std::string>();
    describe_command->add_option("node", *described)->required();
    describe_command->footer("Example:\n  icos node describe edge-1");
    describe_command->callback([=, &chosen] {
        chosen.online = [=](Context& context) { return describe(context, "node", *described); };
    });

    auto* label_command = node->add_subcommand("label", "Set (KEY=VALUE) or remove (KEY-) labels");
    auto label_change = std::make_shared<NodeChange>();
    label_command->add_option("node", label_change->node)->required();
    label_command->add_option("labels", label_change->labels, "KEY=VALUE or KEY-")->required();
    label_command->footer("Example:\n  icos node label edge-1 site=lab rack-");
    label_command->callback([=, &chosen] {
        chosen.online = [=](Context& context) { return node_change(context, *label_change); };
    });

    auto* set_command = node->add_subcommand("set", "Change location or devices");
    auto set_change = std::make_shared<NodeChange>();
    auto location = std::make_shared<std::string>();
    set_command->add_option("node", set_change->node)->required();
    auto* location_option =
        set_command->add_option("--location", *location, "LATITUDE,LONGITUDE or free text");
    auto* device_option =
        set_command
            ->add_option("--device", set_change->devices, "NAME=PATH, may be repeated; replaces the list")
            ->allow_extra_args(false);
    set_command->footer("Example:\n  icos node set edge-1 --location 41.39,2.11");
    set_command->callback([=, &chosen] {
        if (location_option->empty() && device_option->empty())
            throw CLI::RequiredError("--location or --device");
        if (!location_option->empty()) set_change->location = *location;
        chosen.online = [=](Context& context) { return node_change(context, *set_change); };
    });

    add_node_change(
        *node, chosen, "cordon", "Take nothing new on a node; what runs stays", {.cordoned = true}
    );
    add_node_change(*node, chosen, "uncordon", "Take placements again; ends a drain", {.cordoned = false});
    add_drain(*node, chosen);
    add_node_change(
        *node,
        chosen,
        "confirm-lost",
        "Say that a lost node runs nothing any more: its replicas are placed elsewhere at once",
        {.confirm_lost = true}
    );

    auto* remove_command = node->add_subcommand("rm", "Forget a node and revoke its key");
    auto name = std::make_shared<std::string>();
    auto force = std::make_shared<bool>(false);
    remove_command->add_option("node", *name)->required();
    remove_command->add_flag("--force", *force, "a lost node: give up what ran there");
    remove_command->callback([=, &chosen] {
        chosen.online = [=](Context& context) { return node_remove(context, *name, *force); };
    });
}

void add_credentials(CLI::App& root, Chosen& chosen) {
    auto* credential = root.add_subcommand("credential", "Registry credentials that applications pull with");
    credential->require_subcommand(1);
    credential->footer("Example:\n  icos credential set hub --registry docker.io --username me < password.txt"
    );

    auto* set = credential->add_subcommand("set", "Store a credential, or replace its password");
    auto options = std::make_shared<CredentialOptions>();
    set->add_option("name", options->name, "what descriptors call it in x-icos.registryCredentials")
        ->required();
    set->add_option("--registry", options->registry, "HOST[:PORT] as in image names; docker.io")->required();
    set->add_option("--username", options->username)->required();
    set->add_option(
        "--password-file", options->password_file, "file with the password; - reads standard input"
    );
    set->footer(
        "The password is asked for on a terminal, and read from standard input otherwise. It is never shown "
        "again.\nExample:\n  icos credential set site --registry registry.site:5000 --username edge < token"
    );
    set->callback([=, &chosen] {
        chosen.online = [=](Context& context) { return credential_set(context, *options); };
    });

    auto* list = credential->add_subcommand("ls", "List them, without passwords");
    list->callback([&chosen] {
        GetOptions all;
        all.kind = "credentials";
        chosen.online = [all](Context& context) { return get(context, all); };
    });

    auto* rm = credential->add_subcommand("rm", "Remove one that no application uses");
    auto name = std::make_shared<std::string>();
    rm->add_option("name", *name)->required();
    rm->callback([=, &chosen] {
        chosen.online = [=](Context& context) { return credential_remove(context, *name); };
    });
}

Task<int> guarded(std::function<Task<int>(Context&)> command, Context& context) {
    return command(context);
}

int run_online(const Chosen& chosen, const Global& global) {
    Result<Connection> connection = resolve_connection(global.connection);
    if (connection.has_error()) {
        report(connection.error());
        return kUsage;
    }
    ProductionRuntime runtime({});
    int code = kRefused;
    {
        Api api(runtime, std::move(connection->endpoint), std::move(connection->token));
        const bool terminal = isatty(STDOUT_FILENO) != 0;
        const bool colour = terminal && std::getenv("NO_COLOR") == nullptr;
        Context context{runtime, api, global.format, global.project, terminal, colour};
        boost::asio::co_spawn(
            runtime.loop(),
            guarded(chosen.online, context),
            [&](const std::exception_ptr& failed, int result) {
                code = result;
                runtime.stop();
                if (!failed) return;
                code = kRefused;
                try {
                    std::rethrow_exception(failed);
                } catch (const std::exception& error) {
                    std::fprintf(stderr, "error: %s\n", error.what());
                }
            }
        );
        runtime.run();
    }
    return code;
}

}  // namespace

int run(int argc, char** argv) {
    LogSettings quiet;
    quiet.to_stderr = false;
    configure_logging(quiet);

    CLI::App root{"The shell of the IoT-to-cloud continuum: applications, nodes and what happens to them"};
    root.name("icos");
    root.require_subcommand(1);
    root.fallthrough();
    root.footer(
        "Exit codes: 0 done, 1 refused, 2 usage, 3 invalid descriptor, 4 unreachable, 5 timed out.\n"
        "On the controller's host no configuration is needed. `icos COMMAND --help` shows examples."
    );
    Global global;
    Chosen chosen;
    add_global(root, global);
    add_descriptors(root, chosen);
    add_reading(root, chosen);
    add_change(root, chosen, "stop", "Stop an application; its volumes and networks stay", stop);
    add_change(root, chosen, "start", "Start a stopped application", start);
    add_change(root, chosen, "delete", "Stop and remove an application with all that belongs to it", remove);
    add_rollout(root, chosen);
    add_streams(root, chosen);
    add_nodes(root, chosen);
    add_credentials(root, chosen);
    try {
        root.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int code = root.exit(error);
        return code == 0 ? kDone : kUsage;
    }
    if (chosen.offline) return chosen.offline(global.format);
    return run_online(chosen, global);
}

}  // namespace icos::shell
