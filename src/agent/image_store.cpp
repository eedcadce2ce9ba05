// SPDX-License-Identifier: Apache-2.0
#include "image_store.hpp"

#include "icos/core/log.hpp"

#include <cstdio>

namespace icos::agent {
namespace {

const Log kLog("agent.images");
constexpr std::size_t kPullsAtOnce = 3;
/// How often a waiting placement looks whether it is still wanted, and shows progress.
constexpr Duration kLook{1'000};

bool fits(const std::string& image, const std::string& engine) {
    if (image.empty() || engine.empty() || image == engine) return true;
    // Engines run the narrower one as well.
    return (engine == "x86_64" && (image == "386" || image == "i386")) ||
           (engine == "arm64" && image.starts_with("arm"));
}

std::string megabytes(std::uint64_t bytes) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.1f", static_cast<double>(bytes) / 1e6);
    return text;
}

}  // namespace

std::string pull_progress_text(const std::string& reference, std::uint64_t current, std::uint64_t total) {
    std::string text = "pulling " + reference;
    if (total == 0) return text;
    return text + " " + std::to_string(current * 100 / total) + " % (" + megabytes(current) + " of " +
           megabytes(total) + " MB)";
}

ImageStore::ImageStore(Runtime& runtime, Engine& engine, NodeRecords& records)
    : runtime_(runtime),
      engine_(engine),
      records_(records),
      slots_(runtime, kPullsAtOnce),
      pulls_group_(runtime) {}

Task<Result<ImageStore::Staged>> ImageStore::find(std::shared_ptr<ImageStore> self, std::string reference) {
    Result<ImageState> found = co_await self->engine_.image(reference);
    if (found.has_value()) co_return Staged{reference, std::move(*found)};
    if (found.error().code != engine_errc::image_not_found) co_return found.error();
    std::string id = self->records_.image_of(reference);
    if (id.empty()) co_return found.error();
    Result<ImageState> by_id = co_await self->engine_.image(id);
    if (by_id.has_value()) co_return Staged{std::move(id), std::move(*by_id)};
    co_return found.error();
}

Task<Result<ImageStore::Staged>> ImageStore::ensure(
    std::shared_ptr<ImageStore> self, Wish wish, Report report, Wanted wanted
) {
    const std::string reference = wish.reference;
    Result<Staged> staged = co_await find(self, reference);
    const bool absent = staged.has_error() && staged.error().code == engine_errc::image_not_found;
    if (staged.has_error() && !absent) co_return staged;
    if (absent && wish.policy == "never") {
        co_return Error{
            engine_errc::image_not_found,
            "image '" + reference + "' is not on the node and `pull: never` forbids to get it",
            "load the image on the node, or use `pull: missing`"
        };
    }
    if (absent && self->may_pull_) {
        // With `always`, what is there serves while nothing newer can be had.
        const Result<void> allowed = self->may_pull_();
        if (allowed.has_error()) {
            ++self->pulls_refused_;
            co_return Error{
                allowed.error().code,
                "image '" + reference + "' is not pulled: " + allowed.error().detail,
                allowed.error().hint
            };
        }
    }
    if (absent || (wish.policy == "always" && (!self->may_pull_ || self->may_pull_().has_value()))) {
        const std::string key = reference + '\n' + wish.auth;
        std::shared_ptr<Pull>& slot = self->pulls_[key];
        if (!slot) {
            slot = std::make_shared<Pull>(self->runtime_);
            self->pulls_group_.spawn("agent.pull", ImageStore::pull(self, slot, reference, wish.auth));
        }
        const std::shared_ptr<Pull> running = slot;
        while (!running->done) {
            if (!wanted())
                co_return Error{errc::cancelled, "image '" + reference + "' is not wanted any more"};
            report(pull_progress_text(reference, running->current, running->total));
            co_await running->changed.wait_for(kLook);
        }
        if (running->result.has_error()) co_return running->result.error();
        staged = co_await find(self, reference);
        if (staged.has_error()) co_return staged;
        self->records_.set_image(reference, staged->image.id);
    }
    if (!fits(staged->image.architecture, wish.architecture)) {
        co_return Error{
            engine_errc::wrong_architecture,
            "image '" + reference + "' is for " + staged->image.architecture + ", this node is " +
                wish.architecture,
            "use an image for " + wish.architecture + ", or `architecture` in the descriptor"
        };
    }
    co_return staged;
}

Task<> ImageStore::pull(
    std::shared_ptr<ImageStore> self, std::shared_ptr<Pull> pull, std::string reference, std::string auth
) {
    const std::string key = reference + '\n' + auth;
    const Slots::Ticket ticket = co_await self->slots_.take();
    ++self->pulls_started_;
    kLog.info("pulling", {{"image", reference}});
    PullProgress progress = [pull](std::uint64_t current, std::uint64_t total) {
        pull->current = current;
        pull->total = total;
    };
    Result<void> result = co_await self->engine_.pull(reference, std::move(auth), std::move(progress));
    if (result.has_error()) kLog.warning("pull failed", result.error());
    pull->result = std::move(result);
    pull->done = true;
    self->pulls_.erase(key);
    pull->changed.notify();
}

}  // namespace icos::agent
