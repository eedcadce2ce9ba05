// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/core/time.hpp"
#include "icos/ports/executor.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace icos::fleet {

/// The controller's half of the conversation about one link's desired set: what to send next. One set is on
/// its way at a time and the latest plan wins, so nothing queues up behind a slow node. No I/O, no clock.
///
/// idle -(plan differs from what the node has)-> on its way -(accepted)-> idle; a problem, a request to
/// resend and silence lead back to idle with a delay, the latter two to a whole set instead of a step.
class DesiredSync {
public:
    /// `accepted` is the digest that the node said hello with.
    DesiredSync(std::string accepted, Duration accept_time);

    void offer(std::shared_ptr<const TargetPlan> plan);
    /// The node has this set; with a problem it kept the one before and is asked again from `retry_at`.
    void accepted(const std::string& digest, bool problem, BootTime retry_at);
    /// The node cannot apply the step it got.
    void resend(BootTime not_before);

    struct Step {
        std::optional<agent::Desired> send;
        std::optional<std::string> confirm;  ///< the node has the plan, and was not told so: its digest
        std::optional<BootTime> look_again;  ///< when waiting alone changes the answer
    };
    /// What to do now. A set to send counts as sent. Plans newer than `durable_version` wait.
    Step next(BootTime now, std::uint64_t durable_version);

    const std::string& accepted_digest() const noexcept { return accepted_; }
    std::uint64_t repeats() const noexcept { return repeats_; }  ///< sets sent again because no answer came

private:
    std::shared_ptr<const TargetPlan> plan_;  ///< latest offer; nullptr: nobody said yet what it shall run
    std::shared_ptr<const TargetPlan> base_;  ///< what the node has, if known
    std::shared_ptr<const TargetPlan> in_flight_;  ///< sent, not yet accepted
    std::string accepted_;
    Duration accept_time_;
    std::string told_;  ///< the node knows that this digest was the plan's
    BootTime sent_at_{};
    BootTime not_before_{};
    std::uint64_t repeats_ = 0;
};

/// The step from one plan to another, or with no `from` the whole set.
agent::Desired make_desired(const TargetPlan* from, const TargetPlan& to);

}  // namespace icos::fleet
