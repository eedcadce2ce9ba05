// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/engine.hpp"
#include "icos/async/runtime.hpp"
#include "icos/http/client.hpp"

#include <boost/json/value.hpp>

#include <initializer_list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace icos::agent {

/// Deadline of calls that wait for a disk, a process or a registry.
inline constexpr Duration kSlow{120'000};

/// One call of the Engine API. `path` comes without the version.
struct ApiCall {
    http::Method method = http::Method::get;
    std::string path;
    std::string body{};
    std::string doing;  ///< for errors: "start container 'x'"
    Duration deadline{30'000};
    std::string content_type = "application/json";
    http::Headers headers{};
    std::set<unsigned> fine_too{};  ///< statuses from 400 on that are no error for this call
};

/// The connection to an engine: version negotiation, deadlines, errors. Shared by the engine and the streams
/// it handed out. Loop-confined.
class DockerApi {
public:
    DockerApi(Runtime& runtime, std::string socket);

    Runtime& runtime() noexcept { return runtime_; }
    /// Asks the engine what it is and settles the version to speak.
    static Task<Result<EngineInfo>> negotiate(std::shared_ptr<DockerApi> self);
    static Task<Result<http::ClientResponse>> call(std::shared_ptr<DockerApi> self, ApiCall call);
    /// As call(), with the body as JSON.
    static Task<Result<boost::json::value>> json(std::shared_ptr<DockerApi> self, ApiCall call);
    /// The answer's body as a stream; other statuses than 200 and 101 are errors.
    static Task<Result<std::unique_ptr<http::ClientStream>>> stream(
        std::shared_ptr<DockerApi> self, ApiCall call
    );
    /// What a broken connection stands for. Forgets the version: the engine may come back as another one.
    Error broken(const Error& cause);

private:
    http::ClientRequest request(ApiCall& call) const;
    static Task<Result<void>> ensure_version(std::shared_ptr<DockerApi> self);

    Runtime& runtime_;
    std::string socket_;
    http::Client client_;
    std::string version_;  ///< "1.43"; empty: not negotiated yet
};

/// "container 'web'", for errors.
std::string quoted(std::string_view what, std::string_view name);
/// "/containers/<id><rest>".
std::string container_path(std::string_view id, std::string_view rest);
/// "?a=b&c=d" with encoded values; an empty value leaves the key out.
std::string api_query(std::initializer_list<std::pair<std::string_view, std::string>> values);
/// An image reference as part of a path: '/', ':' and '@' stay.
std::string image_path(std::string_view reference);

}  // namespace icos::agent
