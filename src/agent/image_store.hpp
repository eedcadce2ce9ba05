// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/engine.hpp"
#include "icos/async/runtime.hpp"
#include "icos/async/signal.hpp"
#include "icos/async/task_group.hpp"
#include "join_work.hpp"
#include "node_records.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace icos::agent {

/// "pulling demo/web:1 38 % (4.1 of 10.8 MB)"; without figures while they are unknown.
std::string pull_progress_text(const std::string& reference, std::uint64_t current, std::uint64_t total);

/// Brings images onto the node. What is present is never asked of a registry: a reference is present if the
/// engine has it, or if it has the image that this agent once pulled for it. Two placements that want one
/// image share its pull. Loop-confined; keep it by shared_ptr.
class ImageStore : public std::enable_shared_from_this<ImageStore> {
public:
    ImageStore(Runtime& runtime, Engine& engine, NodeRecords& records);

    struct Wish {
        std::string reference;
        std::string policy;  ///< always | missing | never
        std::string auth;
        std::string architecture;  ///< of the engine; empty = not checked
    };
    struct Staged {
        std::string use;  ///< what to write into the container's body: the reference, or the image's id
        ImageState image;
    };
    using Report = std::function<void(std::string progress)>;
    using Wanted = std::function<bool()>;  ///< false: the caller wants something else by now

    /// core.cancelled once `wanted` says no; the pull itself goes on for the next to ask.
    static Task<Result<Staged>> ensure(
        std::shared_ptr<ImageStore> self, Wish wish, Report report, Wanted wanted
    );
    /// Asked before each pull: an error refuses it. Empty: everything may be pulled.
    void set_permission(std::function<Result<void>()> permission) { may_pull_ = std::move(permission); }
    std::uint64_t refused() const noexcept { return pulls_refused_; }
    void cancel() { pulls_group_.cancel(); }
    Task<bool> stop(Duration deadline) { return pulls_group_.stop(deadline); }
    std::uint64_t pulls() const noexcept { return pulls_started_; }

private:
    struct Pull {
        explicit Pull(Runtime& runtime) : changed(runtime) {}
        bool done = false;
        Result<void> result{};
        std::uint64_t current = 0;
        std::uint64_t total = 0;
        Signal changed;
    };
    static Task<Result<Staged>> find(std::shared_ptr<ImageStore> self, std::string reference);
    static Task<> pull(
        std::shared_ptr<ImageStore> self, std::shared_ptr<Pull> pull, std::string reference, std::string auth
    );

    Runtime& runtime_;
    Engine& engine_;
    NodeRecords& records_;
    Slots slots_;
    std::map<std::string, std::shared_ptr<Pull>> pulls_;
    TaskGroup pulls_group_;
    std::uint64_t pulls_started_ = 0;
    std::uint64_t pulls_refused_ = 0;
    std::function<Result<void>()> may_pull_;
};

}  // namespace icos::agent
