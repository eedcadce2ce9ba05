// SPDX-License-Identifier: Apache-2.0
#include "plan_fixture.hpp"

#include <boost/json/serialize.hpp>

using namespace icos;
using namespace icos::agent;
using icos::test::json;
using icos::test::placement_of;
using icos::test::plan_of;

namespace {

const std::string kNet = "icos-hello-abcdef01";

std::string at(const boost::json::object& object, std::string_view pointer) {
    boost::system::error_code ec;
    const boost::json::value whole = object;
    const boost::json::value* found = whole.find_pointer(pointer, ec);
    return found == nullptr ? "absent" : boost::json::serialize(*found);
}

}  // namespace

TEST_CASE("names and labels say whose a container is", "[engine][plan]") {
    auto placement =
        placement_of({R"({"services":{"web":{"image":"i","labels":{"x":"y","icos.eu/target":"forged"}}}})"});
    placement.replica = 2;

    const PlacementPlan plan = plan_of(placement);

    REQUIRE(plan.containers.size() == 1);
    CHECK(plan.containers[0].name == "icos-hello-front-2-web-1");
    CHECK(plan.containers[0].staged_name == "icos-hello-front-2-web-1-g01234567");
    const auto& labels = plan.containers[0].body.at("Labels").as_object();
    const auto is = [&](std::string_view key, std::string_view value) {
        CAPTURE(key);
        REQUIRE(labels.contains(key));
        CHECK(labels.at(key).as_string() == value);
    };
    is("x", "y");
    is("app.icos.eu/name", "hello");
    is("app.icos.eu/component", "front");
    is("app.icos.eu/instance", placement.app_id.value);
    is("icos.eu/managed-by", "icos-agent");
    is("icos.eu/target", "node-1");
    is("icos.eu/placement", placement.placement.value);
    is("icos.eu/replica", "2");
    is("icos.eu/service", "web");
    is("icos.eu/spec-digest", placement.digest);
    is("icos.eu/generation", "3");
}

TEST_CASE(
    "a service gets the placement's environment and its names on the application network", "[engine][plan]"
) {
    auto placement =
        placement_of({R"({"services":{"web":{"image":"i","environment":{"A":"1","ICOS_APP_COMPONENT":"lie"},
                                       "networks":{"default":{"aliases":["shop"]}}}}})"});
    placement.environment = {{"ICOS_APP_COMPONENT", "front"}};
    placement.aliases = {{"web", {"web.front", "web"}}};

    const PlacementPlan plan = plan_of(placement);

    const auto& body = plan.containers[0].body;
    CHECK(at(body, "/Env") == R"(["A=1","ICOS_APP_COMPONENT=front"])");
    CHECK(at(body, "/HostConfig/NetworkMode") == "\"" + kNet + "\"");
    CHECK(
        at(body, "/NetworkingConfig/EndpointsConfig/" + kNet) == R"({"Aliases":["web.front","web","shop"]})"
    );
    REQUIRE(plan.networks.size() == 1);
    CHECK(plan.networks[0].name == kNet);
    CHECK(plan.application_network == kNet);
    CHECK(at(plan.networks[0].body, "/Labels/app.icos.eu~1name") == "\"hello\"");
    CHECK(at(plan.networks[0].body, "/Labels/icos.eu~1placement") == "absent");
}

TEST_CASE("further networks are joined after the application's", "[engine][plan]") {
    const auto plan = plan_of(placement_of(
        {R"({"services":{"web":{"image":"i","networks":{"back":{"aliases":["w"],"ipv4_address":"10.9.0.5"},"ext":{}}}},
             "networks":{"back":{"driver":"bridge","ipam":{"config":[{"subnet":"10.9.0.0/24","gateway":"10.9.0.1"}]},
                                 "driver_opts":{"o":"v"},"labels":{"l":"m"}},
                         "ext":{"external":true,"name":"lan"},"unused":{}}})"}
    ));

    const ContainerPlan& web = plan.containers[0];
    CHECK(at(web.body, "/HostConfig/NetworkMode") == "\"" + kNet + "\"");
    REQUIRE(web.more_networks.size() == 2);
    CHECK(web.more_networks[0].network == "icos-hello-front-back");
    CHECK(at(web.more_networks[0].endpoint, "/IPAMConfig/IPv4Address") == R"("10.9.0.5")");
    CHECK(at(web.more_networks[0].endpoint, "/Aliases") == R"(["web","w"])");
    CHECK(web.more_networks[1].network == "lan");
    REQUIRE(plan.networks.size() == 3);
    CHECK(at(plan.networks[1].body, "/IPAM/Config") == R"([{"Subnet":"10.9.0.0/24","Gateway":"10.9.0.1"}])");
    CHECK(at(plan.networks[1].body, "/Options/o") == "\"v\"");
    CHECK(at(plan.networks[1].body, "/Labels/l") == "\"m\"");
    CHECK(at(plan.networks[1].body, "/Labels/app.icos.eu~1component") == "\"front\"");
    CHECK(plan.networks[2].external);
}

