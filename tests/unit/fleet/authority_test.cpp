// SPDX-License-Identifier: Apache-2.0
#include "fleet/certificate_authority.hpp"
#include "fleet/x509.hpp"
#include "icos/link/digest.hpp"
#include "icos/store/disk.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

namespace icos::fleet {
namespace {

const WallTime kNow = from_ms(1'795'492'800'000);

class Directory {
public:
    Directory() {
        std::string pattern = std::filesystem::temp_directory_path() / "icos-ca-XXXXXX";
        path_ = ::mkdtemp(pattern.data());
    }
    ~Directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    std::string ca() const { return path_ + "/ca"; }

private:
    std::string path_;
};

struct Fixture {
    Directory directory;
    std::unique_ptr<Disk> disk = make_posix_disk();

    Result<std::unique_ptr<CertificateAuthority>> try_open(
        std::vector<std::string> hosts = {"controller.example"}, WallTime now = kNow
    ) {
        return open_openssl_authority({*disk, directory.ca(), "vm-1", std::move(hosts), now});
    }
    std::unique_ptr<CertificateAuthority> open(
        std::vector<std::string> hosts = {"controller.example"}, WallTime now = kNow
    ) {
        return try_open(std::move(hosts), now).value();
    }
};

/// A key as the transport saw it, and the key itself.
std::pair<http::PeerKey, x509::Key> make_peer(const char* type) {
    x509::Key key(
        std::string(type) == "EC" ? EVP_EC_gen("P-256") : EVP_PKEY_Q_keygen(nullptr, nullptr, type)
    );
    unsigned char* der = nullptr;
    const int length = i2d_PUBKEY(key.get(), &der);
    http::PeerKey peer;
    peer.spki_der.assign(der, der + length);
    OPENSSL_free(der);
    peer.key_id = link::sha256_hex(peer.spki_der);
    return {std::move(peer), std::move(key)};
}

std::vector<x509::Certificate> chain_of(const std::string& pem) {
    std::vector<x509::Certificate> out;
    BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    while (X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr))
        out.emplace_back(certificate);
    BIO_free(bio);
    return out;
}

/// OpenSSL's own verdict, at a time of our choosing.
bool verifies(X509* certificate, X509* authority, int purpose, WallTime at) {
    X509_STORE* store = X509_STORE_new();
    X509_STORE_add_cert(store, authority);
    X509_STORE_CTX* context = X509_STORE_CTX_new();
    X509_STORE_CTX_init(context, store, certificate, nullptr);
    X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(param, static_cast<time_t>(to_ms(at) / 1000));
    X509_VERIFY_PARAM_set_purpose(param, purpose);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
    const bool good = X509_verify_cert(context) == 1;
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return good;
}

std::string common_name(const X509& certificate) {
    char text[128] = {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(&certificate), NID_commonName, text, sizeof text);
    return text;
}

}  // namespace

