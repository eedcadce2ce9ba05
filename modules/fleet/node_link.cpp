// SPDX-License-Identifier: Apache-2.0
#include "node_link.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace icos::fleet {
namespace {

Task<> write_control(std::shared_ptr<NodeLink> link, std::string message, bool* done) {
    const Result<void> written = co_await link->session.control().write(std::move(message));
    *done = written.has_value();
}

Task<> read_control(std::shared_ptr<NodeLink> link, std::optional<Result<std::optional<std::string>>>* out) {
    Result<std::optional<std::string>> message = co_await link->session.control().read();
    out->emplace(std::move(message));
}

class ChannelStream final : public NodeStream {
public:
    explicit ChannelStream(std::shared_ptr<link::Channel> channel) : channel_(std::move(channel)) {}
    ~ChannelStream() override { channel_->reset("the reader went away"); }
    ChannelStream(const ChannelStream&) = delete;
    ChannelStream& operator=(const ChannelStream&) = delete;

    Task<Result<std::optional<std::string>>> read() override { return channel_->read(); }
    Task<Result<void>> write(std::string message) override { return channel_->write(std::move(message)); }
    void finish() override { channel_->finish(); }
    void close() override { channel_->reset("closed"); }

private:
    std::shared_ptr<link::Channel> channel_;
};

}  // namespace

NodeLink::NodeLink(Runtime& r, std::unique_ptr<http::FrameStream> stream)
    : runtime(r),
      remote(stream->remote()),
      session(
          r,
          std::move(stream),
          link::Session::Side::accepting,
          // Agents open no channels yet; a refused kind is never fatal.
          [](const std::shared_ptr<link::Channel>&) { return false; }
      ),
      wake(r) {}

void NodeLink::close() {
    if (closed) return;
    closed = true;
    session.close();
    wake.notify();
}

Task<bool> NodeLink::send(std::shared_ptr<NodeLink> self, std::string message, Duration limit) {
    bool done = false;
    Task<> write = write_control(self, std::move(message), &done);
    const bool in_time = co_await finish_within(self->runtime, limit, std::move(write));
    if (!in_time || !done) self->close();
    co_return in_time&& done;
}

Task<Result<agent::Hello>> NodeLink::read_hello(std::shared_ptr<NodeLink> self, Duration limit) {
    std::optional<Result<std::optional<std::string>>> read;
    Task<> reading = read_control(self, &read);
    const bool in_time = co_await finish_within(self->runtime, limit, std::move(reading));
    if (!in_time || !read) {
        co_return Error{link::errc::timed_out, "no hello within " + format_duration(limit)};
    }
    if (read->has_error()) co_return read->error();
    const std::optional<std::string>& message = read->value();
    if (!message) co_return Error{link::errc::closed, "the agent ended the link before its hello"};
    if (agent::message_type(*message) != "hello")
        co_return Error{link::errc::protocol, "the first message is not a hello"};
    co_return agent::decode<agent::Hello>(*message);
}

std::unique_ptr<NodeStream> make_node_stream(std::shared_ptr<link::Channel> channel) {
    return std::make_unique<ChannelStream>(std::move(channel));
}

std::string encode_refusal(const Error& error) {
    return boost::json::serialize(boost::json::object{
        {"type", "refused"},
        {"code", stable_code(error)},
        {"detail", error.detail},
        {"hint", error.hint},
    });
}

}  // namespace icos::fleet
