// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/asio/awaitable.hpp>

namespace icos {
/// A coroutine. Lazy: it starts when awaited or spawned. Parameters by value, see CONTRIBUTING.
template <class T = void>
using Task = boost::asio::awaitable<T>;
}  // namespace icos
