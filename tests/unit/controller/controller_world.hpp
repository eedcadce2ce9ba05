// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/bus/bus.hpp"
#include "icos/config/config.hpp"
#include "icos/http/router.hpp"
#include "icos/runtime/application.hpp"
#include "icos/store/disk.hpp"
#include "icos/store/store.hpp"
#include "manual_runtime.hpp"
#include "run_task.hpp"

#include <stdexcept>
#include <string>
#include <vector>

namespace icos::test {

/// A store that nobody may use: what is tested here hands it on only.
class UntouchedStore final : public Store {
public:
    Task<Result<std::vector<Row>>> load(std::string, std::string) override { throw std::logic_error("load"); }
    Task<Result<std::vector<Row>>> history(std::string, WallTime) override {
        throw std::logic_error("history");
    }
    Task<Result<std::uint64_t>> commit(ChangeSet) override { throw std::logic_error("commit"); }
    Task<Result<std::vector<Event>>> events(std::uint64_t, std::size_t, EventFilter) override {
        throw std::logic_error("events");
    }
    Task<Result<std::vector<Event>>> recent(std::size_t, EventFilter) override {
        throw std::logic_error("recent");
    }
    std::uint64_t last_event() const override { return 0; }
    std::uint64_t last_version() const override { return 0; }
    std::shared_ptr<void> on_event(EventListener) override { return nullptr; }
    std::shared_ptr<void> on_dropped(std::function<void()>) override { return nullptr; }
    Task<> close() override { co_return; }
};

/// How a FakeModule behaves.
struct Behaviour {
    bool fails_to_configure = false;
    bool fails_to_start = false;
    bool throws_at_start = false;
    bool throws_at_stop = false;
    Duration stop_time{0};
    Health health{};
};

/// Writes what is asked of it into `notes`: "configure a", "start a", "stop a".
class FakeModule final : public Module {
public:
    FakeModule(Runtime& runtime, std::string name, Behaviour behaviour, std::vector<std::string>& notes)
        : runtime_(runtime), name_(std::move(name)), behaviour_(std::move(behaviour)), notes_(notes) {}

    std::string_view name() const noexcept override { return name_; }
    Result<void> configure(ModuleContext& context) override {
        notes_.push_back("configure " + name_ + context.config.text("note"));
        if (behaviour_.fails_to_configure) return Error{errc::invalid, name_ + " is wrong"};
        return {};
    }
    Task<Result<void>> start() override {
        notes_.push_back("start " + name_);
        if (behaviour_.throws_at_start) throw std::runtime_error(name_ + " threw");
        if (behaviour_.fails_to_start) co_return Error{errc::unavailable, name_ + " cannot"};
        co_return Result<void>{};
    }
    Task<> stop(Duration) override {
        notes_.push_back("stop " + name_);
        if (behaviour_.throws_at_stop) throw std::runtime_error("on purpose");
        if (behaviour_.stop_time.count() > 0) co_await sleep_for(runtime_, behaviour_.stop_time);
        notes_.push_back("stopped " + name_);
    }
    Health health() const override { return behaviour_.health; }
    std::string metrics() const override { return "icos_" + name_ + "_up 1\n"; }

private:
    Runtime& runtime_;
    std::string name_;
    Behaviour behaviour_;
    std::vector<std::string>& notes_;
};

/// An application of fake modules.
struct ControllerWorld {
    ModuleDescriptor module(
        std::string_view name, std::vector<std::string_view> needs = {}, Behaviour behaviour = {}
    ) {
        ModuleDescriptor descriptor;
        descriptor.name = name;
        descriptor.needs = std::move(needs);
        descriptor.schema = {{{"note", config::Type::text, "", "A note."}}};
        descriptor.make = [this, name = std::string(name), behaviour] {
            return std::make_unique<FakeModule>(runtime, name, behaviour, notes);
        };
        return descriptor;
    }
    static std::vector<const ModuleDescriptor*> pointers(const std::vector<ModuleDescriptor>& descriptors) {
        std::vector<const ModuleDescriptor*> all;
        for (const ModuleDescriptor& descriptor : descriptors) all.push_back(&descriptor);
        return all;
    }
    std::vector<std::string> take_notes() { return std::exchange(notes, {}); }

    ManualRuntime runtime;
    std::vector<std::string> notes;
    Bus bus{runtime};
    UntouchedStore store;
    std::unique_ptr<Disk> disk = make_posix_disk();
    http::Router router;
    config::Config config;
    Application application{Application::Environment{
        .runtime = runtime,
        .bus = bus,
        .store = store,
        .disk = *disk,
        .router = router,
        .config = config,
        .data_dir = "/nowhere",
        .controller_id = "id-1",
        .controller_name = "test",
        .advertise = "test:7443",
    }};
};

}  // namespace icos::test
