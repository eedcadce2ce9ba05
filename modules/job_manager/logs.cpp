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

/// Lines of all replicas as they arrive; nodes are read only as fast as the client takes the lines. Shared by
/// the body and the tasks that read, because either may go first: close() makes the others end.
class Merge : public std::enable_shared_from_this<Merge> {
public:
    Merge(Runtime& runtime, JobService& service, TaskGroup& tasks, LogQuery query)
        : service_(service), tasks_(tasks), query_(std::move(query)), changed_(runtime) {}

    /// Opens what is there; the first failure if nothing could be opened.
    static Task<Result<void>> open(std::shared_ptr<Merge> self) {
        std::optional<Error> failure;
        for (const PlacementId& id : self->wanted()) {
            self->opened_.insert(id);
            auto opened = co_await open_one(self, id);
            if (opened.has_error() && !failure) failure = opened.error();
        }
        if (self->streams_.empty() && failure) co_return *failure;
        co_return Result<void>{};
    }

    static Task<std::optional<std::string>> next(std::shared_ptr<Merge> self) {
        while (self->queued_.empty()) {
            if (self->streams_.empty() && self->opening_ == 0 && !self->is_followed()) co_return std::nullopt;
            co_await self->changed_.wait();
        }
        std::string piece;
        piece.swap(self->queued_);
        self->changed_.notify();
        co_return piece;
    }

    /// The application changed: new replicas are followed too.
    void look_again() {
        for (const PlacementId& id : wanted()) {
            opened_.insert(id);
            ++opening_;
            tasks_.spawn("job_manager.logs", open_later(shared_from_this(), id));
        }
        changed_.notify();
    }

    void close() {
        is_closed_ = true;
        const auto open = streams_;
        for (const auto& [id, stream] : open) stream->close();
        changed_.notify();
    }

private:
    bool is_followed() const { return query_.follow && service_.state().find(query_.app) != nullptr; }

    /// Placements that match and were not opened yet.
    std::vector<PlacementId> wanted() const {
        std::vector<PlacementId> out;
        for (const Placement* placement : std::as_const(service_).state().of_app(query_.app)) {
            if (!query_.component.empty() && placement->component != query_.component) continue;
            if (!opened_.contains(placement->id)) out.push_back(placement->id);
        }
        return out;
    }

    static Task<> open_later(std::shared_ptr<Merge> self, PlacementId id) {
        static_cast<void>(co_await open_one(self, id));
        --self->opening_;
        self->changed_.notify();
    }

    static Task<Result<void>> open_one(std::shared_ptr<Merge> self, PlacementId id) {
        const Placement* placement = self->service_.state().find(id);
        if (placement == nullptr || self->is_closed_) co_return Result<void>{};
        const std::string component = placement->component;
        const std::uint32_t replica = placement->replica;
        const std::string node = placement->node_name;
        const TargetId target{placement->node.value};
        std::string arguments = json::serialize(arguments_of(self->query_, id));
        auto opened = co_await self->service_.executor().open_stream(target, "logs", std::move(arguments));
        if (opened.has_error()) {
            // With other replicas to show, this is a line among theirs.
            const std::string why = node + ": " + opened.error().detail;
            self->append(json::object{
                {"ts", ""},
                {"component", component},
                {"replica", replica},
                {"service", ""},
                {"stream", "icos"},
                {"line", why}
            });
            co_return opened.error();
        }
        std::shared_ptr<NodeStream> stream = std::move(*opened);
        if (self->is_closed_) {
            stream->close();
            co_return Result<void>{};
        }
        self->streams_[id] = stream;
        self->tasks_.spawn("job_manager.logs", read(self, id, std::move(stream), component, replica));
        co_return Result<void>{};
    }

    static Task<> read(
        std::shared_ptr<Merge> self,
        PlacementId id,
        std::shared_ptr<NodeStream> stream,
        std::string component,
        std::uint32_t replica
    ) {
        while (!self->is_closed_) {
            if (self->queued_.size() >= kMaxQueued) {
                co_await self->changed_.wait();
                continue;
            }
            const auto message = co_await stream->read();
            if (message.has_error() || !message->has_value()) break;
            self->take(**message, component, replica);
        }
        stream->close();
        self->streams_.erase(id);
        self->changed_.notify();
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
    TaskGroup& tasks_;
    LogQuery query_;
    std::string queued_;
    std::set<PlacementId> opened_;
    std::map<PlacementId, std::shared_ptr<NodeStream>> streams_;
    std::size_t opening_ = 0;
    bool is_closed_ = false;
    Signal changed_;
};

class MergedLogs final : public http::BodyStream {
public:
    MergedLogs(std::shared_ptr<Merge> merge, std::shared_ptr<void> listener)
        : merge_(std::move(merge)), listener_(std::move(listener)) {}
    ~MergedLogs() override { merge_->close(); }
    MergedLogs(const MergedLogs&) = delete;
    MergedLogs& operator=(const MergedLogs&) = delete;
    Task<std::optional<std::string>> next() override { return Merge::next(merge_); }

private:
    std::shared_ptr<Merge> merge_;
    std::shared_ptr<void> listener_;
};

Task<Result<Response>> get_logs(Runtime& runtime, JobService& service, TaskGroup& tasks, Request request) {
    const auto app = service.find(project_of(request), request.param("name"));
    if (app.has_error()) co_return app.error();
    LogQuery query;
    query.app = (*app)->id;
    query.component = request.query_or("component", "");
    query.service = request.query_or("service", "");
    query.follow = request.query_flag("follow");
    const auto since = time_in_query(request, "since", runtime.wall());
    if (since.has_error()) co_return since.error();
    if (*since) query.since_ms = to_ms(**since);
    const auto tail = number_in_query(request, "tail", 1'000'000);
    if (tail.has_error()) co_return tail.error();
    query.tail = *tail;
    const auto placements = service.state().of_app(query.app);
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
    const bool follow = query.follow;
    const AppId id = query.app;
    auto merge = std::make_shared<Merge>(runtime, service, tasks, std::move(query));
    const auto opened = co_await Merge::open(merge);
    if (opened.has_error()) co_return opened.error();
    std::shared_ptr<void> listener;
    if (follow) {
        listener = service.watchers().listen(id, [weak = std::weak_ptr<Merge>(merge)] {
            if (const auto alive = weak.lock()) alive->look_again();
        });
    }
    Response response;
    response.content_type = "application/x-ndjson";
    response.headers["Cache-Control"] = "no-store";
    response.stream = std::make_shared<MergedLogs>(std::move(merge), std::move(listener));
    co_return response;
}

}  // namespace

void add_log_routes(http::Router& router, Runtime& runtime, JobService& service, TaskGroup& tasks) {
    router.add(http::Route{
        http::Method::get,
        "/api/v1/apps/{name}/logs",
        http::Access::read,
        "Output of the containers, one LogLine a line",
        [&runtime, &service, &tasks](Request request) {
            return get_logs(runtime, service, tasks, std::move(request));
        }
    });
}

}  // namespace icos::job_manager
