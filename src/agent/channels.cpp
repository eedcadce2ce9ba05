// SPDX-License-Identifier: Apache-2.0
#include "channels.hpp"

#include "icos/async/signal.hpp"
#include "icos/link/text.hpp"
#include "join_work.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <deque>
#include <set>

namespace icos::agent {
namespace {

namespace json = boost::json;
using ChannelPtr = std::shared_ptr<link::Channel>;
using ReconcilerPtr = std::shared_ptr<const Reconciler>;

constexpr std::size_t kLinesAhead = 512;  ///< per container, read but not sent
constexpr std::size_t kBatchBytes = 32U << 10U;
/// How long a followed line waits for older ones of other containers.
constexpr Duration kMergeWait{50};
enum ExecByte : char { kStdio = 0, kStderr = 1, kEnd = 2, kResize = 3 };

struct Arguments {
    PlacementId placement;
    std::string service;
    LogQuery logs;
    ExecQuery exec;
};

std::string text_of(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string().c_str()) : std::string();
}
bool flag_of(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_bool() && value->get_bool();
}
std::optional<std::int64_t> number_of(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr || !value->is_number()) return std::nullopt;
    boost::system::error_code ec;
    const std::int64_t number = value->to_number<std::int64_t>(ec);
    return ec ? std::nullopt : std::optional(number);
}

std::optional<Arguments> parse_arguments(const std::string& text) {
    boost::system::error_code ec;
    const json::value value = json::parse(text, ec);
    if (ec || !value.is_object()) return std::nullopt;
    const json::object& object = value.get_object();
    Arguments out;
    out.placement = PlacementId{text_of(object, "placement")};
    out.service = text_of(object, "service");
    out.logs.follow = flag_of(object, "follow");
    out.logs.since_ms = number_of(object, "since_ms");
    if (const auto tail = number_of(object, "tail"); tail && *tail >= 0) {
        out.logs.tail = static_cast<std::uint32_t>(std::min<std::int64_t>(*tail, 1'000'000));
    }
    out.exec.tty = flag_of(object, "tty");
    out.exec.interactive = flag_of(object, "interactive");
    if (const json::value* command = object.if_contains("command");
        command != nullptr && command->is_array()) {
        for (const json::value& word : command->get_array()) {
            if (!word.is_string()) return std::nullopt;
            out.exec.command.emplace_back(word.get_string().c_str());
        }
    }
    return out;
}

struct Chosen {
    std::vector<std::pair<std::string, std::string>> containers;  ///< title, id
    std::string problem;
};

/// Containers of the serving generation whose service is `wanted` ("web", "web.2"; empty = all).
Chosen choose(const ReconcilerPtr& reconciler, const Arguments& arguments) {
    Chosen out;
    const std::shared_ptr<const Unit> unit = reconciler->find(arguments.placement);
    if (!unit || unit->containers.empty()) {
        out.problem = "no container of this component is on the node";
        return out;
    }
    const std::vector<const ContainerState*> serving = unit->of_digest(unit->serving_digest());
    std::map<std::string, int> counts;
    for (const ContainerState* container : serving) ++counts[label_of(*container, label::kService)];
    std::set<std::string> titles;
    for (const ContainerState* container : serving) {
        const std::string service = label_of(*container, label::kService);
        const std::string title = service_title(*container, counts[service] > 1);
        if (arguments.service.empty() || arguments.service == service || arguments.service == title) {
            out.containers.emplace_back(title, container->id);
        }
        titles.insert(title);
    }
    std::string known;
    for (const std::string& title : titles) known += (known.empty() ? "" : ", ") + title;
    if (out.containers.empty())
        out.problem = "no service is named '" + arguments.service + "' (there are: " + known + ")";
    std::sort(out.containers.begin(), out.containers.end());
    return out;
}

struct LogSource {
    std::string title;
    std::string container;
    std::deque<LogLine> lines;
    bool ended = false;
};
struct LogMerge {
    explicit LogMerge(Runtime& runtime) : filled(runtime), drained(runtime) {}
    std::vector<std::shared_ptr<LogSource>> sources;
    Signal filled;
    Signal drained;
    std::optional<Error> problem;
};

