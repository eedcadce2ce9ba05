// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/http/message.hpp"
#include "process.hpp"
#include "sim_disk.hpp"
#include "sim_network.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace icos::sim {

inline const std::string kControllerHost = "controller";

/// The machine that runs the controller: real modules over the real SQLite store, on a simulated disk. A
/// crash freezes the disk's image, stops and destroys the process, and the next one starts on what the image
/// holds.
class SimController {
public:
    SimController(World& world, SimNetwork& network, std::shared_ptr<SyncLedger> ledger);
    ~SimController();
    SimController(const SimController&) = delete;
    SimController& operator=(const SimController&) = delete;

    void boot();
    bool is_serving() const noexcept;
    bool is_down() const noexcept { return process_ == nullptr; }
    std::uint64_t starts() const noexcept { return starts_; }
    /// Called each time it begins to serve.
    void on_serving(std::function<void()> callback) { serving_callback_ = std::move(callback); }

    /// Ends it now and boots it again after `downtime`.
    void crash(Ending ending, SimTime downtime);
    /// Ends it after `handlers` more handlers, or, with `disk_operations` > 0, right after that many changes
    /// of its disk.
    void crash_later(Ending ending, SimTime downtime, std::uint64_t handlers, std::uint64_t disk_operations);

    /// Sends a request over a network that may lose it or the answer; then `on_answer` is never called.
    void request(
        const std::string& from_host,
        http::Request request,
        std::function<void(const http::Response&)> on_answer
    );

    Machine& machine() noexcept { return machine_; }
    SimDisk& disk() noexcept { return *disk_; }

private:
    struct Incarnation;
    static Task<> start(SimController& self, Incarnation& incarnation);
    static Task<> stop(Incarnation& incarnation);
    static Task<> answer(
        SimController& self,
        Incarnation& incarnation,
        std::string from_host,
        http::Request request,
        std::function<void(const http::Response&)> on_answer
    );
    void end(std::unique_ptr<SimDisk> survivor, Ending ending, SimTime downtime);

    World& world_;
    SimNetwork& network_;
    Rng rng_;
    Machine machine_;
    std::unique_ptr<SimDisk> disk_;
    std::unique_ptr<Incarnation> process_;
    std::function<void()> serving_callback_;
    std::uint64_t starts_ = 0;
    std::uint64_t requests_ = 0;
};

}  // namespace icos::sim
