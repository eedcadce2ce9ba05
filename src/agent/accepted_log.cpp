// SPDX-License-Identifier: Apache-2.0
#include "accepted_log.hpp"

#include "disk_watch.hpp"
#include "icos/core/log.hpp"
#include "icos/store/store.hpp"

#include <boost/crc.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace icos::agent {
namespace {

const Log kLog("agent.accepted_log");

constexpr std::string_view kMagic = "icos-accepted-1\n";
constexpr std::size_t kRecordHeader = 8;  // u32 length, u32 CRC-32C of the body, both little endian
constexpr std::uint64_t kCompactFrom = 1U << 20U;
constexpr std::uint64_t kGrowth = 4;
/// No record is larger than a message of the link.
constexpr std::uint32_t kMaxRecord = 16U << 20U;
/// kSealed: u32 length of the placement's id, the id, the sealed placement. kUpsert is its form in clear,
/// which earlier releases wrote; it is only read.
enum RecordKind : char { kUpsert = 'U', kSealed = 'S', kRemove = 'R', kCommit = 'C' };
constexpr std::size_t kIdLength = 4;

std::uint32_t checksum(std::string_view body) {
    boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
    crc.process_bytes(body.data(), body.size());
    return static_cast<std::uint32_t>(crc.checksum());
}

void put_u32(std::string& out, std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(value >> shift & 255U));
}

std::uint32_t get_u32(std::string_view bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
        value |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    return value;
}

void put_record(std::string& out, RecordKind kind, std::string_view payload) {
    std::string body(1, kind);
    body += payload;
    put_u32(out, static_cast<std::uint32_t>(body.size()));
    put_u32(out, checksum(body));
    out += body;
}

/// The body of the record at the beginning of `bytes`, or why there is none.
std::optional<std::string_view> next_body(std::string_view bytes, std::string& why) {
    if (bytes.size() < kRecordHeader) {
        why = "a record header is incomplete";
        return std::nullopt;
    }
    const std::uint32_t length = get_u32(bytes);
    if (length == 0 || length > kMaxRecord || bytes.size() - kRecordHeader < length) {
        why = "a record is incomplete";
        return std::nullopt;
    }
    const std::string_view body = bytes.substr(kRecordHeader, length);
    if (checksum(body) != get_u32(bytes.substr(4))) {
        why = "a checksum does not match";
        return std::nullopt;
    }
    return body;
}

/// A sealed placement cannot take another one's place: its id is part of what is authenticated.
std::string context_of(std::string_view id) {
    return "placement/" + std::string(id);
}

void put_placement(std::string& out, Runtime& runtime, const Seal& seal, const DesiredPlacement& placement) {
    const std::string& id = placement.placement.value;
    std::string payload;
    put_u32(payload, static_cast<std::uint32_t>(id.size()));
    payload += id;
    payload += seal.close(runtime, encode_placement(placement), context_of(id));
    put_record(out, kSealed, payload);
}

bool apply_placement(std::string_view json, AcceptedSet& set) {
    Result<DesiredPlacement> placement = decode_placement(json);
    if (placement.has_error()) return false;
    PlacementId id = placement->placement;
    set.insert_or_assign(std::move(id), std::move(*placement));
    return true;
}

bool apply_sealed(std::string_view payload, const Seal& seal, AcceptedSet& set, Replay& replay) {
    if (payload.size() < kIdLength) return false;
    const std::uint32_t length = get_u32(payload);
    payload.remove_prefix(kIdLength);
    if (payload.size() < length) return false;
    const std::string_view id = payload.substr(0, length);
    const Result<std::string> opened = seal.open(payload.substr(length), context_of(id));
    if (opened.has_error()) {
        replay.is_unreadable = true;
        return false;
    }
    return apply_placement(*opened, set);
}

/// Applies a record that is not a commit; false if its content makes no sense.
bool apply(std::string_view body, const Seal& seal, AcceptedSet& set, Replay& replay) {
    const std::string_view payload = body.substr(1);
    if (body[0] == kSealed) return apply_sealed(payload, seal, set, replay);
    if (body[0] == kUpsert) {
        replay.holds_clear = true;
        return apply_placement(payload, set);
    }
    if (body[0] == kRemove) {
        set.erase(PlacementId{std::string(payload)});
        return true;
    }
    return false;
}

}  // namespace

