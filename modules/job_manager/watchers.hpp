// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/ids.hpp"
#include "icos/http/event_stream.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace icos::job_manager {

/// Those who follow one application: clients of `?watch` and followed logs. Loop-confined.
class Watchers {
public:
    void watch(const AppId& app, const std::shared_ptr<http::EventStream>& stream);
    /// Calls `on_change` after each change of the application, until the token goes.
    [[nodiscard]] std::shared_ptr<void> listen(const AppId& app, std::function<void()> on_change);

    bool has(const AppId& app) const;
    /// `render` is called only if somebody watches.
    void changed(const AppId& app, const std::function<std::string()>& render);
    void deleted(const AppId& app, const std::string& data);
    /// Ends every stream.
    void end();

private:
    std::multimap<AppId, std::weak_ptr<http::EventStream>> streams_;
    std::multimap<AppId, std::weak_ptr<std::function<void()>>> listeners_;
};

}  // namespace icos::job_manager
