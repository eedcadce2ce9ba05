// SPDX-License-Identifier: Apache-2.0
#include "icos/async/task_group.hpp"

#include "async/waiter.hpp"
#include "icos/core/log.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <set>
#include <string>
#include <vector>

namespace icos {
namespace asio = boost::asio;

namespace {

struct Child {
    std::string name;
    std::uint64_t number = 0;
    asio::cancellation_signal cancel{};
    bool has_ended = false;
};

struct ByNumber {
    bool operator()(const std::shared_ptr<Child>& a, const std::shared_ptr<Child>& b) const {
        return a->number < b->number;  // not by address: the order of cancellation has to be reproducible
    }
};

void log_failure(const Child& child, const std::exception_ptr& failure) {
    if (!failure) return;
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        if (error.code() == asio::error::operation_aborted) return;
        Log("tasks").error("a task ended with an error", {{"task", child.name}, {"reason", error.what()}});
    } catch (const std::exception& error) {
        Log("tasks").error("a task ended with an error", {{"task", child.name}, {"reason", error.what()}});
    } catch (...) {
        Log("tasks").error("a task ended with an unknown exception", {{"task", child.name}});
    }
}

}  // namespace

struct TaskGroup::Impl {
    explicit Impl(Runtime& r) : runtime(r) {}

    Runtime& runtime;
    std::set<std::shared_ptr<Child>, ByNumber> children;
    std::vector<std::shared_ptr<detail::Waiter>> drained;
    std::uint64_t next_number = 0;
    bool is_stopping = false;

    static void end(const std::shared_ptr<Impl>& self, const std::shared_ptr<Child>& child) {
        child->has_ended = true;
        self->children.erase(child);
        if (!self->children.empty()) return;
        const auto woken = std::move(self->drained);
        self->drained.clear();
        for (const auto& waiter : woken) waiter->wake();
    }

    static void start(const std::shared_ptr<Impl>& self, const std::shared_ptr<Child>& child, Task<> task) {
        if (self->is_stopping) {
            end(self, child);
            return;
        }
        auto on_end = [self, child](std::exception_ptr failure) {
            log_failure(*child, failure);
            end(self, child);
        };
        asio::co_spawn(
            self->runtime.loop(), std::move(task), asio::bind_cancellation_slot(child->cancel.slot(), on_end)
        );
    }

    void cancel_all() {
        is_stopping = true;
        const std::vector<std::shared_ptr<Child>> running(children.begin(), children.end());
        for (const auto& child : running) {
            // On the loop this emits at once; from elsewhere (a destructor after the loop ended) only the
            // loop may.
            asio::dispatch(runtime.loop(), [child] {
                if (!child->has_ended) child->cancel.emit(asio::cancellation_type::terminal);
            });
        }
    }

    static Task<bool> wait_drained(std::shared_ptr<Impl> self, Duration deadline) {
        if (self->children.empty()) co_return true;
        const auto waiter = std::make_shared<detail::Waiter>(self->runtime);
        self->drained.push_back(waiter);
        std::function<void()> on_time = [waiter] { waiter->wake(); };
        const std::unique_ptr<Timer> timer = self->runtime.schedule(deadline, std::move(on_time));
        co_await detail::Waiter::wait(waiter);
        co_return self->children.empty();
    }
};

TaskGroup::TaskGroup(Runtime& runtime) : impl_(std::make_shared<Impl>(runtime)) {}

TaskGroup::~TaskGroup() {
    impl_->cancel_all();
}

void TaskGroup::spawn(std::string_view name, Task<> task) {
    if (impl_->is_stopping) return;
    auto child = std::make_shared<Child>();
    child->name = name;
    child->number = impl_->next_number++;
    impl_->children.insert(child);
    asio::post(impl_->runtime.loop(), [impl = impl_, child, task = std::move(task)]() mutable {
        Impl::start(impl, child, std::move(task));
    });
}

void TaskGroup::cancel() {
    impl_->cancel_all();
}

Task<bool> TaskGroup::stop(Duration deadline) {
    impl_->cancel_all();
    return Impl::wait_drained(impl_, deadline);
}

std::size_t TaskGroup::size() const noexcept {
    return impl_->children.size();
}

}  // namespace icos