std::string accepted_log_header() {
    return std::string(kMagic);
}

std::string accepted_log_step(
    Runtime& runtime,
    const Seal& seal,
    const AcceptedSet& from,
    const AcceptedSet& to,
    const std::string& digest
) {
    std::string out;
    for (const auto& [id, placement] : from) {
        if (!to.contains(id)) put_record(out, kRemove, id.value);
    }
    for (const auto& [id, placement] : to) {
        const auto old = from.find(id);
        if (old == from.end() || old->second != placement) put_placement(out, runtime, seal, placement);
    }
    put_record(out, kCommit, digest);
    return out;
}

Replay replay_accepted_log(std::string_view bytes, const Seal& seal) {
    Replay replay;
    replay.digest = desired_digest({});
    if (!bytes.starts_with(kMagic)) {
        if (!bytes.empty()) replay.cut = "the file does not begin as an accepted log";
        return replay;
    }
    replay.end = kMagic.size();
    AcceptedSet working;
    std::size_t at = kMagic.size();
    while (at < bytes.size()) {
        const std::optional<std::string_view> body = next_body(bytes.substr(at), replay.cut);
        if (!body) return replay;
        at += kRecordHeader + body->size();
        if ((*body)[0] != kCommit) {
            if (!apply(*body, seal, working, replay)) {
                replay.cut = replay.is_unreadable
                                 ? "a record is sealed with another key than " + seal.key_id()
                                 : "a record is not understood";
                return replay;
            }
            continue;
        }
        // The digest also tells a commit record that an earlier, failed write left behind at just this
        // offset.
        std::string digest(body->substr(1));
        if (digest != desired_digest(working)) {
            replay.cut = "a commit record does not fit its set";
            return replay;
        }
        replay.set = working;
        replay.digest = std::move(digest);
        replay.end = at;
    }
    if (replay.end != bytes.size()) replay.cut = "a set was not committed";
    return replay;
}

struct AcceptedLog::OnDisk {
    Disk& disk;
    std::string directory;
    std::string path;
    std::unique_ptr<File> file;
    std::uint64_t end = 0;

    Result<Replay> open_and_replay(const Seal& seal) {
        Result<void> made = disk.make_directory(directory);
        if (made.has_error()) return made.error();
        std::string bytes;
        if (disk.exists(path)) {
            Result<std::string> read = disk.read_all(path);
            if (read.has_error()) return read.error();
            bytes = std::move(*read);
        }
        Replay replay = replay_accepted_log(bytes, seal);
        if (replay.is_unreadable) {
            // As if there were none; kept, because the right key may come back.
            replay.set.clear();
            replay.digest = desired_digest({});
            replay.end = 0;
        }
        if (replay.end == 0) {
            // New, or not ours: a fresh file, made durable together with its name.
            const std::string aside = path + (replay.is_unreadable ? ".unreadable" : ".damaged");
            if (!bytes.empty()) {
                Result<void> kept = disk.rename(path, aside);
                if (kept.has_error()) return kept.error();
            }
            Result<void> written = write_durably(disk, path, accepted_log_header());
            if (written.has_error()) return written.error();
            replay.end = kMagic.size();
        }
        Result<void> opened = reopen();
        if (opened.has_error()) return opened.error();
        end = replay.end;
        if (!replay.cut.empty()) {
            Result<void> cut = file->truncate(end);
            if (cut.has_error()) return cut.error();
        }
        // A process that was killed between write and sync left what was just read to the kernel alone:
        // nothing may be done by it, and nobody told of it, before it is durable.
        Result<void> synced = file->sync();
        if (synced.has_error()) return synced.error();
        synced = disk.sync_directory(directory);
        if (synced.has_error()) return synced.error();
        return replay;
    }

    Result<void> reopen() {
        Result<std::unique_ptr<File>> opened = disk.open(path);
        if (opened.has_error()) return opened.error();
        file = std::move(*opened);
        return {};
    }