TEST_CASE("a service that names internal networks only stays cut off", "[engine][plan]") {
    const auto plan = plan_of(placement_of(
        {R"({"services":{"db":{"image":"i","networks":{"back":{}}}},"networks":{"back":{"internal":true}}})"}
    ));

    CHECK(at(plan.containers[0].body, "/HostConfig/NetworkMode") == R"("icos-hello-front-back")");
    CHECK(plan.containers[0].more_networks.empty());
    REQUIRE(plan.networks.size() == 1);
    CHECK(at(plan.networks[0].body, "/Internal") == "true");
}

TEST_CASE("volumes keep their name over generations and differ by replica", "[engine][plan]") {
    const std::string text =
        R"({"services":{"db":{"image":"i","volumes":[{"type":"volume","source":"data","target":"/d"},
        {"type":"volume","source":"old","target":"/o"},{"type":"volume","source":"named","target":"/n"}]}},
        "volumes":{"data":{"driver":"local","driver_opts":{"type":"tmpfs"},"labels":{"a":"b"}},"old":{"external":true},
                   "named":{"name":"n-1"},"unused":{}}})";
    auto first = placement_of({text});
    auto second = placement_of({text});
    second.replica = 1;
    second.generation = 9;
    second.digest = "ffff";

    const auto one = plan_of(first);
    const auto two = plan_of(second);

    REQUIRE(one.volumes.size() == 3);
    CHECK(one.volumes[0].name == "icos-hello-front-data");
    CHECK(at(one.volumes[0].body, "/Driver") == "\"local\"");
    CHECK(at(one.volumes[0].body, "/DriverOpts/type") == "\"tmpfs\"");
    CHECK(at(one.volumes[0].body, "/Labels/a") == "\"b\"");
    CHECK(one.volumes[1].name == "old");
    CHECK(one.volumes[1].external);
    CHECK(one.volumes[2].name == "n-1");
    CHECK(two.volumes[0].name == "icos-hello-front-data-1");
}

TEST_CASE("deploy.replicas makes as many containers with one set of names", "[engine][plan]") {
    const auto plan = plan_of(
        placement_of({R"({"services":{"w":{"image":"i","replicas":2},"none":{"image":"i","replicas":0}}})"})
    );

    REQUIRE(plan.containers.size() == 2);
    CHECK(plan.containers[0].name == "icos-hello-front-0-w-1");
    CHECK(plan.containers[1].name == "icos-hello-front-0-w-2");
    CHECK(at(plan.containers[1].body, "/Labels/icos.eu~1service-index") == "\"2\"");
}

TEST_CASE("manifests of one component are one project in start order", "[engine][plan]") {
    const auto plan = plan_of(placement_of(
        {R"({"services":{"web":{"image":"i","depends_on":{"db":{"condition":"service_healthy","required":true}}}},"volumes":{"v":{}}})",
         R"({"services":{"db":{"image":"i","healthcheck":{"test":["CMD","true"]}}},"volumes":{"v":{"driver":"local"}}})"
        }
    ));

    REQUIRE(plan.containers.size() == 2);
    CHECK(plan.containers[0].service == "db");
    CHECK(plan.containers[0].has_healthcheck);
    CHECK(plan.containers[1].depends_on == std::vector<Dependency>{{"db", StartCondition::healthy, true}});
}

TEST_CASE("manifests of one component may not contradict each other", "[engine][plan]") {
    const auto same_service = plan_placement(
        placement_of({R"({"services":{"w":{"image":"i"}}})", R"({"services":{"w":{"image":"i"}}})"}), "t"
    );
    const auto same_volume = plan_placement(
        placement_of({R"({"volumes":{"v":{"driver":"a"}}})", R"({"volumes":{"v":{"driver":"b"}}})"}), "t"
    );

    REQUIRE(same_service.has_error());
    CHECK(same_service.error().detail.find("service 'w'") != std::string::npos);
    REQUIRE(same_volume.has_error());
    CHECK(same_volume.error().detail.find("volumes 'v'") != std::string::npos);
}

TEST_CASE("inline configs become files", "[engine][plan]") {
    const auto plan = plan_of(placement_of(
        {R"({"services":{"w":{"image":"i","configs":[{"source":"c"},{"source":"c","target":"/etc/c.conf","uid":"10","gid":"20","mode":288}]}},
             "configs":{"c":{"content":"C"}}})"}
    ));

    CHECK(plan.containers[0].files == std::vector<FilePut>{{"/c", "C"}, {"/etc/c.conf", "C", 0440, 10, 20}});
}

