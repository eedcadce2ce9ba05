// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/http/client.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace icos::http {

/// Turns bytes into one response, piece by piece. Pure.
class ResponseParser {
public:
    /// `expects_upgrade`: 101, or Docker's 200 without a framed body, ends HTTP on the connection.
    ResponseParser(bool expects_upgrade, bool is_head);
    ~ResponseParser();
    ResponseParser(const ResponseParser&) = delete;
    ResponseParser& operator=(const ResponseParser&) = delete;

    /// Consumes from `bytes` and returns how many; stops behind the head. http.bad_response.
    Result<std::size_t> feed(std::string_view bytes);
    /// Tells that the connection ended. http.closed if that was too early.
    Result<void> feed_end();
    bool has_head() const;
    bool has_begun() const;
    bool is_done() const;
    bool keeps_alive() const;
    /// Everything behind the head is raw bytes.
    bool is_raw() const;
    unsigned status() const;
    Headers headers() const;
    /// Body bytes parsed since the last call.
    std::string take_piece();
    std::size_t piece_size() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The bytes of a request; sets Host, Content-Length, and Connection unless given.
std::string serialise_request(const ClientRequest& request, const Endpoint& endpoint);
/// The Host header's value.
std::string host_of(const Endpoint& endpoint);

}  // namespace icos::http
