// SPDX-License-Identifier: Apache-2.0
#include "plan_fixture.hpp"

#include <boost/json/serialize.hpp>

using namespace icos;
using namespace icos::agent;
using icos::test::json;
using icos::test::web_of;

namespace {

struct Row {
    std::string members;   ///< of the service, canonical compose
    std::string pointer;   ///< into the create body
    std::string expected;  ///< JSON; empty: absent
};

void check(const Row& row) {
    CAPTURE(row.members, row.pointer);
    const ContainerPlan web = web_of(row.members);
    const boost::json::value body = web.body;
    boost::system::error_code ec;
    const boost::json::value* found = body.find_pointer(row.pointer, ec);
    if (row.expected.empty()) {
        CHECK(found == nullptr);
        return;
    }
    REQUIRE(found != nullptr);
    CHECK(boost::json::serialize(*found) == boost::json::serialize(json(row.expected)));
}

}  // namespace

TEST_CASE("each member of a service reaches the engine's own field", "[engine][plan]") {
    const std::vector<Row> rows{
        {"", "/Image", R"("demo/web:1")"},
        {R"("command":["sh","-c","x y"])", "/Cmd", R"(["sh","-c","x y"])"},
        {R"("entrypoint":[])", "/Entrypoint", "[]"},
        {R"("environment":{"B":"2","A":"","N":null})", "/Env", R"(["B=2","A="])"},
        {R"("user":"1000:1000")", "/User", R"("1000:1000")"},
        {R"("working_dir":"/srv")", "/WorkingDir", R"("/srv")"},
        {R"("hostname":"h","domainname":"d")", "/Hostname", R"("h")"},
        {R"("hostname":"h","domainname":"d")", "/Domainname", R"("d")"},
        {R"("tty":true)", "/Tty", "true"},
        {R"("stdin_open":true)", "/OpenStdin", "true"},
        {R"("stop_signal":"SIGINT")", "/StopSignal", R"("SIGINT")"},
        {R"("stop_grace_period_ns":1500000000)", "/StopTimeout", "2"},
        {R"("healthcheck":{"test":["CMD","true"],"interval_ns":5,"timeout_ns":6,"start_period_ns":7,"retries":8})",
         "/Healthcheck",
         R"({"Test":["CMD","true"],"Interval":5,"Timeout":6,"StartPeriod":7,"Retries":8})"},
        {R"("extra_hosts":["a:1.2.3.4"])", "/HostConfig/ExtraHosts", R"(["a:1.2.3.4"])"},
        {R"("dns":["1.1.1.1"])", "/HostConfig/Dns", R"(["1.1.1.1"])"},
        {R"("dns_search":["x.org"])", "/HostConfig/DnsSearch", R"(["x.org"])"},
        {R"("dns_opt":["ndots:1"])", "/HostConfig/DnsOptions", R"(["ndots:1"])"},
        {R"("cap_add":["NET_ADMIN"])", "/HostConfig/CapAdd", R"(["NET_ADMIN"])"},
        {R"("cap_drop":["ALL"])", "/HostConfig/CapDrop", R"(["ALL"])"},
        {R"("security_opt":["no-new-privileges"])", "/HostConfig/SecurityOpt", R"(["no-new-privileges"])"},
        {R"("group_add":["video"])", "/HostConfig/GroupAdd", R"(["video"])"},
        {R"("privileged":true)", "/HostConfig/Privileged", "true"},
        {R"("read_only":true)", "/HostConfig/ReadonlyRootfs", "true"},
        {R"("init":true)", "/HostConfig/Init", "true"},
        {R"("sysctls":{"net.core.somaxconn":"1024"})",
         "/HostConfig/Sysctls",
         R"({"net.core.somaxconn":"1024"})"},
        {R"("shm_size":67108864)", "/HostConfig/ShmSize", "67108864"},
        {R"("pid":"host")", "/HostConfig/PidMode", R"("host")"},
        {R"("ipc":"shareable")", "/HostConfig/IpcMode", R"("shareable")"},
        {R"("userns_mode":"host")", "/HostConfig/UsernsMode", R"("host")"},
        {R"("limits":{"nano_cpus":500000000,"memory":1024,"pids":9})", "/HostConfig/NanoCpus", "500000000"},
        {R"("limits":{"nano_cpus":500000000,"memory":1024,"pids":9})", "/HostConfig/Memory", "1024"},
        {R"("limits":{"nano_cpus":500000000,"memory":1024,"pids":9})", "/HostConfig/PidsLimit", "9"},
        {R"("cpu_shares":5,"cpu_quota":6,"cpu_period":7)", "/HostConfig/CpuShares", "5"},
        {R"("cpu_shares":5,"cpu_quota":6,"cpu_period":7)", "/HostConfig/CpuQuota", "6"},
        {R"("cpu_shares":5,"cpu_quota":6,"cpu_period":7)", "/HostConfig/CpuPeriod", "7"},
        {R"("cpuset":"0-1")", "/HostConfig/CpusetCpus", R"("0-1")"},
        {R"("memswap_limit":-1)", "/HostConfig/MemorySwap", "-1"},
        {R"("mem_swappiness":10)", "/HostConfig/MemorySwappiness", "10"},
        {R"("oom_kill_disable":true)", "/HostConfig/OomKillDisable", "true"},
        {R"("oom_score_adj":-5)", "/HostConfig/OomScoreAdj", "-5"},
        {R"("cgroup_parent":"edge")", "/HostConfig/CgroupParent", R"("edge")"},
        {R"("device_cgroup_rules":["c 1:3 mr"])", "/HostConfig/DeviceCgroupRules", R"(["c 1:3 mr"])"},
        {R"("reservations":{"memory":512})", "/HostConfig/MemoryReservation", "512"},
        {R"("reservations":{"devices":[{"driver":"nvidia","count":-1,"device_ids":["0"],"capabilities":["gpu","x"]}]})",
         "/HostConfig/DeviceRequests",
         R"([{"Driver":"nvidia","Count":-1,"DeviceIDs":["0"],"Capabilities":[["gpu","x"]]}])"},
        {R"("devices":[{"source":"/dev/v","target":"/dev/w","permissions":"r"},{"source":"/dev/x"}])",
         "/HostConfig/Devices",
         R"([{"PathOnHost":"/dev/v","PathInContainer":"/dev/w","CgroupPermissions":"r"},
             {"PathOnHost":"/dev/x","PathInContainer":"/dev/x","CgroupPermissions":"rwm"}])"},
        {R"("ulimits":{"nofile":{"soft":10,"hard":20}})",
         "/HostConfig/Ulimits",
         R"([{"Name":"nofile","Soft":10,"Hard":20}])"},
        {"", "/HostConfig/LogConfig", R"({"Type":"json-file","Config":{"max-size":"10m","max-file":"3"}})"},
        {R"("logging":{"driver":"local","options":{"max-size":"1m"}})",
         "/HostConfig/LogConfig",
         R"({"Type":"local","Config":{"max-size":"1m"}})"},
        {"", "/HostConfig/RestartPolicy", ""},
        {R"("restart":"on-failure","restart_max_retries":3)",
         "/HostConfig/RestartPolicy",
         R"({"Name":"on-failure","MaximumRetryCount":3})"},
    };
    for (const Row& row : rows) check(row);
}

