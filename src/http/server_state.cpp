// SPDX-License-Identifier: Apache-2.0
#include "http/server_state.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <algorithm>

namespace icos::http {

void ServerCounters::count_answer(unsigned status, std::chrono::nanoseconds duration) {
    by_class.at(std::min<std::size_t>(status / 100, by_class.size() - 1))
        .fetch_add(1, std::memory_order_relaxed);
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
    const auto bucket =
        std::ranges::find_if(kBucketsMs, [us](std::int64_t limit) { return us <= limit * 1000; });
    durations.at(static_cast<std::size_t>(bucket - kBucketsMs.begin()))
        .fetch_add(1, std::memory_order_relaxed);
    duration_us.fetch_add(
        static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0)), std::memory_order_relaxed
    );
}

ServerState::ServerState(
    Runtime& r, Router& rt, TokenCheck c, const Limits& l, boost::asio::any_io_executor i
)
    : runtime(r),
      router(rt),
      check(std::move(c)),
      limits(l),
      loop(r.loop()),
      io(i ? std::move(i) : loop),
      id_prefix(random_hex(r, 6)) {}

boost::asio::any_io_executor ServerState::connection_executor() const {
    if (io == loop) return loop;
    return boost::asio::make_strand(io);
}

std::string ServerState::next_request_id() {
    return id_prefix + "-" + std::to_string(sequence.fetch_add(1, std::memory_order_relaxed) + 1);
}

void ServerState::release_on_loop(std::shared_ptr<void> object) const {
    if (object) boost::asio::post(loop, [held = std::move(object)]() mutable { held.reset(); });
}

std::shared_ptr<const ServerTls> ServerState::tls() const {
    const std::lock_guard lock(mutex_);
    return tls_;
}

void ServerState::set_tls(std::shared_ptr<const ServerTls> tls) {
    const std::lock_guard lock(mutex_);
    tls_.swap(tls);
}

void ServerState::add(const std::shared_ptr<Session>& session) {
    const std::lock_guard lock(mutex_);
    sessions_.emplace(session.get(), session);
}

void ServerState::remove(const Session* session) {
    const std::lock_guard lock(mutex_);
    sessions_.erase(session);
}

std::size_t ServerState::session_count() const {
    const std::lock_guard lock(mutex_);
    return sessions_.size();
}

std::vector<std::shared_ptr<Session>> ServerState::sessions() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Session>> alive;
    alive.reserve(sessions_.size());
    for (const auto& [key, weak] : sessions_) {
        if (auto session = weak.lock()) alive.push_back(std::move(session));
    }
    return alive;
}

}  // namespace icos::http