Task<> read_log(
    Engine& engine, std::shared_ptr<LogMerge> merge, std::shared_ptr<LogSource> source, LogQuery query
) {
    Result<std::unique_ptr<EngineStream<LogLine>>> opened = co_await engine.logs(source->container, query);
    if (opened.has_error()) {
        merge->problem = opened.error();
    } else {
        const std::unique_ptr<EngineStream<LogLine>> stream = std::move(*opened);
        while (true) {
            while (source->lines.size() >= kLinesAhead) co_await merge->drained.wait();
            Result<std::optional<LogLine>> line = co_await stream->next();
            if (line.has_error()) merge->problem = line.error();
            if (line.has_error() || !line->has_value()) break;
            source->lines.push_back(std::move(**line));
            merge->filled.notify();
        }
    }
    source->ended = true;
    merge->filled.notify();
}

/// The source with the oldest line; null when some source that goes on has none yet and `patient` says to
/// wait.
LogSource* oldest(const LogMerge& merge, bool patient) {
    LogSource* best = nullptr;
    for (const auto& source : merge.sources) {
        if (source->lines.empty()) {
            if (!source->ended && patient) return nullptr;
            continue;
        }
        if (best == nullptr || source->lines.front().at_ms < best->lines.front().at_ms) best = source.get();
    }
    return best;
}

bool all_ended(const LogMerge& merge) {
    return std::all_of(merge.sources.begin(), merge.sources.end(), [](const auto& s) {
        return s->ended && s->lines.empty();
    });
}

Task<> write_logs(std::shared_ptr<LogMerge> merge, ChannelPtr channel, bool follow) {
    while (!all_ended(*merge)) {
        bool patient = true;
        if (follow && oldest(*merge, true) == nullptr) {
            const bool has_any = oldest(*merge, false) != nullptr;
            // Silent containers must not hold back the others for ever.
            if (has_any)
                co_await merge->filled.wait_for(kMergeWait);
            else
                co_await merge->filled.wait();
            patient = false;
        } else if (oldest(*merge, true) == nullptr) {
            co_await merge->filled.wait();
            continue;
        }
        json::array batch;
        std::size_t bytes = 0;
        while (bytes < kBatchBytes) {
            LogSource* source = oldest(*merge, patient);
            if (source == nullptr) break;
            const LogLine& line = source->lines.front();
            std::string text = link::to_valid_utf8(line.text);
            bytes += text.size() + 96;
            batch.push_back(json::object{
                {"service", source->title},
                {"stream", line.is_stderr ? "stderr" : "stdout"},
                {"ts", line.timestamp},
                {"line", std::move(text)},
            });
            source->lines.pop_front();
        }
        merge->drained.notify();
        if (batch.empty()) continue;
        const Result<void> written = co_await channel->write(json::serialize(batch));
        if (written.has_error()) co_return;
    }
}

/// Ends a followed log when the reader goes.
Task<> watch_reader(ChannelPtr channel, std::shared_ptr<bool> gone, std::shared_ptr<LogMerge> merge) {
    while (true) {
        const Result<std::optional<std::string>> message = co_await channel->read();
        if (message.has_error()) break;
        if (!message->has_value()) co_return;  // nothing more is asked; the answer goes on
    }
    *gone = true;
    for (const auto& source : merge->sources) {
        source->ended = true;
        source->lines.clear();
    }
    merge->filled.notify();
}

