// SPDX-License-Identifier: Apache-2.0
#include "agent/accepted_log.hpp"
#include "agent/node_records.hpp"
#include "agent/program/identity.hpp"
#include "controller/data_directory.hpp"
#include "durable_keeper.hpp"
#include "fleet/certificate_authority.hpp"
#include "icos/store/seal.hpp"
#include "icos/store/store.hpp"
#include "sim_vfs.hpp"

#include <fmt/format.h>

#include <span>

namespace icos::sim {
namespace {

constexpr const char* kDirectory = "state";

/// The accepted log; its state is the digest of the set.
class LogKeeper final : public DurableKeeper {
public:
    LogKeeper(SimProcess& process, SimDisk& disk, std::size_t padding)
        : log_(process, disk, kDirectory), padding_(padding) {}
    Task<Result<std::string>> open() override {
        const Result<void> opened =
            co_await log_.open(std::make_shared<const Seal>(std::string(Seal::kKeyBytes, 'k')));
        if (opened.has_error()) co_return opened.error();
        if (log_.digest() != agent::desired_digest(log_.set()))
            co_return Error{errc::internal, "the set does not have its digest"};
        co_return log_.digest();
    }
    Task<Result<std::string>> change(int number) override {
        agent::AcceptedSet set = set_of(number);
        std::string digest = agent::desired_digest(set);
        const Result<void> accepted = co_await log_.accept(std::move(set), std::move(digest));
        if (accepted.has_error()) co_return accepted.error();
        co_return log_.digest();
    }
    std::string expected(int number) override { return agent::desired_digest(set_of(number)); }

private:
    agent::AcceptedSet set_of(int number) const {
        agent::AcceptedSet set;
        for (int i = 0; i < 2; ++i) {
            agent::DesiredPlacement placement;
            placement.placement = PlacementId{fmt::format("p-{}", i == 0 ? 0 : number)};
            placement.app = "app";
            placement.component = "web";
            placement.generation = static_cast<std::uint64_t>(number);
            placement.digest = fmt::format("digest-{}-{}", i, number);
            if (padding_ > 0) placement.environment["PADDING"] = std::string(padding_, 'x');
            set.emplace(placement.placement, placement);
        }
        return set;
    }
    agent::AcceptedLog log_;
    std::size_t padding_;
};

/// What the node remembers beside the log; its state is the file's text, which is replaced as a whole.
class RecordsKeeper final : public DurableKeeper {
public:
    RecordsKeeper(SimProcess& process, SimDisk& disk) : records_(process, disk, kDirectory), disk_(disk) {
        static_cast<void>(disk.make_directory(kDirectory));
    }
    Task<Result<std::string>> open() override {
        co_await records_.open();
        co_return state();
    }
    Task<Result<std::string>> change(int number) override {
        set(number);
        co_await records_.save();
        // It says of a full disk only that in the log, and tries again with its next change.
        const Result<std::string> text = disk_.read_all(std::string(kDirectory) + "/records.json");
        if (text.has_error() || text->find(fmt::format("\"boot-{}\"", number)) == std::string::npos)
            co_return Error{store_errc::full, "the records were not written"};
        co_return state();
    }
    std::string expected(int number) override { return fmt::format("boot-{} sha256:{}", number, number); }

private:
    void set(int number) {
        records_.set_boot_id(fmt::format("boot-{}", number));
        records_.set_image("demo/web:1", fmt::format("sha256:{}", number));
    }
    std::string state() const { return records_.boot_id() + " " + records_.image_of("demo/web:1"); }
    agent::NodeRecords records_;
    SimDisk& disk_;
};

/// Files that are made when they are absent and then never change.
class MadeOnceKeeper final : public DurableKeeper {
public:
    using Make = std::function<Result<std::string>()>;
    explicit MadeOnceKeeper(Make make) : make_(std::move(make)) {}
    Task<Result<std::string>> open() override { co_return make_(); }
    Task<Result<std::string>> change(int) override { co_return make_(); }
    std::string expected(int) override { return {}; }

private:
    Make make_;
};

/// The identity of a node, replaced as a whole when its certificate is renewed.
class IdentityKeeper final : public DurableKeeper {
public:
    explicit IdentityKeeper(SimDisk& disk) : disk_(disk) {}
    Task<Result<std::string>> open() override {
        const Result<std::string> key = agent::load_or_make_key(disk_, kDirectory);
        if (key.has_error()) co_return key.error();
        if (!key->starts_with("-----BEGIN")) co_return Error{errc::internal, "the node's key is damaged"};
        co_return state();
    }
    Task<Result<std::string>> change(int number) override {
        const Result<void> saved = agent::save_identity(disk_, kDirectory, identity_of(number));
        if (saved.has_error()) co_return saved.error();
        co_return state();
    }
    std::string expected(int number) override { return identity_of(number).certificate; }

private:
    static agent::Identity identity_of(int number) {
        agent::Identity identity;
        identity.node_id = "node";
        identity.name = "edge";
        identity.controllers = {"controller:7443"};
        identity.certificate = fmt::format("certificate {}", number);
        identity.key = "key";
        return identity;
    }
    Result<std::string> state() {
        const Result<agent::Identity> identity = agent::load_identity(disk_, kDirectory);
        if (identity.has_value()) return identity->certificate;
        if (identity.error().code == errc::not_found) return std::string("not joined");
        return identity.error();
    }
    SimDisk& disk_;
};

/// Rows and events of the controller's store.
class StoreKeeper final : public DurableKeeper {
public:
    StoreKeeper(SimProcess& process, SimDisk& disk)
        : process_(process),
          vfs_(
              disk,
              [&process] { return to_ms(process.wall()); },
              [&process](std::string& bytes) {
                  process.random_bytes(std::as_writable_bytes(std::span(bytes)));
              }
          ) {}
    Task<Result<std::string>> open() override {
        SqliteStoreOptions options;
        options.path = "data/icos.db";
        options.vfs = vfs_.name();
        options.lock_directory = false;
        Result<std::unique_ptr<Store>> opened = open_sqlite_store(process_, options);
        if (opened.has_error()) co_return opened.error();
        store_ = std::move(*opened);
        Result<std::string> found = co_await state();
        co_return found;
    }
    Task<Result<std::string>> change(int number) override {
        ChangeSet set;
        set.changes.push_back(Change{"counter", "c", std::to_string(number)});
        set.changes.push_back(Change{"node", fmt::format("node-{}", number % 3), body_of(number)});
        EventDraft event;
        event.kind = "node.changed";
        event.subject = fmt::format("node-{}", number % 3);
        set.events.push_back(std::move(event));
        const Result<std::uint64_t> committed = co_await store_->commit(std::move(set));
        if (committed.has_error()) co_return committed.error();
        Result<std::string> found = co_await state();
        co_return found;
    }
    std::string expected(int number) override { return fmt::format("{} of {}", number, number); }
    Task<> close() override {
        if (store_) co_await store_->close();
    }

private:
    static std::string body_of(int number) {
        return fmt::format(
            "{{\"number\":{},\"padding\":\"{}\"}}", number, std::string(number % 3 == 0 ? 9000 : 200, 'x')
        );
    }
    /// "N of N": the counter, and how many events there are; each change makes one of both.
    Task<Result<std::string>> state() {
        const Result<std::vector<Row>> counters = co_await store_->load("counter");
        if (counters.has_error()) co_return counters.error();
        const Result<std::vector<Row>> nodes = co_await store_->load("node");
        if (nodes.has_error()) co_return nodes.error();
        const Result<std::vector<Event>> events = co_await store_->events(0, 1000, {});
        if (events.has_error()) co_return events.error();
        const int number = counters->empty() ? 0 : std::stoi(counters->front().body);
        for (const Row& node : *nodes) {
            // The newest change of this row, of those up to `number`.
            const int slot = std::stoi(node.id.substr(node.id.find('-') + 1));
            const int newest = number - (number - slot) % 3;
            if (node.body != body_of(newest))
                co_return Error{errc::internal, node.id + " is not of this state"};
        }
        co_return fmt::format("{} of {}", number, events->size());
    }
    SimProcess& process_;
    SimVfs vfs_;
    std::unique_ptr<Store> store_;
};

DurableKind made_once(std::string role, std::function<Result<std::string>(SimProcess&, SimDisk&)> make) {
    DurableKind kind;
    kind.role = std::move(role);
    kind.make = [make = std::move(make)](SimProcess& process, SimDisk& disk) {
        return std::make_unique<MadeOnceKeeper>([&process, &disk, make] { return make(process, disk); });
    };
    kind.changes = 1;
    kind.lives = 2;
    return kind;
}

}  // namespace

DurableKind small_accepted_log() {
    DurableKind kind;
    kind.role = "agent";
    kind.make = [](SimProcess& process, SimDisk& disk) {
        return std::make_unique<LogKeeper>(process, disk, 0);
    };
    kind.changes = 2;
    kind.lives = 2;
    return kind;
}

DurableKind grown_accepted_log() {
    DurableKind kind;
    kind.role = "agent";
    kind.make = [](SimProcess& process, SimDisk& disk) {
        return std::make_unique<LogKeeper>(process, disk, 50'000);
    };
    // Each change adds 100 kB: the eleventh makes the log larger than a megabyte.
    kind.changes = 12;
    kind.unwatched = 9;
    kind.step = 16384;
    return kind;
}

DurableKind node_records() {
    DurableKind kind;
    kind.role = "agent";
    kind.make = [](SimProcess& process, SimDisk& disk) {
        return std::make_unique<RecordsKeeper>(process, disk);
    };
    kind.changes = 3;
    kind.lives = 2;
    return kind;
}

DurableKind data_directory() {
    return made_once("controller", [](SimProcess& process, SimDisk& disk) -> Result<std::string> {
        const Result<controller::Identity> identity = controller::open_data_directory(process, disk, "data");
        if (identity.has_error()) return identity.error();
        return identity->controller_id + " " + identity->admin_token;
    });
}

DurableKind certificate_authority() {
    return made_once("controller", [](SimProcess& process, SimDisk& disk) -> Result<std::string> {
        fleet::AuthoritySettings settings{disk, "data/ca", "sim", {"controller"}, process.wall()};
        const auto authority = fleet::open_openssl_authority(settings);
        if (authority.has_error()) return authority.error();
        return (*authority)->ca_certificate() + (*authority)->operator_pair().second;
    });
}

DurableKind node_identity() {
    DurableKind kind;
    kind.role = "agent";
    kind.make = [](SimProcess&, SimDisk& disk) { return std::make_unique<IdentityKeeper>(disk); };
    kind.changes = 2;
    kind.lives = 2;
    return kind;
}

DurableKind store(std::uint64_t step) {
    DurableKind kind;
    kind.role = "store";
    kind.make = [](SimProcess& process, SimDisk& disk) {
        return std::make_unique<StoreKeeper>(process, disk);
    };
    kind.changes = 4;
    kind.lives = 2;
    kind.step = step;
    return kind;
}

}  // namespace icos::sim
