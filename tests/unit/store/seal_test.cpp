// SPDX-License-Identifier: Apache-2.0
#include "icos/store/disk.hpp"
#include "memory_disk.hpp"
#include "store_world.hpp"

#include <catch2/catch.hpp>
#include <sqlite3.h>

#include <fstream>
#include <iterator>

using namespace icos;
using icos::test::ManualRuntime;
using icos::test::MemoryDisk;
using icos::test::StoreWorld;

namespace {

const std::string kKey(Seal::kKeyBytes, 'k');
const std::string kOtherKey(Seal::kKeyBytes, 'o');
const std::string kSecret = "correct horse battery staple";

std::shared_ptr<const Seal> seal_of(const std::string& key) {
    return std::make_shared<const Seal>(key);
}

ChangeSet revision(std::string id, const std::string& text) {
    ChangeSet set;
    set.changes.push_back({"app_revision", std::move(id), "{\"text\":\"" + text + "\"}"});
    return set;
}

/// Every byte of every file of the store: database, log, journal.
std::string bytes_on_disk(const std::filesystem::path& directory) {
    std::string all;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        std::ifstream in(entry.path(), std::ios::binary);
        all.append(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    return all;
}

void sql(const std::string& path, const char* text) {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, text, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
}

}  // namespace

TEST_CASE("what was sealed is opened with its key, for its place, and as it was only", "[seal]") {
    ManualRuntime runtime;
    const Seal seal(kKey);
    for (const std::string& plain : {std::string(), std::string("x"), std::string(70'000, 's')}) {
        const std::string sealed = seal.close(runtime, plain, "kind/id");
        CHECK(sealed.size() == plain.size() + Seal::kOverhead);
        CHECK(seal.open(sealed, "kind/id").value() == plain);
        CHECK(seal.open(sealed, "kind/other").error().code == seal_errc::damaged);
        CHECK(Seal(kOtherKey).open(sealed, "kind/id").error().code == seal_errc::other_key);
    }
    const std::string sealed = seal.close(runtime, kSecret, "kind/id");
    CHECK(sealed.find("correct") == std::string::npos);
    for (std::size_t at = 0; at < sealed.size(); ++at) {
        std::string changed = sealed;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        CHECK(seal.open(changed, "kind/id").has_error());
        CHECK(seal.open(std::string_view(sealed).substr(0, at), "kind/id").has_error());
    }
}

TEST_CASE("the same value sealed twice does not look the same", "[seal]") {
    ManualRuntime runtime;
    const Seal seal(kKey);
    CHECK(seal.close(runtime, kSecret, "a/b") != seal.close(runtime, kSecret, "a/b"));
}

TEST_CASE("a sealed text gives back what was sealed, whatever its length", "[seal]") {
    ManualRuntime runtime;
    const Seal seal(kKey);
    for (std::size_t length = 0; length < 10; ++length) {
        const std::string sealed = seal.close(runtime, std::string(length, 'x'), "a/b");
        const std::string text = to_sealed_text(seal, sealed);
        CHECK(is_sealed_text(text));
        CHECK(key_id_of(text) == seal.key_id());
        CHECK(from_sealed_text(text).value() == sealed);
    }
    for (const char* bad :
         {"", "sealed:", "sealed:1:", "sealed:1:ab:", "sealed:1:ab:%%%%", "sealed:1:ab:AAA"})
        CHECK(from_sealed_text(bad).has_error());
}

TEST_CASE("a key file is made once, and refused when others may read it or it is no key", "[seal]") {
    ManualRuntime runtime;
    MemoryDisk disk;
    const SealKeyPlaces places{"/run/credentials", "/data"};
    CHECK(load_seal_key(disk, places).error().code == seal_errc::no_key);

    const Result<Seal> made = write_seal_key(disk, "/data", random_seal_key(runtime));
    REQUIRE(made.has_value());
    CHECK(load_seal_key(disk, places).value().key_id() == made->key_id());

    REQUIRE(disk.set_owner("/data/seal.key", {0, 0, 0640}));
    const Result<Seal> exposed = load_seal_key(disk, places);
    REQUIRE(exposed.has_error());
    CHECK(exposed.error().code == seal_errc::exposed);
    CHECK(exposed.error().hint.find("chmod 600 /data/seal.key") != std::string::npos);

    disk.put("/data/seal.key", "short");
    CHECK(load_seal_key(disk, places).error().code == seal_errc::bad_key);

    // The service manager's credential comes first; as hex, as `openssl rand -hex 32` prints it.
    disk.put("/run/credentials/icos-seal-key", std::string(64, 'a') + "\n");
    CHECK(load_seal_key(disk, places).value().key_id() == Seal(std::string(32, '\xaa')).key_id());
}

TEST_CASE("peers 33: nothing of a descriptor can be read in the database's files", "[seal][store]") {
    StoreWorld world;
    world.options.seal = seal_of(kKey);
    REQUIRE(world.open());
    REQUIRE(world.run(world.store->commit(revision("a/1", kSecret))));
    CHECK(bytes_on_disk(world.directory).find(kSecret) == std::string::npos);

    world.close();
    CHECK(bytes_on_disk(world.directory).find(kSecret) == std::string::npos);
    REQUIRE(world.open());
    const auto rows = world.run(world.store->load("app_revision", "a/")).value();
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].body == "{\"text\":\"" + kSecret + "\"}");
}

TEST_CASE(
    "peers 33: rows that an earlier release wrote in clear are sealed at the next start", "[seal][store]"
) {
    StoreWorld world;
    REQUIRE(world.open());
    REQUIRE(world.run(world.store->commit(revision("a/1", kSecret))));
    REQUIRE(world.run(world.store->commit(revision("a/1", kSecret + " again"))));
    world.close();
    REQUIRE(bytes_on_disk(world.directory).find(kSecret) != std::string::npos);

    world.options.seal = seal_of(kKey);
    REQUIRE(world.open());

    CHECK(world.run(world.store->load("app_revision")).value().at(0).body.find("again") != std::string::npos);
    CHECK(bytes_on_disk(world.directory).find("battery") == std::string::npos);
    CHECK(holds_sealed_rows(world.options.path).value());
}

TEST_CASE("a store sealed with a key refuses another one, and none, and says what to do", "[seal][store]") {
    StoreWorld world;
    CHECK_FALSE(holds_sealed_rows(world.options.path).value());
    world.options.seal = seal_of(kKey);
    REQUIRE(world.open());
    CHECK_FALSE(holds_sealed_rows(world.options.path).value());
    REQUIRE(world.run(world.store->commit(revision("a/1", kSecret))));
    world.close();

    world.options.seal = seal_of(kOtherKey);
    const Result<void> other = world.open();
    REQUIRE(other.has_error());
    CHECK(other.error().code == seal_errc::other_key);
    CHECK(other.error().hint.find("seal.key") != std::string::npos);

    world.options.seal = nullptr;
    const Result<void> none = world.open();
    REQUIRE(none.has_error());
    CHECK(none.error().code == seal_errc::no_key);

    world.options.seal = seal_of(kKey);
    REQUIRE(world.open());
}

TEST_CASE("a sealed row that was put in another one's place is not opened", "[seal][store]") {
    StoreWorld world;
    world.options.seal = seal_of(kKey);
    REQUIRE(world.open());
    REQUIRE(world.run(world.store->commit(revision("a/1", kSecret))));
    REQUIRE(world.run(world.store->commit(revision("b/1", "harmless"))));
    world.close();
    sql(world.options.path,
        "UPDATE resources SET body = (SELECT body FROM resources WHERE id = 'a/1') WHERE id = 'b/1'");
    REQUIRE(world.open());

    const auto rows = world.run(world.store->load("app_revision", "b/"));
    REQUIRE(rows.has_error());
    CHECK(rows.error().code == seal_errc::damaged);
}