TEST_CASE("the authority is made at first start and stays the same", "[fleet][ca]") {
    Fixture fixture;
    const auto first = fixture.open();
    const auto second = fixture.open({"controller.example"}, kNow + std::chrono::hours(24 * 365 * 5));

    CHECK(first->ca_pin() == second->ca_pin());
    CHECK(first->ca_certificate() == second->ca_certificate());
    CHECK(first->ca_pin().size() == 64);
    struct stat status{};
    REQUIRE(::stat((fixture.directory.ca() + "/ca.pem").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0600U);
    REQUIRE(::stat(fixture.directory.ca().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0700U);
}

TEST_CASE("the pin is the hash of the CA's public key, as OpenSSL sees it", "[fleet][ca]") {
    Fixture fixture;
    const auto authority = fixture.open();
    const auto certificates = chain_of(authority->ca_certificate());
    REQUIRE(certificates.size() == 1);
    EVP_PKEY* key = X509_get0_pubkey(certificates.at(0).get());
    unsigned char* der = nullptr;
    const int length = i2d_PUBKEY(key, &der);
    const std::string spki(der, der + length);
    OPENSSL_free(der);

    CHECK(authority->ca_pin() == link::sha256_hex(spki));
    CHECK(X509_check_ca(certificates.at(0).get()) == 1);
    CHECK(verifies(certificates.at(0).get(), certificates.at(0).get(), X509_PURPOSE_ANY, kNow));
}

TEST_CASE("the agents' listener presents a chain that ends in the pinned key", "[fleet][ca]") {
    Fixture fixture;
    const auto authority = fixture.open({"controller.example", "192.0.2.10"});

    const auto [pem, key] = authority->server_pair();

    const auto chain = chain_of(pem);
    REQUIRE(chain.size() == 2);
    CHECK(x509::spki_sha256(*chain.at(1)) == authority->ca_pin());
    CHECK(verifies(chain.at(0).get(), chain.at(1).get(), X509_PURPOSE_SSL_SERVER, kNow));
    CHECK(x509::belongs(*chain.at(0), *x509::read_key(key)));
    for (const char* host : {"controller.example", "192.0.2.10", "localhost", "127.0.0.1"}) {
        INFO(host);
        CHECK(x509::is_valid_for(*chain.at(0), host));
    }
    CHECK_FALSE(x509::is_valid_for(*chain.at(0), "elsewhere.example"));
    CHECK(fixture.open()->server_pair().second != key);
}

TEST_CASE("a node's certificate is for the key of its connection and names the node", "[fleet][ca]") {
    Fixture fixture;
    const auto authority = fixture.open();
    const auto ca = x509::read_certificate(authority->ca_certificate());
    const std::string id = "7d1e0000-0000-4000-8000-000000000000";
    const WallTime from = kNow - std::chrono::hours(24);
    const WallTime to = kNow + std::chrono::hours(24 * 30);

    for (const char* type : {"EC", "ED25519"}) {
        INFO(type);
        const auto [peer, key] = make_peer(type);
        const Result<std::string> issued = authority->issue(peer, id, to_ms(from), to_ms(to));

        REQUIRE(issued.has_value());
        const auto certificate = x509::read_certificate(*issued);
        CHECK(x509::belongs(*certificate, *key));
        CHECK(common_name(*certificate) == id);
        CHECK(x509::spki_sha256(*certificate) == peer.key_id);
        CHECK(x509::not_after(*certificate) == to);
        CHECK(verifies(certificate.get(), ca.get(), X509_PURPOSE_SSL_CLIENT, kNow));
        CHECK(verifies(certificate.get(), ca.get(), X509_PURPOSE_SSL_CLIENT, from + Duration{1000}));
        CHECK_FALSE(verifies(certificate.get(), ca.get(), X509_PURPOSE_SSL_CLIENT, to + Duration{1000}));
        CHECK_FALSE(verifies(certificate.get(), ca.get(), X509_PURPOSE_SSL_SERVER, kNow));
    }
}

TEST_CASE("certificates get different serial numbers", "[fleet][ca]") {
    Fixture fixture;
    const auto authority = fixture.open();
    const auto peer = make_peer("EC").first;
    const auto one = x509::read_certificate(authority->issue(peer, "a", 0, to_ms(kNow)).value());
    const auto two = x509::read_certificate(authority->issue(peer, "a", 0, to_ms(kNow)).value());

    CHECK(ASN1_INTEGER_cmp(X509_get0_serialNumber(one.get()), X509_get0_serialNumber(two.get())) != 0);
}

TEST_CASE("what is no public key is refused", "[fleet][ca]") {
    Fixture fixture;
    const auto authority = fixture.open();
    http::PeerKey peer;
    for (const std::string& bytes : {std::string(), std::string("x"), std::string(4000, '\x30')}) {
        peer.spki_der = bytes;
        CHECK(authority->issue(peer, "a", 0, to_ms(kNow)).has_error());
    }
}

TEST_CASE("the operator's pair is kept while it fits, and renewed with the same key", "[fleet][ca]") {
    Fixture fixture;
    const auto [certificate, key] = fixture.open()->operator_pair();
    CHECK(x509::belongs(*x509::read_certificate(certificate), *x509::read_key(key)));
    CHECK(x509::is_valid_for(*x509::read_certificate(certificate), "controller.example"));

    CHECK(fixture.open()->operator_pair().first == certificate);
    const auto renamed = fixture.open({"other.example"})->operator_pair();
    CHECK(renamed.first != certificate);
    CHECK(renamed.second == key);
    CHECK(x509::is_valid_for(*x509::read_certificate(renamed.first), "other.example"));
    const auto later = fixture.open({"other.example"}, kNow + std::chrono::hours(24 * 800))->operator_pair();
    CHECK(later.first != renamed.first);
    CHECK(later.second == key);
}

TEST_CASE("a controller whose name is no host name keeps its operator's pair too", "[fleet][ca]") {
    Fixture fixture;
    const auto first = fixture.open({"The Controller, No. 1", "controller.example"})->operator_pair();
    CHECK(
        fixture.open({"The Controller, No. 1", "controller.example"})->operator_pair().first == first.first
    );
}

TEST_CASE("an authority that cannot be read is an error, never replaced", "[fleet][ca]") {
    Fixture fixture;
    fixture.open();
    const std::string path = fixture.directory.ca() + "/ca.pem";
    const std::string whole = fixture.disk->read_all(path).value();
    const std::string broken = GENERATE(std::string(), std::string("garbage"), std::string("half"));
    const std::string content = broken == "half" ? whole.substr(0, whole.size() / 2) : broken;
    REQUIRE(write_durably(*fixture.disk, path, content).has_value());

    const auto opened = fixture.try_open();

    REQUIRE(opened.has_error());
    CHECK(opened.error().detail.find("ca.pem") != std::string::npos);
    CHECK_FALSE(opened.error().hint.empty());
    CHECK(fixture.disk->read_all(path).value() == content);
}

TEST_CASE("a board without a clock can make its authority", "[fleet][ca]") {
    Fixture fixture;
    const auto authority = fixture.open({"controller.example"}, WallTime{});
    CHECK(chain_of(authority->server_pair().first).size() == 2);
}

}  // namespace icos::fleet