Task<> serve_logs(Runtime& runtime, Engine& engine, ReconcilerPtr reconciler, ChannelPtr channel) {
    const std::optional<Arguments> arguments = parse_arguments(channel->arguments());
    if (!arguments) {
        channel->reset("the arguments of the channel are not understood");
        co_return;
    }
    const Chosen chosen = choose(reconciler, *arguments);
    if (!chosen.problem.empty()) {
        channel->reset(chosen.problem);
        co_return;
    }
    const auto merge = std::make_shared<LogMerge>(runtime);
    const auto gone = std::make_shared<bool>(false);
    TaskGroup readers(runtime);
    for (const auto& [title, id] : chosen.containers) {
        auto source = std::make_shared<LogSource>();
        source->title = title;
        source->container = id;
        merge->sources.push_back(source);
    }
    for (const auto& source : merge->sources)
        readers.spawn("agent.log", read_log(engine, merge, source, arguments->logs));
    readers.spawn("agent.log_reader", watch_reader(channel, gone, merge));
    co_await write_logs(merge, channel, arguments->logs.follow);
    if (merge->problem && !*gone)
        channel->reset(describe(*merge->problem));
    else
        channel->finish();
    co_await readers.stop(Duration(2'000));
}

std::string end_message(json::object object) {
    return std::string(1, kEnd) + json::serialize(object);
}

std::string end_message(const Error& error) {
    return end_message(json::object{
        {"error",
         json::object{
             {"code", stable_code(error)}, {"detail", link::to_valid_utf8(error.detail)}, {"hint", error.hint}
         }},
    });
}

Task<> feed_input(std::shared_ptr<ExecSession> session, ChannelPtr channel, std::shared_ptr<Signal> over) {
    while (true) {
        const Result<std::optional<std::string>> message = co_await channel->read();
        if (message.has_error()) break;
        if (!message->has_value()) {
            session->close_input();
            co_return;
        }
        const std::string& text = **message;
        if (text.empty()) continue;
        if (text[0] == kStdio && text.size() == 1) {  // the end of the input; output goes on
            session->close_input();
        } else if (text[0] == kStdio) {
            const Result<void> written = co_await session->write(text.substr(1));
            if (written.has_error()) co_return;
        } else if (text[0] == kResize) {
            boost::system::error_code ec;
            const json::value value = json::parse(std::string_view(text).substr(1), ec);
            const json::value* size =
                ec || !value.is_object() ? nullptr : value.get_object().if_contains("resize");
            if (size == nullptr || !size->is_array() || size->get_array().size() != 2) continue;
            boost::system::error_code bad_rows;
            boost::system::error_code bad_columns;
            const auto rows = size->get_array()[0].to_number<std::uint32_t>(bad_rows);
            const auto columns = size->get_array()[1].to_number<std::uint32_t>(bad_columns);
            if (!bad_rows && !bad_columns) (void)co_await session->resize(rows, columns);
        }
    }
    over->notify();
}

Task<> pump_output(std::shared_ptr<ExecSession> session, ChannelPtr channel, std::shared_ptr<Signal> over) {
    while (true) {
        Result<std::optional<ExecSession::Output>> piece = co_await session->read();
        if (piece.has_error()) {
            std::string message = end_message(piece.error());
            (void)co_await channel->write(std::move(message));
            break;
        }
        if (!piece->has_value()) {
            const Result<int> code = co_await session->exit_code();
            std::string message = code.has_error() ? end_message(code.error())
                                                   : end_message(json::object{{"exit_code", *code}});
            (void)co_await channel->write(std::move(message));
            break;
        }
        std::string message(1, (*piece)->is_stderr ? kStderr : kStdio);
        message += (*piece)->bytes;
        const Result<void> written = co_await channel->write(std::move(message));
        if (written.has_error()) break;
    }
    channel->finish();
    over->notify();
}

Task<> serve_exec(Runtime& runtime, Engine& engine, ReconcilerPtr reconciler, ChannelPtr channel) {
    const std::optional<Arguments> arguments = parse_arguments(channel->arguments());
    if (!arguments || arguments->exec.command.empty()) {
        channel->reset("the arguments of the channel are not understood");
        co_return;
    }
    const Chosen chosen = choose(reconciler, *arguments);
    Result<std::unique_ptr<ExecSession>> opened = Error{engine_errc::not_found, chosen.problem};
    if (chosen.problem.empty()) {
        const std::string id = chosen.containers.front().second;
        opened = co_await engine.exec(id, arguments->exec);
    }
    if (opened.has_error()) {
        std::string message = end_message(opened.error());
        (void)co_await channel->write(std::move(message));
        channel->finish();
        co_return;
    }
    const std::shared_ptr<ExecSession> session = std::move(*opened);
    const auto over = std::make_shared<Signal>(runtime);
    TaskGroup pumps(runtime);
    pumps.spawn("agent.exec_out", pump_output(session, channel, over));
    pumps.spawn("agent.exec_in", feed_input(session, channel, over));
    co_await over->wait();
    co_await pumps.stop(Duration(2'000));
}

}  // namespace

bool serve_channel(
    Runtime& runtime,
    Engine& engine,
    std::shared_ptr<const Reconciler> reconciler,
    TaskGroup& tasks,
    ChannelPtr channel
) {
    if (channel->kind() == "logs") {
        tasks.spawn("agent.logs", serve_logs(runtime, engine, std::move(reconciler), std::move(channel)));
        return true;
    }
    if (channel->kind() == "exec") {
        tasks.spawn("agent.exec", serve_exec(runtime, engine, std::move(reconciler), std::move(channel)));
        return true;
    }
    return false;
}

}  // namespace icos::agent