    Result<void> append(const std::string& bytes) {
        if (!file) {
            Result<void> opened = reopen();
            if (opened.has_error()) return opened;
        }
        Result<void> written = file->write(end, bytes);
        if (!written.has_error()) written = file->sync();
        if (written.has_error() && written.error().code == store_errc::full &&
            give_up_reserve(disk, directory)) {
            written = file->write(end, bytes);
            if (!written.has_error()) written = file->sync();
        }
        if (written.has_error()) {
            // Give the space back; what remains would be cut at the next start anyway.
            (void)file->truncate(end);
            return written;
        }
        end += bytes.size();
        return {};
    }

    Result<void> replace(const std::string& bytes) {
        Result<void> written = write_durably(disk, path, bytes);
        if (written.has_error()) return written;
        file.reset();
        end = bytes.size();
        return reopen();
    }
};

AcceptedLog::AcceptedLog(Runtime& runtime, Disk& disk, std::string directory)
    : runtime_(runtime),
      disk_(std::make_shared<OnDisk>(OnDisk{disk, directory, directory + "/accepted.log", nullptr, 0})),
      digest_(desired_digest({})) {}
AcceptedLog::~AcceptedLog() = default;

Task<Result<void>> AcceptedLog::open(std::shared_ptr<const Seal> seal) {
    seal_ = std::move(seal);
    auto work = [state = disk_, key = seal_] { return state->open_and_replay(*key); };
    Result<Replay> replay = co_await offload(runtime_, Pool::storage, std::move(work));
    if (replay.has_error()) co_return replay.error();
    was_unreadable_ = replay->is_unreadable;
    if (was_unreadable_) {
        kLog.error(
            "the accepted log cannot be opened with this node's key and was put aside: the controller is "
            "asked "
            "for the set again, containers go on",
            {{"reason", replay->cut}, {"kept", "accepted.log.unreadable"}}
        );
    } else if (!replay->cut.empty()) {
        kLog.warning("the tail of the accepted log was cut", {{"reason", replay->cut}, {"at", replay->end}});
    }
    is_whole_ = replay->cut.empty() && replay->end > kMagic.size();
    size_ = disk_->end;
    set_ = std::move(replay->set);
    digest_ = std::move(replay->digest);
    if (replay->holds_clear) {
        kLog.info("the accepted log of an earlier release is written anew, sealed");
        co_await rewrite();
    }
    co_return Result<void>();
}

Task<Result<void>> AcceptedLog::accept(AcceptedSet next, std::string digest) {
    if (digest == digest_ && is_whole_) co_return Result<void>();
    std::string step = accepted_log_step(runtime_, *seal_, set_, next, digest);
    const std::uint64_t length = step.size();
    auto work = [state = disk_, bytes = std::move(step)] { return state->append(bytes); };
    Result<void> written = co_await offload(runtime_, Pool::storage, std::move(work));
    if (written.has_error()) co_return written;
    is_whole_ = true;
    size_ = disk_->end;
    bytes_written_ += length;
    set_ = std::move(next);
    digest_ = std::move(digest);
    co_await compact_if_grown();
    co_return Result<void>();
}

Task<> AcceptedLog::compact_if_grown() {
    if (size_ < kCompactFrom) co_return;
    std::uint64_t live = 0;
    for (const auto& [id, placement] : set_) live += encode_placement(placement).size() + Seal::kOverhead;
    if (size_ >= kGrowth * live) co_await rewrite();
}

Task<> AcceptedLog::rewrite() {
    std::string whole = accepted_log_header() + accepted_log_step(runtime_, *seal_, {}, set_, digest_);
    const std::uint64_t length = whole.size();
    auto work = [state = disk_, bytes = std::move(whole)] { return state->replace(bytes); };
    const Result<void> replaced = co_await offload(runtime_, Pool::storage, std::move(work));
    if (replaced.has_error()) {
        // The long log is as good as the short one; the next accepted set tries again.
        kLog.warning("the accepted log could not be compacted", replaced.error());
        co_return;
    }
    size_ = disk_->end;
    bytes_written_ += length;
    ++compactions_;
}

}  // namespace icos::agent
