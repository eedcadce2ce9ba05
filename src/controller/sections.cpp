// SPDX-License-Identifier: Apache-2.0
#include "sections.hpp"

#include "modules.hpp"

namespace icos::controller {
namespace {

using config::Schema;
using config::Type;

Schema controller_section() {
    return Schema{{
        {"name", Type::text, "", "Name people see; empty: the host name."},
        {"data_dir",
         Type::text,
         "/var/lib/icos-controller",
         "State, keys and the local socket. --data-dir overrides it."},
        {"advertise",
         Type::text,
         "",
         "Host name or address under which nodes reach this controller, with the port if that is not the "
         "listener's; empty: the host name."},
    }};
}

Schema listeners_section() {
    return Schema{{
        {"tls_address", Type::text, "0.0.0.0", "Address of the TLS listener: API and agent link; empty: none."
        },
        {"tls_port", Type::integer, "7443", "Port of the TLS listener; 0: any free one.", 0, 65535},
        {"plain_address",
         Type::text,
         "127.0.0.1",
         "Address of the plain HTTP listener; empty: none. Refused off loopback unless insecure."},
        {"plain_port", Type::integer, "7480", "Port of the plain listener; 0: any free one.", 0, 65535},
        {"socket",
         Type::text,
         "",
         "Unix socket of the local API; empty: controller.sock in the data directory."},
        {"insecure",
         Type::boolean,
         "false",
         "Allow the plain listener on addresses that others reach. Tokens then travel in clear."},
        {"operator_certificate",
         Type::text,
         "",
         "PEM file with the certificate chain for API callers; empty: a self-signed one is made."},
        {"operator_key", Type::text, "", "PEM file with the key of operator_certificate."},
    }};
}

Schema http_section() {
    return Schema{{
        {"header_bytes", Type::bytes, "16Ki", "Longest request header.", 1024, 1 << 20},
        {"connections",
         Type::integer,
         "20000",
         "Most connections at once; more are refused with 503.",
         1,
         1'000'000},
        {"header_time", Type::duration, "10s", "Time a caller has to send a whole header.", 100, 600'000},
        {"body_time", Type::duration, "60s", "Time a caller has to send a whole body.", 100, 3'600'000},
        {"idle_time", Type::duration, "75s", "Time a kept connection may be silent.", 1000, 3'600'000},
        {"gzip_from",
         Type::bytes,
         "1Ki",
         "Answers at least this long are compressed for callers that accept gzip.",
         0,
         1 << 30},
        {"threads", Type::integer, "1", "Threads for sockets and TLS.", 1, 64},
    }};
}

Schema store_section() {
    return Schema{{
        {"event_age", Type::duration, "30d", "How long events are kept.", 3'600'000, std::nullopt},
        {"event_bytes", Type::bytes, "1Gi", "Events beyond this size go, oldest first.", 1 << 20, std::nullopt
        },
        {"max_queue",
         Type::integer,
         "4096",
         "Changes that may wait for the disk; more are refused with store.busy.",
         16,
         1'000'000},
    }};
}

Schema log_section() {
    return Schema{{
        {"level",
         Type::text,
         "info",
         "Lowest level that is written.",
         {},
         {},
         {"debug", "info", "warning", "error"}},
        {"format",
         Type::text,
         "text",
         "One line of text, or one JSON object a line.",
         {},
         {},
         {"text", "json"}},
    }};
}

}  // namespace

config::Sections sections() {
    config::Sections all{
        {"controller", controller_section()},
        {"http", http_section()},
        {"listeners", listeners_section()},
        {"log", log_section()},
        {"store", store_section()},
    };
    std::string names;
    for (const ModuleDescriptor& module : modules()) {
        names += (names.empty() ? "" : ", ") + std::string(module.name);
        if (!module.schema.keys.empty()) all.emplace("modules." + std::string(module.name), module.schema);
    }
    all.emplace(
        "modules",
        Schema{
            {{"enabled", Type::list, names, "Modules that run. `icos-controller modules` lists what there is."
            }}
        }
    );
    return all;
}

}  // namespace icos::controller
