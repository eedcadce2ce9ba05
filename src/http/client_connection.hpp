// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "http/client_parser.hpp"
#include "http/tls.hpp"
#include "http/transport.hpp"
#include "icos/async/task_group.hpp"
#include "icos/http/client.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace icos::http {

/// The end of a call's time: runs an action, once, when it passes. Lives in the frame of the call.
class Deadline {
public:
    Deadline(Runtime& runtime, Duration limit);
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;
    ~Deadline() = default;

    /// What ends the wait under way. Runs at once if the time has passed.
    void on_end(std::function<void()> action);
    void clear() { action_ = nullptr; }
    bool has_passed() const { return has_passed_; }
    Duration left() const;
    Duration limit() const { return limit_; }

private:
    Runtime& runtime_;
    Duration limit_;
    BootTime end_;
    bool has_passed_ = false;
    std::function<void()> action_;
    std::unique_ptr<Timer> timer_;
};

/// Makes connections to one endpoint and keeps idle ones. Loop-confined.
class Connector {
public:
    Connector(Runtime& runtime, Endpoint endpoint);

    /// An idle connection that is still good, or null.
    std::unique_ptr<Transport> take_idle();
    void give_back(std::unique_ptr<Transport> transport);
    /// http.connect_failed, http.tls_failed, http.pin_mismatch, core.invalid, core.timed_out.
    static Task<Result<std::unique_ptr<Transport>>> connect(
        std::shared_ptr<Connector> self, Deadline* deadline
    );

    Runtime& runtime() { return runtime_; }
    const Endpoint& endpoint() const { return endpoint_; }
    /// "127.0.0.1:7480" or the socket's path.
    std::string where() const;
    /// What a failed read or write means to a caller.
    Error failure(const boost::system::error_code& ec, const Deadline* deadline) const;

private:
    struct Idle {
        std::unique_ptr<Transport> transport;
        BootTime since{};
    };
    struct Lookup;

    static Task<Result<std::vector<std::string>>> resolve(
        std::shared_ptr<Connector> self, Deadline* deadline
    );
    static Task<> look_up(Runtime* runtime, std::shared_ptr<Lookup> lookup);
    static Task<Result<std::unique_ptr<StreamSocket>>> dial(
        std::shared_ptr<Connector> self, Deadline* deadline
    );
    Error timed_out(const Deadline& deadline) const;

    Runtime& runtime_;
    Endpoint endpoint_;
    std::shared_ptr<ClientTls> tls_;
    std::vector<Idle> idle_;
    TaskGroup lookups_;
};

}  // namespace icos::http