TEST_CASE("ports become bindings, exposed ones stay inside", "[engine][plan]") {
    const std::string members =
        R"("ports":[{"target":80,"published":8080,"host_ip":"127.0.0.1","protocol":"tcp"},{"target":80,"published":8081,"protocol":"tcp"},
                    {"target":53,"protocol":"udp"}],"expose":[{"target":9000,"protocol":"tcp"}])";

    check(
        {members,
         "/HostConfig/PortBindings",
         R"({"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"},{"HostIp":"","HostPort":"8081"}],"53/udp":[{"HostIp":"","HostPort":""}]})"
        }
    );
    check({members, "/ExposedPorts", R"({"80/tcp":{},"53/udp":{},"9000/tcp":{}})"});
    CHECK(
        web_of(members).published ==
        std::vector<PublishedPort>{{"127.0.0.1", 8080, 80, "tcp"}, {"", 8081, 80, "tcp"}, {"", 0, 53, "udp"}}
    );
}

TEST_CASE("mounts are what docker-compose makes of them", "[engine][plan]") {
    const auto volume = [](const std::string& text) { return "\"volumes\":[" + text + "]"; };
    const std::vector<Row> rows{
        {volume(R"({"type":"volume","source":"data","target":"/d"})"),
         "/HostConfig/Binds",
         R"(["icos-hello-front-data:/d:rw"])"},
        {volume(R"({"type":"volume","source":"data","target":"/d"})"), "/Volumes", R"({"/d":{}})"},
        {volume(R"({"type":"volume","source":"data","target":"/d","options":"ro,nocopy"})"),
         "/HostConfig/Binds",
         R"(["icos-hello-front-data:/d:ro,nocopy"])"},
        {volume(R"({"type":"volume","long":true,"source":"data","target":"/d","nocopy":true})"),
         "/HostConfig/Mounts",
         R"([{"Type":"volume","Target":"/d","Source":"icos-hello-front-data","VolumeOptions":{"NoCopy":true}}])"
        },
        {volume(R"({"type":"volume","long":true,"target":"/d"})"),
         "/HostConfig/Mounts",
         R"([{"Type":"volume","Target":"/d"}])"},
        {volume(R"({"type":"volume","target":"/d"})"), "/Volumes", R"({"/d":{}})"},
        {volume(R"({"type":"volume","target":"/d"})"), "/HostConfig/Binds", "[]"},
        {volume(R"({"type":"bind","source":"/h","target":"/d","create_host_path":true,"options":"rslave"})"),
         "/HostConfig/Binds",
         R"(["/h:/d:rslave"])"},
        {volume(
             R"({"type":"bind","long":true,"source":"/h","target":"/d","create_host_path":true,"propagation":"rslave"})"
         ),
         "/HostConfig/Binds",
         R"(["/h:/d:rw,rslave"])"},
        {volume(R"({"type":"bind","long":true,"source":"/h","target":"/d","read_only":true})"),
         "/HostConfig/Mounts",
         R"([{"Type":"bind","Target":"/d","ReadOnly":true,"Source":"/h"}])"},
        {volume(R"({"type":"bind","source":"/h:1","target":"/d","create_host_path":true})"),
         "/HostConfig/Mounts",
         R"([{"Type":"bind","Target":"/d","Source":"/h:1"}])"},
        {volume(R"({"type":"tmpfs","target":"/t"})"), "/HostConfig/Tmpfs", R"({"/t":""})"},
        {volume(R"({"type":"tmpfs","target":"/t","options":"size=64k,mode=1777"})"),
         "/HostConfig/Tmpfs",
         R"({"/t":"size=64k,mode=1777"})"},
        {volume(R"({"type":"tmpfs","long":true,"target":"/t"})"),
         "/HostConfig/Mounts",
         R"([{"Type":"tmpfs","Target":"/t"}])"},
        {volume(R"({"type":"tmpfs","long":true,"target":"/t","size":4096,"mode":1023})"),
         "/HostConfig/Mounts",
         R"([{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"SizeBytes":4096,"Mode":1023}}])"},
    };
    for (const Row& row : rows) check(row);
}

