// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/async/task_group.hpp"
#include "icos/http/router.hpp"
#include "icos/store/store.hpp"
#include "job_service.hpp"

#include <boost/json/array.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

/// Routes of docs/api/native.md, chapters Applications and Events. Handlers parse, ask the service and
/// serialise. References must outlive the router's use.
namespace icos::job_manager {

void add_app_routes(http::Router& router, Runtime& runtime, JobService& service);
void add_generation_routes(http::Router& router, JobService& service);
void add_credential_routes(http::Router& router, JobService& service);
void add_list_routes(http::Router& router, Runtime& runtime, Store& store, JobService& service);
void add_event_routes(http::Router& router, Runtime& runtime, Store& store, TaskGroup& tasks);
void add_log_routes(http::Router& router, Runtime& runtime, JobService& service, TaskGroup& tasks);
void add_exec_routes(
    http::Router& router, Runtime& runtime, Store& store, JobService& service, TaskGroup& tasks
);

/// What is answered for a descriptor's text: secrets masked, or with `?reveal` as it is, for administrators
/// and recorded. auth.forbidden, app.not_maskable.
Task<Result<std::string>> shown_text(
    JobService& service, http::Request request, std::uint64_t generation, std::string text
);
std::string project_of(const http::Request& request);
std::optional<std::string> if_match(const http::Request& request);
/// What applying answers: docs/api/native.md, PUT /api/v1/apps/{name}.
http::Response to_response(ApplyAnswer answer);
/// A number of the query, at most `most`; app.invalid_query if it is none.
Result<std::optional<std::uint64_t>> number_in_query(
    const http::Request& request, std::string_view key, std::uint64_t most
);
/// `since`, `at`: RFC 3339, or a duration before now.
Result<std::optional<WallTime>> time_in_query(
    const http::Request& request, std::string_view key, WallTime now
);

/// One page of `items`, which come with ascending keys: those after `?after=`, at most `?limit=` (1000 by
/// default).
class Page {
public:
    static Result<Page> of(const http::Request& request);
    /// False once the page is full.
    bool wants(const std::string& key);
    void add(const std::string& key, boost::json::object item);
    http::Response response();

private:
    std::size_t limit_ = 1000;
    std::string after_{};
    bool is_cut_ = false;
    std::string last_{};
    boost::json::array items_{};
};

}  // namespace icos::job_manager