TEST_CASE(
    "peers 33: secrets become mounts, and nothing of them is in what the engine is asked", "[engine][plan]"
) {
    const auto plan = plan_of(placement_of(
        {R"({"services":{"w":{"image":"i","secrets":[{"source":"s"},{"source":"s","target":"renamed","uid":"7","mode":256}]}},
             "secrets":{"s":{"content":"correct horse"}}})"}
    ));

    REQUIRE(plan.secrets.size() == 2);
    CHECK(plan.secrets[0].content == "correct horse");
    CHECK(plan.secrets[0].mode == 0444);
    CHECK(plan.secrets[1].mode == 0400);
    CHECK(plan.secrets[1].uid == 7);
    CHECK(plan.secrets[0].source != plan.secrets[1].source);
    const auto& mounts = plan.containers[0].body.at("HostConfig").at("Mounts").as_array();
    REQUIRE(mounts.size() == 2);
    CHECK(mounts[0].at("Target").as_string() == "/run/secrets/s");
    CHECK(mounts[1].at("Target").as_string() == "/run/secrets/renamed");
    CHECK(
        mounts[0].at("Source").as_string() == std::string(kDefaultSecretsDir) + "/" + plan.secrets[0].source
    );
    CHECK(plan.containers[0].files.empty());
    CHECK(boost::json::serialize(plan.containers[0].body).find("horse") == std::string::npos);
}

TEST_CASE("the file of a secret has the same path whatever the order of the manifest", "[engine][plan]") {
    const auto path_of = [](const char* manifest) {
        for (const SecretFile& file : plan_of(placement_of({manifest})).secrets) {
            if (file.content == "A") return file.source;
        }
        return std::string();
    };
    const std::string one = path_of(
        R"({"services":{"w":{"image":"i","secrets":[{"source":"a"},{"source":"b"}]}},"secrets":{"a":{"content":"A"},"b":{"content":"B"}}})"
    );
    const std::string other = path_of(
        R"({"secrets":{"b":{"content":"B"},"a":{"content":"A"}},"services":{"w":{"secrets":[{"source":"b"},{"source":"a"}],"image":"i"}}})"
    );
    CHECK_FALSE(one.empty());
    CHECK(one == other);
}

TEST_CASE("restart, grace and pull policy are told to the agent", "[engine][plan]") {
    auto placement =
        placement_of({R"({"services":{"a":{"image":"i","restart":"on-failure","restart_max_retries":4,
        "stop_grace_period_ns":2500000000,"pull_policy":"always"},"b":{"image":"i"}}})"});
    placement.pull = "never";

    const auto plan = plan_of(placement);

    CHECK(plan.containers[0].restart == RestartPolicy::on_failure);
    CHECK(plan.containers[0].restart_max_retries == 4);
    CHECK(plan.containers[0].stop_grace == Duration(2500));
    CHECK(plan.containers[0].pull_policy == "always");
    CHECK(plan.containers[1].restart == RestartPolicy::no);
    CHECK(plan.containers[1].stop_grace == Duration(10'000));
    CHECK(plan.containers[1].pull_policy == "never");
}

TEST_CASE("long names are cut to 63 characters and stay distinct", "[engine][plan]") {
    auto placement = placement_of({R"({"services":{"w":{"image":"i","replicas":2}}})"});
    placement.app = std::string(60, 'a');
    placement.component = std::string(60, 'b');

    const auto plan = plan_of(placement);

    CHECK(plan.containers[0].name.size() == 63);
    CHECK(plan.containers[0].name != plan.containers[1].name);
    CHECK(plan.containers[0].staged_name.size() <= 63);
    CHECK(plan.containers[0].staged_name.ends_with("-g01234567"));
    CHECK(plan.containers[0].staged_name != plan.containers[1].staged_name);
}

TEST_CASE("one application name in two projects has two sets of names", "[engine][plan]") {
    auto placement = placement_of({R"({"services":{"w":{"image":"i"}}})"});
    placement.project = "blue";

    CHECK(plan_of(placement).containers[0].name == "icos-blue.hello-front-0-w-1");
}

TEST_CASE("text that is no canonical compose is refused with the manifest's name", "[engine][plan]") {
    const std::string text = GENERATE(
        as<std::string>(),
        "",
        "[]",
        "{\"services\":[]}",
        "{\"services\":{\"w\":1}}",
        "{",
        "{\"services\":{\"w\":{}}}"
    );
    CAPTURE(text);

    const auto plan = plan_placement(placement_of({text}), "t");

    REQUIRE(plan.has_error());
    CHECK(plan.error().detail.find("m0") != std::string::npos);
}

TEST_CASE("the same placement gives the same plan", "[engine][plan]") {
    const auto placement =
        placement_of({R"({"services":{"w":{"image":"i","environment":{"Z":"1","A":"2"}}}})"});

    CHECK(
        boost::json::serialize(plan_of(placement).containers[0].body) ==
        boost::json::serialize(plan_of(placement).containers[0].body)
    );
}
