// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/http/message.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace icos::link {

/// link.closed, link.protocol (the other side broke the framing), link.refused (unknown channel kind),
/// link.reset (the channel was ended by the other side, with its reason), link.too_large, link.timed_out (no
/// frame for 15 s).
enum class errc { closed = 1, protocol, refused, reset, too_large, timed_out };
const ErrorDomain& link_domain() noexcept;
inline boost::system::error_code make_error_code(errc e) noexcept {
    return {static_cast<int>(e), link_domain()};
}

inline constexpr std::size_t kMaxFrame = 16U << 10U;    ///< bytes on the wire, header included
inline constexpr std::size_t kMaxMessage = 16U << 20U;  ///< one channel message, reassembled
inline constexpr std::uint32_t kInitialCredit =
    256U << 10U;                             ///< bytes a side may send before the other grants more
inline constexpr std::uint8_t kVersion = 1;  ///< N; N-2 is still understood

/// Frame: u8 version, u8 type, u16 reserved (0), u32 channel (big endian), then the payload.
/// Types: 0 open {kind, NUL, json args}, 1 data, 2 data that ends a message, 3 credit (u32 bytes), 4 finish
/// (no more messages from this side), 5 reset (utf-8 reason), 6 ping (8 bytes), 7 pong (the same 8 bytes).
/// Credit is per channel and direction; a data frame costs its whole length, header included. Channel ids:
/// odd from the dialling side, even from the accepting side; 0 is the control channel, always open. Control
/// frames go before the frames of other channels; other channels take turns.

/// One ordered, flow-controlled stream of messages inside a session. Loop-confined. Keep it by shared_ptr.
class Channel {
public:
    virtual ~Channel() = default;
    virtual const std::string& kind() const = 0;
    virtual const std::string& arguments() const = 0;  ///< JSON text of the open frame
    /// Next message; nullopt once the other side finished.
    virtual Task<Result<std::optional<std::string>>> read() = 0;
    /// Resumes when the message is handed to the wire: waits for credit.
    virtual Task<Result<void>> write(std::string message) = 0;
    virtual void finish() = 0;
    virtual void reset(std::string reason) = 0;
};

/// Multiplexes channels over one FrameStream, keeps it alive (ping after 5 s of silence, dead after 15 s) and
/// tells when it ends. Loop-confined.
class Session {
public:
    enum class Side { dialling, accepting };
    /// Called for each channel the other side opens. Returning false refuses its kind; never fatal.
    using OnChannel = std::function<bool(std::shared_ptr<Channel>)>;

    Session(Runtime& runtime, std::unique_ptr<http::FrameStream> stream, Side side, OnChannel on_channel);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// Pumps until the connection ends; returns why. Run it once, in a TaskGroup.
    Task<Error> run();
    /// The control channel: JSON messages, sent before everything else.
    Channel& control();
    std::shared_ptr<Channel> open(std::string kind, std::string arguments_json);
    /// Round trip of the last ping, or nullopt.
    std::optional<Duration> round_trip() const;
    /// Sends a ping now and waits for the pong: false if none came within `limit`.
    Task<bool> ping(Duration limit);
    void close();
    struct Counters {
        std::uint64_t bytes_in = 0, bytes_out = 0, frames_in = 0, frames_out = 0;
    };
    Counters counters() const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace icos::link

template <>
struct boost::system::is_error_code_enum<icos::link::errc> : std::true_type {};
