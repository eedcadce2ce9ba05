// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "rng.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace icos::sim {

class SimProcess;

/// Time since the simulated world began.
using SimTime = std::chrono::nanoseconds;
using namespace std::chrono_literals;

/// Place of an event in the queue: by time; what falls on one instant is ordered by a seeded draw.
struct EventKey {
    SimTime time{};
    std::uint32_t tie = 0;
    std::uint64_t sequence = 0;
    auto operator<=>(const EventKey&) const = default;
};

/// Virtual time, the queue of what happens next, and the trace. One thread; equal seeds give equal runs, to
/// the last event, which `trace_hash` shows.
class World {
public:
    explicit World(std::uint64_t seed);
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    SimTime now() const noexcept { return now_; }
    std::uint64_t seed() const noexcept { return seed_; }
    Rng& rng() noexcept { return rng_; }

    /// Runs `action` at `when`. With an owner it runs in that process's life: a process that died takes its
    /// own events along.
    EventKey at(SimTime when, SimProcess* owner, std::function<void()> action);
    EventKey after(SimTime delay, SimProcess* owner, std::function<void()> action);
    void cancel(const EventKey& key);
    /// Takes the events of a process out of the queue.
    std::map<EventKey, std::function<void()>> take_events(const SimProcess& owner);

    /// The process has handlers to run; they run after the present event, in seeded order with those of
    /// others.
    void wake(SimProcess& process);
    /// Nothing of it runs any more.
    void forget(SimProcess& process);

    /// Runs the next event and everything it made ready. False when the queue is empty.
    bool step();
    /// Until the queue's next event is later than `when`, or something failed.
    void run_until(SimTime when);

    /// Looked at after every event and every handler of a process.
    void on_step(std::function<void()> check) { checks_.push_back(std::move(check)); }

    /// One line about something that happened; enters the hash.
    void trace(std::string_view line);
    void hash(std::uint64_t value) noexcept;
    std::uint64_t trace_hash() const noexcept { return hash_; }
    const std::deque<std::string>& recent() const noexcept { return recent_; }
    void print_trace(bool print) noexcept { print_ = print; }

    /// A broken invariant: the run ends. The first one counts.
    void fail(std::string message);
    bool failed() const noexcept { return !failure_.empty(); }
    const std::string& failure() const noexcept { return failure_; }

    std::uint64_t events() const noexcept { return events_; }
    std::uint64_t handlers() const noexcept { return handlers_; }

    /// How often each named thing (mostly kinds of faults) happened.
    std::map<std::string, std::uint64_t>& counters() noexcept { return counters_; }
    void count(const std::string& what) { ++counters_[what]; }

private:
    struct Entry {
        SimProcess* owner = nullptr;
        std::function<void()> action;
    };
    void run_ready();
    void check_all();

    std::uint64_t seed_;
    Rng rng_;
    SimTime now_{};
    std::uint64_t sequence_ = 0;
    std::map<EventKey, Entry> queue_;
    std::vector<SimProcess*> ready_;
    std::vector<std::function<void()>> checks_;
    std::uint64_t hash_ = 0xCBF29CE484222325ULL;
    std::deque<std::string> recent_;
    bool print_ = false;
    std::string failure_;
    std::uint64_t events_ = 0;
    std::uint64_t handlers_ = 0;
    std::map<std::string, std::uint64_t> counters_;
};

/// "00:12:03.123456" since the beginning.
std::string format_time(SimTime time);

}  // namespace icos::sim
