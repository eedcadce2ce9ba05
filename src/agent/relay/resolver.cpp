// SPDX-License-Identifier: Apache-2.0
#include "agent/relay/resolver.hpp"

#include "icos/core/log.hpp"

#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace icos::agent {
namespace asio = boost::asio;
namespace {

constexpr Duration kKept{5'000};

struct Answer {
    Resolver::Addresses addresses;
    std::string problem;
};

Answer look_up_blocking(const std::string& name) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    Answer answer;
    const int outcome = ::getaddrinfo(name.c_str(), nullptr, &hints, &found);
    if (outcome != 0) {
        answer.problem = ::gai_strerror(outcome);
        return answer;
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
    for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
        if (entry->ai_family == AF_INET) {
            sockaddr_in raw{};
            std::memcpy(&raw, entry->ai_addr, sizeof(raw));
            answer.addresses.emplace_back(asio::ip::address_v4(ntohl(raw.sin_addr.s_addr)));
        } else if (entry->ai_family == AF_INET6) {
            sockaddr_in6 raw{};
            std::memcpy(&raw, entry->ai_addr, sizeof(raw));
            asio::ip::address_v6::bytes_type bytes{};
            std::memcpy(bytes.data(), &raw.sin6_addr, bytes.size());
            answer.addresses.emplace_back(asio::ip::address_v6(bytes, raw.sin6_scope_id));
        }
    }
    return answer;
}

}  // namespace

void Resolver::forget_old() {
    const BootTime now = runtime_.boot();
    std::erase_if(lookups_, [now](const auto& entry) {
        return entry.second->has_ended && now >= entry.second->good_until;
    });
}

Task<> Resolver::look_up(std::shared_ptr<Resolver> self, std::shared_ptr<Lookup> lookup, std::string name) {
    auto work = [name] { return look_up_blocking(name); };
    Answer answer = co_await offload(self->runtime_, Pool::blocking, std::move(work));
    if (answer.addresses.empty())
        Log("relay").warning("a name cannot be resolved", {{"name", name}, {"reason", answer.problem}});
    lookup->addresses = std::move(answer.addresses);
    // A name that is not found is asked for again with the next attempt.
    lookup->good_until = self->runtime_.boot() + (lookup->addresses.empty() ? Duration(0) : kKept);
    lookup->has_ended = true;
    lookup->done.notify();
}

Task<Resolver::Addresses> Resolver::resolve(
    std::shared_ptr<Resolver> self, TaskGroup& tasks, std::string address, Duration limit
) {
    boost::system::error_code ec;
    const asio::ip::address literal = asio::ip::make_address(address, ec);
    if (!ec) co_return Addresses{literal};
    self->forget_old();
    std::shared_ptr<Lookup>& known = self->lookups_[address];
    if (!known) {
        known = std::make_shared<Lookup>(self->runtime_);
        tasks.spawn("relay.lookup", look_up(self, known, address));
    }
    const std::shared_ptr<Lookup> lookup = known;
    if (!lookup->has_ended) co_await lookup->done.wait_for(limit);
    co_return lookup->addresses;
}

}  // namespace icos::agent
