// SPDX-License-Identifier: Apache-2.0
#include "icos/async/signal.hpp"
#include "routes.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <set>

namespace icos::job_manager {
namespace {

namespace json = boost::json;
using http::Request;
using http::Response;

constexpr std::size_t kMaxQueued = 256U << 10U;  // bytes; beyond it the nodes wait

struct LogQuery {
    AppId app{};
    std::string component{};
    std::string service{};
    bool follow = false;
    std::int64_t since_ms = 0;
    std::optional<std::uint64_t> tail{};
};

json::object arguments_of(const LogQuery& query, const PlacementId& placement) {
    json::object arguments{
        {"placement", placement.value},
        {"service", query.service},
        {"follow", query.follow},
        {"since_ms", query.since_ms},
        {"timestamps", true},
    };
    if (query.tail) arguments["tail"] = *query.tail;
    return arguments;
}

/// Lines of all replicas as they arrive. The nodes are read only as fast as the client takes the lines.
class MergedLogs final : public http::BodyStream {
public:
    MergedLogs(Runtime& runtime, JobService& service, LogQuery query)
        : service_(service), query_(std::move(query)), changed_(runtime), tasks_(runtime) {}
    ~MergedLogs() override = default;

    /// Opens what is there; the first failure if nothing could be opened.
    static Task<Result<void>> open(std::shared_ptr<MergedLogs> self) {
        std::optional<Error> failure;
        for (const PlacementId& id : self->wanted()) {
            auto opened = co_await self->open_one(id);
            if (opened.has_error() && !failure) failure = opened.error();
        }
        if (self->readers_ == 0 && failure) co_return *failure;
        if (self->query_.follow) {
            MergedLogs* raw = self.get();
            self->listener_ =
                self->service_.watchers().listen(self->query_.app, [raw] { raw->look_again(); });
        }
        co_return Result<void>{};
    }

    Task<std::optional<std::string>> next() override {
        while (queued_.empty()) {
            if (readers_ == 0 && !is_followed()) co_return std::nullopt;
            co_await changed_.wait();
        }
        std::string piece;
        piece.swap(queued_);
        changed_.notify();
        co_return piece;
    }

private:
    bool is_followed() const { return query_.follow && service_.state().find(query_.app) != nullptr; }

    /// Placements that match and were not opened yet.
    std::vector<PlacementId> wanted() const {
        std::vector<PlacementId> out;
        for (const Placement* placement : service_.state().of_app(query_.app)) {
            if (!query_.component.empty() && placement->component != query_.component) continue;
            if (!opened_.contains(placement->id)) out.push_back(placement->id);
        }
        return out;
    }

    void look_again() {
        // The application is gone: next() ends once the last line was read.
        if (!is_followed()) changed_.notify();
        for (const PlacementId& id : wanted()) {
            opened_.insert(id);
            tasks_.spawn("job_manager.logs", open_later(id));
        }
    }

    Task<> open_later(PlacementId id) {
        opened_.erase(id);
        const auto opened = co_await open_one(id);
        if (opened.has_error()) opened_.insert(id);
    }

    Task<Result<void>> open_one(PlacementId id) {
        const Placement* placement = service_.state().find(id);
        if (placement == nullptr) co_return Result<void>{};
        opened_.insert(id);
        const std::string component = placement->component;
        const std::uint32_t replica = placement->replica;
        const std::string node = placement->node_name;
        const TargetId target{placement->node.value};
        auto stream = co_await service_.executor().open_stream(
            target, "logs", json::serialize(arguments_of(query_, id))
        );
        if (stream.has_error()) {
            // With other replicas to show, this is a line among theirs.
            const std::string why = node + ": " + stream.error().detail;
            append(json::object{
                {"ts", ""},
                {"component", component},
                {"replica", replica},
                {"service", ""},
                {"stream", "icos"},
                {"line", why}
            });
            co_return stream.error();
        }
        ++readers_;
        tasks_.spawn("job_manager.logs", read(std::move(*stream), component, replica));
        co_return Result<void>{};
    }

    Task<> read(std::unique_ptr<NodeStream> stream, std::string component, std::uint32_t replica) {
        for (;;) {
            while (queued_.size() >= kMaxQueued) co_await changed_.wait();
            const auto message = co_await stream->read();
            if (message.has_error() || !message->has_value()) break;
            take(**message, component, replica);
        }
        stream->close();
        --readers_;
        changed_.notify();
    }

    void take(const std::string& message, const std::string& component, std::uint32_t replica) {
        boost::system::error_code failed;
        const json::value parsed = json::parse(message, failed);
        if (failed || !parsed.is_array()) return;
        for (const json::value& value : parsed.get_array()) {
            const json::object* line = value.if_object();
            if (line == nullptr) continue;
            const auto member = [line](std::string_view key) {
                const json::value* found = line->if_contains(key);
                return found == nullptr ? json::value("") : *found;
            };
            append(json::object{
                {"ts", member("ts")},
                {"component", component},
                {"replica", replica},
                {"service", member("service")},
                {"stream", member("stream")},
                {"line", member("line")},
            });
        }
    }

    void append(const json::object& line) {
        queued_ += json::serialize(line);
        queued_ += '\n';
        changed_.notify();
    }

    JobService& service_;
    LogQuery query_;
    std::string queued_;
    std::size_t readers_ = 0;
    std::set<PlacementId> opened_;
    Signal changed_;
    std::shared_ptr<void> listener_;
    TaskGroup tasks_;  // last: its tasks use everything above
};

Task<Result<Response>> get_logs(Runtime& runtime, JobService& service, Request request) {
    const auto app = service.find(project_of(request), request.param("name"));
    if (app.has_error()) co_return app.error();
    LogQuery query;
    query.app = (*app)->id;
    query.component = request.query_or("component", "");
    query.service = request.query_or("service", "");
    query.follow = request.query_flag("follow");
    const auto since = since_in_query(request, runtime.wall());
    if (since.has_error()) co_return since.error();
    if (*since) query.since_ms = to_ms(**since);
    const auto tail = number_in_query(request, "tail", 1'000'000);
    if (tail.has_error()) co_return tail.error();
    query.tail = *tail;
    const auto& placements = service.state().of_app(query.app);
    const std::string name = (*app)->name;
    if (!query.component.empty()) {
        const auto application = (*app)->application();
        bool is_known = false;
        std::string known;
        for (const auto& component : application->components) {
            is_known = is_known || component.name == query.component;
            known += (known.empty() ? "" : ", ") + component.name;
        }
        if (!is_known) {
            co_return Error{
                errc::component_not_found,
                name + " has no component named " + query.component,
                "it has: " + known
            };
        }
    }
    if (placements.empty() && !query.follow) {
        co_return Error{
            errc::not_placed, "nothing of " + name + " has a node yet", "icos explain " + name + " says why"
        };
    }
    auto merged = std::make_shared<MergedLogs>(runtime, service, std::move(query));
    const auto opened = co_await MergedLogs::open(merged);
    if (opened.has_error()) co_return opened.error();
    Response response;
    response.content_type = "application/x-ndjson";
    response.headers["Cache-Control"] = "no-store";
    response.stream = std::move(merged);
    co_return response;
}

}  // namespace

void add_log_routes(http::Router& router, Runtime& runtime, JobService& service) {
    router.add(http::Route{
        http::Method::get,
        "/api/v1/apps/{name}/logs",
        http::Access::read,
        "Output of the containers, one LogLine a line",
        [&runtime, &service](Request request) { return get_logs(runtime, service, std::move(request)); }
    });
}

}  // namespace icos::job_manager
