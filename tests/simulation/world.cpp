// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include "process.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace icos::sim {
namespace {

constexpr std::size_t kKeptLines = 4000;

}  // namespace

std::string format_time(SimTime time) {
    const auto micro = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    const auto seconds = micro / 1'000'000;
    return fmt::format(
        "{:02}:{:02}:{:02}.{:06}", seconds / 3600, seconds / 60 % 60, seconds % 60, micro % 1'000'000
    );
}

World::World(std::uint64_t seed) : seed_(seed), rng_(seed) {}

EventKey World::at(SimTime when, SimProcess* owner, std::function<void()> action) {
    const EventKey key{std::max(when, now_), static_cast<std::uint32_t>(rng_.next() >> 32U), ++sequence_};
    queue_.emplace(key, Entry{owner, std::move(action)});
    return key;
}

EventKey World::after(SimTime delay, SimProcess* owner, std::function<void()> action) {
    return at(now_ + delay, owner, std::move(action));
}

void World::cancel(const EventKey& key) {
    queue_.erase(key);
}

std::map<EventKey, std::function<void()>> World::take_events(const SimProcess& owner) {
    std::map<EventKey, std::function<void()>> taken;
    for (auto it = queue_.begin(); it != queue_.end();) {
        if (it->second.owner == &owner) {
            taken.emplace(it->first, std::move(it->second.action));
            it = queue_.erase(it);
        } else {
            ++it;
        }
    }
    return taken;
}

void World::wake(SimProcess& process) {
    if (process.dead() || process.queued_) return;
    process.queued_ = true;
    ready_.push_back(&process);
}

void World::forget(SimProcess& process) {
    std::erase(ready_, &process);
    process.queued_ = false;
}

bool World::step() {
    if (queue_.empty()) return false;
    auto node = queue_.extract(queue_.begin());
    now_ = node.key().time;
    ++events_;
    hash(static_cast<std::uint64_t>(now_.count()) ^ (node.key().sequence << 20U));
    node.mapped().action();
    check_all();
    run_ready();
    return true;
}

void World::run_ready() {
    while (!ready_.empty() && !failed()) {
        const std::size_t chosen = ready_.size() == 1 ? 0 : rng_.below(ready_.size());
        SimProcess& process = *ready_[chosen];
        std::uint64_t burst = 1 + rng_.below(8);
        bool idle = false;
        while (burst-- > 0 && !process.dead()) {
            if (!process.run_one()) {
                idle = true;
                break;
            }
            ++handlers_;
            check_all();
            // May destroy the process: it is asked nothing afterwards.
            if (process.crash_is_due()) {
                process.crash();
                break;
            }
        }
        // A crash has taken the process off the list itself.
        if (idle) forget(process);
    }
}

void World::run_until(SimTime when) {
    run_ready();
    while (!failed() && !queue_.empty() && queue_.begin()->first.time <= when) step();
    if (!failed()) now_ = std::max(now_, when);
}

void World::check_all() {
    for (const auto& check : checks_) check();
}

void World::trace(std::string_view line) {
    for (const char c : line) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    recent_.push_back(fmt::format("{} {}", format_time(now_), line));
    if (print_) std::printf("%s\n", recent_.back().c_str());
    if (recent_.size() > kKeptLines) recent_.pop_front();
}

void World::hash(std::uint64_t value) noexcept {
    hash_ = (hash_ ^ value) * 0x100000001B3ULL;
    hash_ ^= hash_ >> 29U;
}

void World::fail(std::string message) {
    if (failed()) return;
    trace("FAILED: " + message);
    failure_ = std::move(message);
}

}  // namespace icos::sim
