// SPDX-License-Identifier: Apache-2.0
#include "agent/node_records.hpp"

#include "icos/async/task_group.hpp"
#include "manual_runtime.hpp"
#include "memory_disk.hpp"
#include "run_task.hpp"

#include <catch2/catch.hpp>

using namespace icos;

namespace {

Task<> cancel(TaskGroup& tasks) {
    tasks.cancel();
    co_return;
}

Task<> stop(TaskGroup& tasks) {
    REQUIRE(co_await tasks.stop(Duration(1000)));
}

}  // namespace

TEST_CASE("a save that is cancelled amid its write keeps nobody else from saving", "[agent]") {
    test::ManualRuntime runtime;
    test::MemoryDisk disk;
    agent::NodeRecords records(runtime, disk, "/state");
    test::run(runtime, records.open());
    records.set_interrupted("one", true);
    {
        // The engine took so long that there was no more time for it.
        TaskGroup tasks(runtime);
        TaskGroup canceller(runtime);
        tasks.spawn("save", records.save());
        canceller.spawn("cancel", cancel(tasks));
        runtime.run_until_idle();
        test::run(runtime, stop(tasks));
        test::run(runtime, stop(canceller));
    }
    records.set_interrupted("two", true);

    test::run(runtime, records.save());

    agent::NodeRecords again(runtime, disk, "/state");
    test::run(runtime, again.open());
    CHECK(again.was_interrupted("one"));
    CHECK(again.was_interrupted("two"));
}
