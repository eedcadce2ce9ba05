// SPDX-License-Identifier: Apache-2.0
#include "desired_sync.hpp"

namespace icos::fleet {
namespace {

/// A plan made from a version that is still being written comes up again this soon.
constexpr Duration kDurabilityPoll{50};

}  // namespace

agent::Desired make_desired(const TargetPlan* from, const TargetPlan& to) {
    agent::Desired out;
    out.digest = to.digest;
    out.version = to.version;
    if (from != nullptr) out.base = from->digest;
    for (const auto& [id, placement] : to.set) {
        if (from != nullptr) {
            const auto before = from->set.find(id);
            if (before != from->set.end() && before->second == placement) continue;
        }
        out.upsert.push_back(placement);
    }
    if (from != nullptr) {
        for (const auto& [id, placement] : from->set) {
            if (!to.set.contains(id)) out.remove.push_back(id);
        }
    }
    return out;
}

DesiredSync::DesiredSync(std::string accepted, Duration accept_time)
    : accepted_(std::move(accepted)), accept_time_(accept_time) {}

void DesiredSync::offer(std::shared_ptr<const TargetPlan> plan) {
    plan_ = std::move(plan);
    if (plan_ && !base_ && plan_->digest == accepted_) base_ = plan_;
}

void DesiredSync::accepted(const std::string& digest, bool problem, BootTime retry_at) {
    if (problem) {
        in_flight_.reset();
        not_before_ = retry_at;
        return;
    }
    if (digest != accepted_) base_.reset();
    if (in_flight_ && in_flight_->digest == digest) {
        base_ = std::move(in_flight_);
        in_flight_.reset();
        told_ = digest;
    }
    accepted_ = digest;
}

void DesiredSync::resend(BootTime not_before) {
    base_.reset();
    in_flight_.reset();
    accepted_.clear();
    not_before_ = not_before;
}

DesiredSync::Step DesiredSync::next(BootTime now, std::uint64_t durable_version) {
    if (in_flight_) {
        if (now < sent_at_ + accept_time_) {
            Step wait;
            wait.look_again = sent_at_ + accept_time_;
            return wait;
        }
        ++repeats_;
        resend(now);
    }
    if (!plan_) return {};
    Step step;
    const bool is_held = plan_->digest == accepted_;
    if (is_held) base_ = plan_;
    if (is_held && told_ == accepted_) return step;
    if (!is_held && now < not_before_) {
        step.look_again = not_before_;
        return step;
    }
    if (plan_->version > durable_version) {
        step.look_again = now + kDurabilityPoll;
        return step;
    }
    if (is_held) {
        told_ = accepted_;
        step.confirm = told_;
        return step;
    }
    step.send = make_desired(base_.get(), *plan_);
    in_flight_ = plan_;
    sent_at_ = now;
    return step;
}

}  // namespace icos::fleet