TEST_CASE(
    "a service in the host's network has neither bindings nor the application network", "[engine][plan]"
) {
    const std::string members =
        R"("network_mode":"host","ports":[{"target":80,"published":80,"protocol":"tcp"}])";

    check({members, "/HostConfig/NetworkMode", R"("host")"});
    check({members, "/HostConfig/PortBindings", "{}"});
    check({members, "/NetworkingConfig", ""});
    CHECK(web_of(members).published.empty());
}

TEST_CASE("a member of the wrong type is named with its service", "[engine][plan]") {
    struct Bad {
        std::string members, word;
    };
    const Bad bad = GENERATE(values<Bad>(
        {{R"("command":"sh")", "'command' is not a list"},
         {R"("tty":1)", "'tty' is not true or false"},
         {R"("environment":{"A":1})", "'environment'"},
         {R"("ports":[{"target":70000}])", "'target' is not a port number"},
         {R"("limits":{"memory":"1G"})", "'memory' is not a whole number"},
         {R"("healthcheck":{"retries":"3"})", "'retries'"},
         {R"("restart":"sometimes")", "'restart'"},
         {R"("replicas":-1)", "'replicas'"},
         {R"("volumes":[{"type":"nfs","target":"/x"}])", "'type'"},
         {R"("depends_on":{"web2":{"condition":"ready"}})", "'condition'"},
         {R"("secrets":[{"source":"nothing"}])", "'source'"}}
    ));
    CAPTURE(bad.members);
    const auto plan = plan_placement(
        test::placement_of({R"({"services":{"web":{"image":"i",)" + bad.members + "}}}"}), "node-1"
    );

    REQUIRE(plan.has_error());
    CHECK(plan.error().code == errc::invalid);
    CHECK(plan.error().detail.find("web") != std::string::npos);
    CHECK(plan.error().detail.find(bad.word) != std::string::npos);
}
