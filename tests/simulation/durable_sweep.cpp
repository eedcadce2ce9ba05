// SPDX-License-Identifier: Apache-2.0
#include "durable_keeper.hpp"
#include "icos/core/log.hpp"
#include "icos/store/store.hpp"
#include "sim_vfs.hpp"

#include <fmt/format.h>

#include <optional>
#include <set>
#include <utility>

namespace icos::sim {
namespace {

/// What a client of the keeper was told.
struct Told {
    std::string acknowledged;     ///< state; empty: nothing yet
    std::set<std::string> asked;  ///< states that changes not (yet) acknowledged lead to
    bool any_is_right = true;     ///< nothing is known: a first state may be anything
    bool allows(const std::string& state) const {
        return any_is_right || state == acknowledged || asked.contains(state);
    }
    void acknowledge(std::string state) {
        acknowledged = std::move(state);
        asked.clear();
        any_is_right = false;
    }
};

/// One world, one machine, one process, one keeper on a disk.
class Life {
public:
    Life(const DurableKind& kind, SimDisk& disk)
        : world_(1),
          machine_{.name = kind.role, .boot_id = "boot"},
          process_(world_, machine_, kind.role),
          keeper_(kind.make(process_, disk)) {}

    Result<std::string> open() { return run(keeper_->open()); }
    Result<std::string> change(int number) { return run(keeper_->change(number)); }
    std::string expected(int number) { return keeper_->expected(number); }
    ~Life() { close(); }
    Life(const Life&) = delete;
    Life& operator=(const Life&) = delete;
    void close() {
        if (std::exchange(is_closed_, true)) return;
        process_.spawn("close", keeper_->close());
        settle();
    }

private:
    static Task<> store_in(Task<Result<std::string>> task, std::optional<Result<std::string>>& into) {
        into = co_await std::move(task);
    }
    Result<std::string> run(Task<Result<std::string>> task) {
        std::optional<Result<std::string>> result;
        process_.spawn("keeper", store_in(std::move(task), result));
        settle();
        if (world_.failed()) return Error{errc::internal, world_.failure()};
        if (!result) return Error{errc::timed_out, "it did not end"};
        return std::move(*result);
    }
    void settle() { world_.run_until(world_.now() + 120s); }

