// SPDX-License-Identifier: Apache-2.0
#include "api.hpp"
#include "run_task.hpp"

#include <catch2/catch.hpp>

#include <deque>

using namespace icos;
using namespace icos::shell;

namespace {

/// A body that arrives in the given pieces.
class PieceStream final : public http::ClientStream {
public:
    explicit PieceStream(std::deque<std::string> pieces) : pieces_(std::move(pieces)) {}
    Task<Result<std::optional<std::string>>> next() override {
        if (pieces_.empty()) co_return std::optional<std::string>{};
        std::string piece = std::move(pieces_.front());
        pieces_.pop_front();
        co_return std::optional<std::string>{std::move(piece)};
    }
    Task<Result<void>> write(std::string) override { co_return Result<void>{}; }
    Result<void> shutdown_write() override { return {}; }
    void close() override {}

private:
    std::deque<std::string> pieces_;
};

Task<std::vector<std::string>> read_all(std::deque<std::string> pieces) {
    EventReader reader(std::make_unique<PieceStream>(std::move(pieces)));
    std::vector<std::string> seen;
    for (;;) {
        const auto event = co_await reader.next();
        if (event.has_error() || !*event) co_return seen;
        seen.push_back((*event)->name + "|" + (*event)->id + "|" + (*event)->data);
    }
}

}  // namespace

TEST_CASE("an event cut anywhere is put together again", "[shell]") {
    const auto seen =
        test::run(read_all({"eve", "nt: app\nid: 7\nda", "ta: {\"a\":1}\n", "\nevent: deleted\ndata:\n\n"}));

    CHECK(seen == std::vector<std::string>{"app|7|{\"a\":1}", "deleted||"});
}

TEST_CASE("keep-alive comments are no events and data lines are joined", "[shell]") {
    const auto seen = test::run(read_all({": still here\n\ndata: one\r\ndata: two\r\n\r\n"}));

    CHECK(seen == std::vector<std::string>{"||one\ntwo"});
}
