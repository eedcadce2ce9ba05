// SPDX-License-Identifier: Apache-2.0
#include "sim_network.hpp"

#include "icos/async/signal.hpp"
#include "icos/link/session.hpp"

#include <algorithm>
#include <deque>
#include <utility>

namespace icos::sim {
namespace {

constexpr std::size_t kWindow = 256U << 10U;  ///< bytes under way before a writer waits

}  // namespace

/// One side of a connection and what travels towards it.
struct SimNetwork::End {
    std::string host;
    SimProcess* process = nullptr;    ///< null once the side is gone
    std::shared_ptr<Signal> changed;  ///< a frame came, the window opened, or it ended
    std::deque<std::string> inbox;
    std::string ended;    ///< why reads and writes fail, once the inbox is empty
    bool closed = false;  ///< the application let it go

    // What travels towards this side.
    std::deque<std::pair<SimTime, std::string>> under_way;  ///< an empty frame is the end of the stream
    std::size_t bytes_under_way = 0;
    SimTime stalled_until{};
    SimTime last_arrival{};
    bool is_held = false;  ///< the route is cut: nothing scheduled until it heals
};

struct SimNetwork::Connection {
    std::uint64_t id = 0;
    End ends[2];
};

class SimNetwork::Stream final : public http::FrameStream {
public:
    Stream(SimNetwork& network, std::shared_ptr<Connection> connection, std::size_t end)
        : network_(network), connection_(std::move(connection)), end_(end) {}
    ~Stream() override { close(); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    Task<Result<std::string>> read() override { return read_from(connection_, end_); }
    Task<Result<void>> write(std::string frame) override {
        return write_to(network_, connection_, end_, std::move(frame));
    }
    void close() override { network_.close_end(connection_, end_); }
    std::string remote() const override { return connection_->ends[1 - end_].host + ":4711"; }

private:
    static Error closed(const End& end) {
        return Error{link::errc::closed, end.ended.empty() ? "the connection was closed here" : end.ended};
    }

    static Task<Result<std::string>> read_from(std::shared_ptr<Connection> connection, std::size_t index) {
        End& end = connection->ends[index];
        const std::shared_ptr<Signal> changed = end.changed;
        while (end.inbox.empty()) {
            if (end.closed || !end.ended.empty() || end.process == nullptr) co_return closed(end);
            co_await changed->wait();
        }
        std::string frame = std::move(end.inbox.front());
        end.inbox.pop_front();
        co_return frame;
    }

    static Task<Result<void>> write_to(
        SimNetwork& network, std::shared_ptr<Connection> connection, std::size_t index, std::string frame
    ) {
        End& end = connection->ends[index];
        const End& other = connection->ends[1 - index];
        const std::shared_ptr<Signal> changed = end.changed;
        for (;;) {
            if (end.closed || !end.ended.empty() || end.process == nullptr) co_return closed(end);
            if (other.bytes_under_way < kWindow) break;
            co_await changed->wait();
        }
        SimProcess& process = *end.process;
        network.send(connection, index, std::move(frame));
        co_await process.pause(SimTime::zero());
        co_return Result<void>();
    }

    SimNetwork& network_;
    std::shared_ptr<Connection> connection_;
    std::size_t end_;
};

SimNetwork::SimNetwork(World& world) : world_(world), rng_(world.rng().fork("network")) {}
SimNetwork::~SimNetwork() = default;

SimTime SimNetwork::delay(const std::string& a, const std::string& b) {
    SimTime time = std::chrono::microseconds(rng_.between(300, 20'000));
    if (rng_.one_in(50)) time += std::chrono::milliseconds(rng_.between(20, 400));
    std::uint64_t factor = 1;
    for (const std::string* host : {&a, &b}) {
        const auto it = slowness_.find(*host);
        if (it != slowness_.end()) factor = std::max(factor, it->second);
    }
    return time * static_cast<SimTime::rep>(factor);
}

void SimNetwork::listen(const std::string& host, SimProcess& process, Accept accept) {
    listeners_.insert_or_assign(host, Listener{&process, std::move(accept)});
}

Task<Result<std::unique_ptr<http::FrameStream>>> SimNetwork::dial(
    SimProcess& process, std::string from_host, std::string host
) {
    if (process.dead()) co_return Error{errc::unavailable, "this process is ending"};
    const SimTime there = delay(from_host, host);
    co_await process.pause(there);
    if (process.dead()) co_return Error{errc::unavailable, "this process is ending"};
    if (is_cut(from_host, host) || is_cut(host, from_host) || down_.contains(host)) {
        co_await process.pause(std::chrono::milliseconds(rng_.between(1000, 10'000)));
        co_return Error{errc::unavailable, host + " does not answer"};
    }
    const auto listener = listeners_.find(host);
    const SimTime back = delay(host, from_host);
    if (listener == listeners_.end()) {
        co_await process.pause(back);
        co_return Error{errc::unavailable, host + " refuses connections"};
    }

    auto connection = std::make_shared<Connection>();
    connection->id = ++next_connection_;
    SimProcess& acceptor = *listener->second.process;
    connection->ends[0].host = from_host;
    connection->ends[0].process = &process;
    connection->ends[0].changed = std::make_shared<Signal>(process);
    connection->ends[1].host = host;
    connection->ends[1].process = &acceptor;
    connection->ends[1].changed = std::make_shared<Signal>(acceptor);
    connections_.emplace(connection->id, connection);
    world_.trace(from_host + ": connection " + std::to_string(connection->id) + " to " + host);
    std::unique_ptr<http::FrameStream> theirs = std::make_unique<Stream>(*this, connection, 1);
    auto shared = std::make_shared<std::unique_ptr<http::FrameStream>>(std::move(theirs));
    acceptor.deliver(SimTime::zero(), [accept = listener->second.accept, from_host, shared] {
        accept(from_host, std::move(*shared));
    });
    std::unique_ptr<http::FrameStream> ours = std::make_unique<Stream>(*this, connection, 0);
    co_await process.pause(back);
    co_return ours;
}

void SimNetwork::send(const std::shared_ptr<Connection>& connection, std::size_t from, std::string frame) {
    if (observer_) {
        observer_(
            SentFrame{connection->id, connection->ends[from].host, connection->ends[1 - from].host, frame}
        );
    }
    push(connection, 1 - from, std::move(frame));
}

void SimNetwork::push(const std::shared_ptr<Connection>& connection, std::size_t to, std::string frame) {
    End& end = connection->ends[to];
    const SimTime travel = delay(connection->ends[1 - to].host, end.host);
    const SimTime arrival = std::max({world_.now() + travel, end.last_arrival, end.stalled_until});
    end.last_arrival = arrival;
    SimTime& latest = latest_arrival_[end.host];
    if (arrival < latest) world_.count("fault.network.reordering");
    latest = std::max(latest, arrival);
    end.bytes_under_way += frame.size();
    end.under_way.emplace_back(arrival, std::move(frame));
    if (!end.is_held) world_.at(arrival, nullptr, [this, connection, to] { arrive(connection, to); });
}

void SimNetwork::arrive(const std::shared_ptr<Connection>& connection, std::size_t to) {
    End& end = connection->ends[to];
    End& sender = connection->ends[1 - to];
    if (end.under_way.empty() || end.is_held) return;
    if (is_cut(sender.host, end.host)) {
        end.is_held = true;
        return;
    }
    // A stall that began after the frame was sent; and frames whose turn is not yet, after a cut healed.
    const SimTime due = std::max(end.under_way.front().first, end.stalled_until);
    if (due > world_.now()) {
        world_.at(due, nullptr, [this, connection, to] { arrive(connection, to); });
        return;
    }
    std::string frame = std::move(end.under_way.front().second);
    end.under_way.pop_front();
    end.bytes_under_way -= frame.size();
    if (sender.process != nullptr && sender.changed) {
        sender.changed->notify();
        world_.wake(*sender.process);
    }
    if (end.process == nullptr) {
        // Nobody is there. A machine that is up answers with a reset; one that is down does not.
        if (!down_.contains(end.host) && sender.process != nullptr && !frame.empty()) {
            world_.after(delay(end.host, sender.host), nullptr, [this, connection, to] {
                reset_end(connection, 1 - to, "reset by the other side");
            });
        }
        return;
    }
    if (end.closed || !end.ended.empty()) return;
    if (frame.empty()) {
        end.ended = "closed by the other side";
    } else {
        if (delivery_observer_) delivery_observer_(SentFrame{connection->id, sender.host, end.host, frame});
        end.inbox.push_back(std::move(frame));
    }
    end.changed->notify();
    world_.wake(*end.process);
}

void SimNetwork::close_end(const std::shared_ptr<Connection>& connection, std::size_t index) {
    End& end = connection->ends[index];
    if (end.closed) return;
    end.closed = true;
    if (end.process == nullptr) return;
    if (end.changed) end.changed->notify();
    if (end.process->dead()) return;
    push(connection, 1 - index, {});
    if (connection->ends[1 - index].closed || connection->ends[1 - index].process == nullptr) {
        // Frames may be under way still; nobody tells them any more when a process ends.
        for (End& side : connection->ends) side.process = nullptr;
        connections_.erase(connection->id);
    }
}

void SimNetwork::reset_end(
    const std::shared_ptr<Connection>& connection, std::size_t index, const std::string& why
) {
    End& end = connection->ends[index];
    if (end.process == nullptr || !end.ended.empty()) return;
    end.ended = why;
    if (end.changed) end.changed->notify();
    world_.wake(*end.process);
}

void SimNetwork::process_ended(SimProcess& process, bool silent) {
    for (auto it = listeners_.begin(); it != listeners_.end();) {
        it = it->second.process == &process ? listeners_.erase(it) : std::next(it);
    }
    const auto connections = connections_;
    for (const auto& [id, connection] : connections) {
        for (std::size_t side = 0; side < 2; ++side) {
            End& end = connection->ends[side];
            if (end.process != &process) continue;
            // The stream object stays with the dying process, which finds its connection ended.
            end.ended = "the process ends";
            if (end.changed) end.changed->notify();
            end.process = nullptr;
            if (!silent) push(connection, 1 - side, {});
            if (connection->ends[1 - side].process == nullptr) connections_.erase(id);
        }
    }
}

void SimNetwork::set_host_down(const std::string& host, bool down) {
    if (down) {
        down_.insert(host);
    } else {
        down_.erase(host);
    }
}

void SimNetwork::cut(const std::string& from_host, const std::string& to_host) {
    cut_.emplace(from_host, to_host);
}

void SimNetwork::heal(const std::string& from_host, const std::string& to_host) {
    if (cut_.erase({from_host, to_host}) == 0) return;
    for (const auto& entry : connections_) {
        const std::shared_ptr<Connection> connection = entry.second;
        for (std::size_t to = 0; to < 2; ++to) {
            End& end = connection->ends[to];
            if (!end.is_held || end.host != to_host || connection->ends[1 - to].host != from_host) continue;
            end.is_held = false;
            const SimTime retransmission = std::chrono::milliseconds(rng_.between(50, 3000));
            end.stalled_until = std::max(end.stalled_until, world_.now() + retransmission);
            // One arrival per frame was consumed by the hold or will find an empty queue: one each is right.
            for (std::size_t i = 0; i < end.under_way.size(); ++i) {
                world_.at(end.stalled_until, nullptr, [this, connection, to] { arrive(connection, to); });
            }
        }
    }
}

bool SimNetwork::is_cut(const std::string& from_host, const std::string& to_host) const {
    return !cut_.empty() && cut_.contains({from_host, to_host});
}

void SimNetwork::heal_all() {
    const auto routes = cut_;
    for (const auto& [from, to] : routes) heal(from, to);
    slowness_.clear();
}

void SimNetwork::set_slowness(const std::string& host, std::uint64_t factor) {
    if (factor <= 1) {
        slowness_.erase(host);
    } else {
        slowness_[host] = factor;
    }
}

std::shared_ptr<SimNetwork::Connection> SimNetwork::pick(const std::string& host) {
    std::vector<std::shared_ptr<Connection>> open;
    for (const auto& [id, connection] : connections_) {
        const bool alive =
            std::all_of(std::begin(connection->ends), std::end(connection->ends), [](const End& end) {
                return end.process != nullptr && !end.closed && end.ended.empty();
            });
        if (alive && (connection->ends[0].host == host || connection->ends[1].host == host))
            open.push_back(connection);
    }
    return open.empty() ? nullptr : open[rng_.below(open.size())];
}

bool SimNetwork::stall(const std::string& host, SimTime duration, bool reset_afterwards) {
    const auto connection = pick(host);
    if (!connection) return false;
    const std::uint64_t which = rng_.below(3);
    for (std::size_t to = 0; to < 2; ++to) {
        if (which == 2 || which == to) connection->ends[to].stalled_until = world_.now() + duration;
    }
    if (reset_afterwards) {
        world_.after(duration, nullptr, [this, connection] {
            for (std::size_t side = 0; side < 2; ++side) {
                connection->ends[side].under_way.clear();
                connection->ends[side].bytes_under_way = 0;
                reset_end(connection, side, "reset: too many retransmissions");
            }
        });
    }
    return true;
}

bool SimNetwork::half_open(const std::string& host) {
    const auto connection = pick(host);
    if (!connection) return false;
    const std::size_t side = rng_.below(2);
    reset_end(connection, side, "reset by a middle box");
    // What the other side sends from now on goes nowhere, and it is not told.
    for (End& end : connection->ends) {
        end.under_way.clear();
        end.bytes_under_way = 0;
        end.stalled_until = world_.now() + std::chrono::hours(24);
    }
    return true;
}

std::size_t SimNetwork::open_connections(const std::string& host) const {
    std::size_t count = 0;
    for (const auto& [id, connection] : connections_) {
        for (const End& end : connection->ends) {
            count += end.host == host && end.process != nullptr && !end.closed && end.ended.empty() ? 1 : 0;
        }
    }
    return count;
}

}  // namespace icos::sim
