// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/async/task.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <typeindex>

namespace icos {

/// What a full subscription does with one more message.
enum class Overflow { drop_oldest, drop_newest };

/// Typed publish/subscribe between modules. Messages are facts (include/icos/messages), immutable and shared.
/// publish() never runs a subscriber inline; each subscriber has a bounded FIFO of its own and handles one
/// message at a time. Loop-confined.
class Bus {
public:
    explicit Bus(Runtime& runtime);
    ~Bus();
    Bus(const Bus&) = delete;
    Bus& operator=(const Bus&) = delete;

    template <class M>
    void publish(M message) {
        publish_erased(typeid(M), std::make_shared<const M>(std::move(message)));
    }
    /// The subscription ends when the token goes. `name` appears in the drop counter and in logs.
    template <class M>
    [[nodiscard]] std::shared_ptr<void> subscribe(
        std::string name,
        std::size_t capacity,
        Overflow overflow,
        std::function<Task<>(std::shared_ptr<const M>)> handler
    ) {
        return subscribe_erased(
            typeid(M),
            std::move(name),
            capacity,
            overflow,
            [handler = std::move(handler)](std::shared_ptr<const void> m) {
                return handler(std::static_pointer_cast<const M>(std::move(m)));
            }
        );
    }
    /// Messages dropped so far, all subscriptions together.
    std::uint64_t dropped() const noexcept;
    /// Cancels the subscribers' running handlers and waits for them.
    Task<> stop(Duration deadline);

private:
    using ErasedHandler = std::function<Task<>(std::shared_ptr<const void>)>;
    void publish_erased(std::type_index type, std::shared_ptr<const void> message);
    std::shared_ptr<void> subscribe_erased(
        std::type_index, std::string, std::size_t, Overflow, ErasedHandler
    );
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace icos
