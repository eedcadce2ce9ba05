// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"
#include "commands/drain.hpp"
#include "output/document.hpp"
#include "output/format.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <cstdio>

namespace icos::shell {
namespace {

/// NAME=PATH pairs as the API takes devices; core.invalid names the one that is not.
Result<boost::json::array> devices_of(const std::vector<std::string>& texts) {
    boost::json::array devices;
    for (const std::string& text : texts) {
        const std::size_t equals = text.find('=');
        if (equals == 0)
            return Error{
                errc::invalid,
                "--device " + text + ": expected NAME=PATH, for example squat.ai/video=/dev/video0"
            };
        devices.push_back(boost::json::object{
            {"name", text.substr(0, equals)},
            {"path", equals == std::string::npos ? "" : text.substr(equals + 1)}
        });
    }
    return devices;
}

/// K=V sets; K- removes (null), where `removal` is allowed.
Result<boost::json::object> labels_of(const std::vector<std::string>& texts, bool removal) {
    boost::json::object labels;
    for (const std::string& text : texts) {
        const std::size_t equals = text.find('=');
        if (equals != std::string::npos && equals > 0) {
            labels[text.substr(0, equals)] = text.substr(equals + 1);
        } else if (removal && text.size() > 1 && text.back() == '-') {
            labels[text.substr(0, text.size() - 1)] = nullptr;
        } else {
            return Error{
                errc::invalid,
                "label \"" + text + "\": expected KEY=VALUE" + (removal ? " or KEY- to remove it" : "")
            };
        }
    }
    return labels;
}

int usage(const Error& error) {
    report(error);
    return kUsage;
}

}  // namespace

Task<int> node_token(Context& context, TokenOptions options) {
    const Result<boost::json::object> labels = labels_of(options.labels, false);
    if (labels.has_error()) co_return usage(labels.error());
    const Result<boost::json::array> devices = devices_of(options.devices);
    if (devices.has_error()) co_return usage(devices.error());
    boost::json::object body{{"labels", *labels}, {"devices", *devices}, {"uses", options.uses}};
    if (!options.expires.empty()) body["expires_in"] = options.expires;
    if (!options.cluster.empty()) body["cluster"] = options.cluster;
    if (!options.replaces.empty()) body["replaces"] = options.replaces;
    const std::string text = boost::json::serialize(body);
    Result<boost::json::value> answer =
        co_await context.api.send(http::Method::post, "/api/v1/tokens", text, "application/json");
    if (answer.has_error()) co_return report(answer.error());
    if (context.format == Format::json) {
        std::fputs(to_pretty_json(*answer).c_str(), stdout);
    } else if (context.format == Format::yaml) {
        std::fputs(to_yaml(*answer).c_str(), stdout);
    } else if (context.format == Format::name) {
        std::printf("%s\n", text_of(*answer, "token").c_str());
    } else {
        const auto expires = parse_rfc3339(text_of(*answer, "expires_at"));
        const std::string valid =
            expires
                ? format_duration(std::chrono::round<std::chrono::seconds>(*expires - context.runtime.wall()))
                : "?";
        const std::string uses = options.uses == 1 ? "once" : std::to_string(options.uses) + " times";
        const std::string where = options.replaces.empty()
                                      ? "the new node"
                                      : "the machine that becomes node " + options.replaces + " again";
        std::printf(
            "Run on %s (valid for %s, %s):\n  %s\n",
            where.c_str(),
            valid.c_str(),
            uses.c_str(),
            text_of(*answer, "command").c_str()
        );
    }
    co_return kDone;
}

Task<int> node_change(Context& context, NodeChange change) {
    const Result<boost::json::object> labels = labels_of(change.labels, true);
    if (labels.has_error()) co_return usage(labels.error());
    const Result<boost::json::array> devices = devices_of(change.devices);
    if (devices.has_error()) co_return usage(devices.error());
    boost::json::object body;
    if (!change.labels.empty()) body["labels"] = *labels;
    if (!change.devices.empty()) body["devices"] = *devices;
    if (change.location) body["location"] = *change.location;
    if (change.cordoned) body["cordoned"] = *change.cordoned;
    if (change.drain) body["draining"] = true;
    if (change.confirm_lost) body["confirmed_lost"] = true;
    const std::string target = "/api/v1/nodes/" + http::percent_encode(change.node);
    Result<boost::json::value> answer = co_await context.api.send(
        http::Method::patch, target, boost::json::serialize(body), "application/json"
    );
    if (answer.has_error()) co_return report(answer.error());
    if (context.format == Format::json) {
        // The document is all that goes to standard output, at the end.
        const int code =
            change.wait ? co_await wait_for_drain(context, change.node, change.timeout) : Exit::kDone;
        std::fputs(to_pretty_json(*answer).c_str(), stdout);
        co_return code;
    }
    if (change.drain)
        std::printf(
            "node %s drains: what may move gets another home, what holds data stays\n", change.node.c_str()
        );
    if (change.drain && change.wait) co_return co_await wait_for_drain(context, change.node, change.timeout);
    if (change.confirm_lost)
        std::printf("node %s confirmed lost: what ran there may run elsewhere now\n", change.node.c_str());
    if (change.cordoned)
        std::printf(
            "node %s %s\n",
            change.node.c_str(),
            *change.cordoned ? "cordoned: takes nothing new" : "takes placements again"
        );
    if (!change.labels.empty())
        std::printf("node %s labels: %s\n", change.node.c_str(), pairs_of(*answer, "labels").c_str());
    if (change.location || !change.devices.empty()) std::printf("node %s changed\n", change.node.c_str());
    co_return kDone;
}

Task<int> node_remove(Context& context, std::string node, bool force) {
    const std::string target = "/api/v1/nodes/" + http::percent_encode(node) + (force ? "?force" : "");
    Result<boost::json::value> answer = co_await context.api.send(http::Method::del, target, {}, {});
    if (answer.has_error()) co_return report(answer.error());
    std::printf("node %s forgotten; its key is no longer accepted\n", node.c_str());
    co_return kDone;
}

}  // namespace icos::shell