    World world_;
    Machine machine_;
    SimProcess process_;
    std::unique_ptr<DurableKeeper> keeper_;
    bool is_closed_ = false;
};

std::unique_ptr<SimDisk> new_disk(const DurableKind& kind, std::shared_ptr<SyncLedger> ledger) {
    configure_logging(LogSettings{LogLevel::error, LogFormat::text, false});
    seed_sqlite(1);
    return std::make_unique<SimDisk>(kind.role, std::move(ledger));
}

/// Does change `number` and keeps book; a problem if it is refused.
std::string do_change(Life& life, Told& told, int number) {
    const std::string expected = life.expected(number);
    if (expected.empty()) told.any_is_right = told.acknowledged.empty();
    if (!expected.empty()) told.asked.insert(expected);
    Result<std::string> done = life.change(number);
    if (done.has_error()) return "change " + std::to_string(number) + ": " + describe(done.error());
    if (!told.allows(*done)) return "change " + std::to_string(number) + " led to another state";
    told.acknowledge(std::move(*done));
    return {};
}

/// Opens what `disk` holds; with `go_on` also changes it and opens it once more.
/// `number`: of the change that was being made, or was made last.
std::string recover(const DurableKind& kind, SimDisk& disk, Told told, int number, bool go_on) {
    {
        Life life(kind, disk);
        Result<std::string> found = life.open();
        if (found.has_error()) return "cannot be opened: " + describe(found.error());
        if (!told.allows(*found)) return "what was acknowledged is lost, or something else is there";
        if (!go_on) return {};
        const bool is_undone = !told.asked.empty() && *found == told.acknowledged;
        const int next = is_undone ? number : number + 1;
        told.acknowledge(std::move(*found));
        if (std::string problem = do_change(life, told, next); !problem.empty())
            return "after recovery, " + problem;
        life.close();
    }
    Life again(kind, disk);
    const Result<std::string> found = again.open();
    if (found.has_error()) return "cannot be opened a second time: " + describe(found.error());
    return *found == told.acknowledged ? "" : "a change after the recovery is lost";
}

struct Moment {
    std::unique_ptr<SimDisk> disk;  ///< as the process saw it, with what was not synced
    Told told;
    int number = 0;  ///< of the change that was being made, or was made last
};

std::vector<Moment> record(
    const DurableKind& kind, std::shared_ptr<SyncLedger> ledger, std::string& problem
) {
    std::vector<Moment> moments;
    auto disk = new_disk(kind, std::move(ledger));
    Told told;
    int number = 0;
    bool watching = kind.unwatched == 0;
    Rng none(0);
    const auto remember = [&] {
        if (watching) moments.push_back(Moment{disk->after(Ending::kill, none), told, number});
    };
    disk->watch(remember);
    for (int i = 1; i <= kind.lives && problem.empty(); ++i) {
        Life life(kind, *disk);
        Result<std::string> found = life.open();
        if (found.has_error()) problem = "cannot be opened: " + describe(found.error());
        if (found.has_value() && !told.allows(*found)) problem = "a state got lost without any fault";
        if (!problem.empty()) break;
        told.acknowledge(std::move(*found));
        remember();  // also with nothing more to write: what was told counts from now on
        for (int change = 0; change < kind.changes && problem.empty(); ++change) {
            watching = number >= kind.unwatched;
            problem = do_change(life, told, ++number);
            remember();
        }
        life.close();
    }
    disk->watch(nullptr);
    return moments;
}

/// Where to cut a write of `size` bytes: the multiples of `step` and the bytes beside them.
std::set<std::uint64_t> cuts_of(std::uint64_t size, std::uint64_t step) {
    std::set<std::uint64_t> cuts{0, size};
    for (std::uint64_t at = step; at < size; at += step) {
        cuts.insert(at);
        if (step > 1) cuts.insert(at + 1);
    }
    if (size > 0) cuts.insert({1, size - 1});
    return cuts;
}

}  // namespace

SweepResult cut_power_everywhere(const DurableKind& kind, const std::string& ignored_sync) {
    SweepResult result;
    std::set<std::uint64_t> seen;
    const auto ledger = std::make_shared<SyncLedger>();
    ledger->ignored = ignored_sync;
    std::vector<Moment> moments = record(kind, ledger, result.problem);
    for (const auto& [name, calls] : ledger->called) result.syncs.insert(name);
    for (Moment& moment : moments) {
        ++result.changes;
        const std::uint64_t size = moment.disk->last_write();
        bool is_first = true;
        for (const std::uint64_t bytes : cuts_of(size, kind.step)) {
            for (const unsigned variant : {0U, 1U, 2U, 3U}) {
                SimDisk::PowerCut cut;
                cut.bytes = bytes;
                cut.rest_survives = (variant & 1U) == 0;
                cut.length_survives = (variant & 2U) != 0;
                if (!cut.rest_survives && !kind.out_of_order) continue;
                if (cut.length_survives && bytes == size) continue;
                const auto image = moment.disk->after(cut);
                // What was told matters as much as what is there.
                const std::uint64_t told = std::hash<std::string>{}(moment.told.acknowledged);
                if (!seen.insert(image->fingerprint() ^ (told * 31)).second) continue;
                ++result.cases;
                const std::string problem = recover(kind, *image, moment.told, moment.number, is_first);
                is_first = false;
                if (problem.empty()) continue;
                result.problem = fmt::format(
                    "{} (power cut at change {}, {} of {} bytes written, the rest {}, the file's length {})",
                    problem,
                    result.changes,
                    bytes,
                    size,
                    cut.rest_survives ? "kept" : "lost",
                    cut.length_survives ? "kept" : "not"
                );
                return result;
            }
        }
        moment.disk.reset();
    }
    return result;
}

namespace {

/// One run in which write `refused` finds no space. False once there is no such write any more.
bool fill_disk_at(const DurableKind& kind, std::uint64_t refused, bool for_good, std::string& problem) {
    auto disk = new_disk(kind, std::make_shared<SyncLedger>());
    disk->refuse_write(refused, for_good);
    const auto was_reached = [&] { return disk->writes() >= refused; };
    const auto has_space = [&] {
        if (was_reached()) disk->refuse_write(0, false);
    };
    Told told;
    int number = 0;
    for (int i = 1; i <= kind.lives && problem.empty(); ++i) {
        // A service manager starts it again, with space after a while.
        auto life = std::make_unique<Life>(kind, *disk);
        Result<std::string> found = life->open();
        for (int attempt = 0; found.has_error() && attempt < 2; ++attempt) {
            if (found.error().code != store_errc::full) break;
            if (attempt > 0) has_space();
            life = std::make_unique<Life>(kind, *disk);
            found = life->open();
        }
        if (found.has_error()) problem = "cannot be opened: " + describe(found.error());
        if (found.has_value() && !told.allows(*found)) problem = "what was acknowledged is not there";
        if (!problem.empty()) return true;
        told.acknowledge(std::move(*found));
        for (int change = 0; change < kind.changes; ++change) {
            ++number;
            const std::string expected = life->expected(number);
            if (!expected.empty()) told.asked.insert(expected);
            Result<std::string> done = life->change(number);
            for (int attempt = 0; done.has_error() && attempt < 3; ++attempt) {
                if (done.error().code != store_errc::full) break;
                if (attempt > 0) has_space();
                done = life->change(number);
            }
            if (done.has_error()) {
                problem = fmt::format("change {}: {}", number, describe(done.error()));
                return true;
            }
            told.acknowledge(std::move(*done));
        }
        life->close();
        life.reset();
    }
    const bool reached = was_reached();
    disk->refuse_write(0, false);
    Life reader(kind, *disk);
    const Result<std::string> found = reader.open();
    if (found.has_error()) problem = "cannot be opened at the end: " + describe(found.error());
    if (found.has_value() && *found != told.acknowledged)
        problem = "what was acknowledged is not there at the end";
    return reached;
}

}  // namespace

SweepResult fill_disk_everywhere(const DurableKind& kind, bool for_good) {
    SweepResult result;
    for (std::uint64_t refused = 1; result.problem.empty(); ++refused) {
        if (!fill_disk_at(kind, refused, for_good, result.problem)) break;
        ++result.cases;
        ++result.changes;
        if (!result.problem.empty()) result.problem += fmt::format(" (write {} found no space)", refused);
    }
    return result;
}

}  // namespace icos::sim
