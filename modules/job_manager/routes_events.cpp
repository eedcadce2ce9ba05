// SPDX-License-Identifier: Apache-2.0
#include "icos/http/event_stream.hpp"
#include "routes.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace icos::job_manager {
namespace {

namespace json = boost::json;
using http::Request;
using http::Response;

constexpr std::size_t kPage = 500;
constexpr std::uint64_t kDefaultLimit = 100;

json::object to_json(const Event& event) {
    boost::system::error_code failed;
    json::value data = json::parse(event.data, failed);
    if (failed) data = json::object();
    return {
        {"seq", event.seq},
        {"at", to_rfc3339(event.at)},
        {"kind", event.kind},
        {"layer", to_string(event.layer)},
        {"project", event.project},
        {"subject_kind", event.subject_kind},
        {"subject", event.subject},
        {"message", event.message},
        {"app", event.app},
        {"node", event.node},
        {"cause", event.cause},
        {"actor", event.actor},
        {"version", event.version},
        {"data", std::move(data)},
    };
}

Result<EventFilter> filter_of(const Request& request, WallTime now) {
    EventFilter filter;
    // Nodes and tokens are in no project: without ?project= everything is shown.
    filter.project = request.query_or("project", "");
    filter.app = request.query_or("app", "");
    filter.node = request.query_or("node", "");
    filter.kind = request.query_or("kind", "");
    filter.actor = request.query_or("actor", "");
    const std::string_view layer = request.query_or("layer", "");
    if (!layer.empty()) {
        for (const Layer one : {Layer::runtime, Layer::security, Layer::intelligence}) {
            if (to_string(one) == layer) filter.layer = one;
        }
        if (!filter.layer) {
            return Error{
                errc::invalid_query,
                "?layer=" + std::string(layer) + " is none of runtime, security, intelligence"
            };
        }
    }
    const auto since = time_in_query(request, "since", now);
    if (since.has_error()) return since.error();
    filter.since = *since;
    return filter;
}

/// One client that follows the event table: first what is recorded after `cursor`, then each event as it
/// becomes durable.
class Follower {
public:
    Follower(
        Store& store, EventFilter filter, std::uint64_t cursor, std::shared_ptr<http::EventStream> stream
    )
        : store_(store), filter_(std::move(filter)), cursor_(cursor), stream_(stream) {}

    static Task<> run(std::shared_ptr<Follower> self) {
        while (!self->is_live_) {
            const std::uint64_t last = self->store_.last_event();
            const auto page = co_await self->store_.events(self->cursor_, kPage, self->filter_);
            const auto stream = self->stream_.lock();
            if (!stream || stream->has_ended()) co_return;
            if (page.has_error()) {
                // The client comes back with its Last-Event-ID and is told then.
                stream->end();
                co_return;
            }
            for (const Event& event : *page) self->push(*stream, event);
            self->cursor_ = page->size() < kPage ? std::max(last, self->cursor_) : self->cursor_;
            if (self->cursor_ < self->store_.last_event()) continue;
            self->is_live_ = true;
        }
    }

    /// False when nobody listens any more.
    bool take(const Event& event) {
        const auto stream = stream_.lock();
        if (!stream || stream->has_ended()) return false;
        if (is_live_ && filter_.matches(event)) push(*stream, event);
        return true;
    }

private:
    void push(http::EventStream& stream, const Event& event) {
        cursor_ = std::max(cursor_, event.seq);
        stream.push("event", std::to_string(event.seq), json::serialize(to_json(event)));
    }

    Store& store_;
    EventFilter filter_;
    std::uint64_t cursor_;
    std::weak_ptr<http::EventStream> stream_;
    bool is_live_ = false;
};

/// Keeps the follower registered for as long as the stream lives.
class FollowedStream final : public http::BodyStream {
public:
    FollowedStream(std::shared_ptr<http::EventStream> stream, std::shared_ptr<void> token)
        : stream_(std::move(stream)), token_(std::move(token)) {}
    Task<std::optional<std::string>> next() override { return stream_->next(); }

private:
    std::shared_ptr<http::EventStream> stream_;
    std::shared_ptr<void> token_;
};

Task<Result<Response>> watch(
    Runtime& runtime, Store& store, TaskGroup& tasks, EventFilter filter, std::optional<std::uint64_t> after
) {
    std::uint64_t cursor = store.last_event();
    if (after) cursor = *after;
    if (!after && filter.since) cursor = store.first_event() - 1;
    // Said before the stream begins: a client that resumes too late lists again.
    if (cursor + 1 < store.first_event()) {
        co_return Error{
            store_errc::history_gone,
            "events after " + std::to_string(cursor) + " are no longer kept; the oldest is " +
                std::to_string(store.first_event()),
            "list again and follow from the newest"
        };
    }
    auto stream = std::make_shared<http::EventStream>(runtime);
    auto follower = std::make_shared<Follower>(store, std::move(filter), cursor, stream);
    auto token =
        store.on_event([follower](const std::shared_ptr<const Event>& event) { follower->take(*event); });
    tasks.spawn("job_manager.events", Follower::run(follower));
    Response response = http::EventStream::response(stream);
    response.stream = std::make_shared<FollowedStream>(std::move(stream), std::move(token));
    co_return response;
}

Task<Result<Response>> get_events(Runtime& runtime, Store& store, TaskGroup& tasks, Request request) {
    auto filter = filter_of(request, runtime.wall());
    if (filter.has_error()) co_return filter.error();
    auto after = number_in_query(request, "after", UINT64_MAX / 2);
    if (after.has_error()) co_return after.error();
    const auto limit = number_in_query(request, "limit", 1000);
    if (limit.has_error()) co_return limit.error();
    if (request.query_flag("watch")) {
        // What a browser or the shell sends when it reconnects is stronger than the address it was opened
        // with.
        const auto header = request.headers.find("Last-Event-ID");
        if (header != request.headers.end()) {
            request.query["after"] = header->second;
            after = number_in_query(request, "after", UINT64_MAX / 2);
            if (after.has_error()) co_return after.error();
        }
        co_return co_await watch(runtime, store, tasks, std::move(*filter), *after);
    }
    const std::uint64_t count = limit->value_or(kDefaultLimit);
    Result<std::vector<Event>> events = std::vector<Event>{};
    if (*after) {
        events = co_await store.events(**after, count, std::move(*filter));
    } else {
        events = co_await store.recent(count, std::move(*filter));
    }
    if (events.has_error()) co_return events.error();
    json::array items;
    for (const Event& event : *events) items.push_back(to_json(event));
    json::object body{{"items", std::move(items)}, {"next", nullptr}};
    if (*after && events->size() == count && count > 0) body["next"] = std::to_string(events->back().seq);
    co_return Response::json(json::serialize(body));
}

}  // namespace

void add_event_routes(http::Router& router, Runtime& runtime, Store& store, TaskGroup& tasks) {
    router.add(http::Route{
        http::Method::get,
        "/api/v1/events",
        http::Access::read,
        "Events, oldest first",
        [&runtime, &store, &tasks](Request request) {
            return get_events(runtime, store, tasks, std::move(request));
        }
    });
}

}  // namespace icos::job_manager
