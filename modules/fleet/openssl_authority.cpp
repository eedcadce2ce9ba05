// SPDX-License-Identifier: Apache-2.0
#include "certificate_authority.hpp"
#include "icos/core/log.hpp"
#include "icos/store/disk.hpp"
#include "x509.hpp"

#include <algorithm>
#include <array>
#include <unistd.h>

namespace icos::fleet {
namespace {

using Days = std::chrono::duration<std::int64_t, std::ratio<86'400>>;
constexpr Days kAuthorityDays{365 * 20};
constexpr Days kServerDays{365 * 2};
constexpr Days kOperatorDays{825};  // the longest that common clients accept from anybody
constexpr Days kRenewBefore{30};
constexpr Days kBackdate{1};

struct Pair {
    x509::Key key;
    x509::Certificate certificate;
    std::string pem() const { return x509::to_pem(*key) + x509::to_pem(*certificate); }
};

std::string system_host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string();
}

/// nullopt when the file does not exist.
Result<std::optional<Pair>> read_pair(Disk& disk, const std::string& path, const std::string& hint) {
    if (!disk.exists(path)) return std::optional<Pair>();
    Result<std::string> text = disk.read_all(path);
    if (text.has_error()) return text.error();
    Pair pair{x509::read_key(*text), x509::read_certificate(*text)};
    if (!pair.key || !pair.certificate || !x509::belongs(*pair.certificate, *pair.key)) {
        return Error{errc::invalid, path + " does not hold a private key and its certificate", hint};
    }
    return std::optional<Pair>(std::move(pair));
}

class OpensslAuthority final : public CertificateAuthority {
public:
    OpensslAuthority(Pair authority, Pair server, Pair operator_side)
        : authority_(std::move(authority)), server_(std::move(server)), operator_(std::move(operator_side)) {}

    std::string ca_certificate() const override { return x509::to_pem(*authority_.certificate); }
    std::string ca_pin() const override { return x509::spki_sha256(*authority_.certificate); }

    Result<std::string> issue(
        const http::PeerKey& peer,
        const std::string& node_id,
        std::int64_t not_before_ms,
        std::int64_t not_after_ms
    ) override {
        const Result<x509::Key> key = x509::public_key(peer.spki_der);
        if (key.has_error()) return key.error();
        x509::Wish wish;
        wish.common_name = node_id;
        wish.usage = x509::Usage::client;
        wish.not_before = from_ms(not_before_ms);
        wish.not_after = from_ms(not_after_ms);
        const Result<x509::Certificate> certificate =
            x509::make_certificate(wish, **key, authority_.certificate.get(), *authority_.key);
        if (certificate.has_error()) return certificate.error();
        return x509::to_pem(**certificate);
    }

    std::pair<std::string, std::string> server_pair() const override {
        // With the CA in the chain, an agent finds the key that its token pins.
        return {
            x509::to_pem(*server_.certificate) + x509::to_pem(*authority_.certificate),
            x509::to_pem(*server_.key)
        };
    }
    std::pair<std::string, std::string> operator_pair() const override {
        return {x509::to_pem(*operator_.certificate), x509::to_pem(*operator_.key)};
    }

private:
    Pair authority_;
    Pair server_;
    Pair operator_;
};

Result<Pair> self_signed(x509::Key key, const x509::Wish& wish) {
    Result<x509::Certificate> certificate = x509::make_certificate(wish, *key, nullptr, *key);
    if (certificate.has_error()) return certificate.error();
    return Pair{std::move(key), std::move(*certificate)};
}

Result<Pair> open_authority(const AuthoritySettings& settings) {
    const std::string path = settings.directory + "/ca.pem";
    Result<std::optional<Pair>> present =
        read_pair(settings.disk, path, "restore it from a backup: every node pins this key");
    if (present.has_error()) return present.error();
    if (*present) return std::move(**present);
    Result<x509::Key> key = x509::make_key();
    if (key.has_error()) return key.error();
    x509::Wish wish;
    wish.common_name = "ICOS CA of " + settings.name;
    wish.usage = x509::Usage::authority;
    wish.not_before = settings.now - kBackdate;
    wish.not_after = settings.now + kAuthorityDays;
    Result<Pair> made = self_signed(std::move(*key), wish);
    if (made.has_error()) return made;
    const Result<void> written = write_durably(settings.disk, path, made->pem());
    if (written.has_error()) return written.error();
    Log("fleet").info("made the certificate authority of the nodes", {{"file", path}});
    return made;
}

Result<Pair> make_server(
    const AuthoritySettings& settings, const std::vector<std::string>& hosts, const Pair& authority
) {
    Result<x509::Key> key = x509::make_key();
    if (key.has_error()) return key.error();
    x509::Wish wish;
    wish.common_name = settings.name;
    wish.not_before = settings.now - kBackdate;
    wish.not_after = settings.now + kServerDays;
    wish.hosts = hosts;
    Result<x509::Certificate> certificate =
        x509::make_certificate(wish, **key, authority.certificate.get(), *authority.key);
    if (certificate.has_error()) return certificate.error();
    return Pair{std::move(*key), std::move(*certificate)};
}

Result<Pair> open_operator(const AuthoritySettings& settings, const std::vector<std::string>& hosts) {
    const std::string path = settings.directory + "/operator.pem";
    Result<std::optional<Pair>> present =
        read_pair(settings.disk, path, "remove the file: a new one is made at the next start");
    if (present.has_error()) return present.error();
    x509::Key key;
    if (*present) {
        const x509_st& certificate = *(*present)->certificate;
        const bool fits = std::all_of(hosts.begin(), hosts.end(), [&certificate](const std::string& host) {
            return x509::is_valid_for(certificate, host);
        });
        if (fits && x509::not_after(certificate) > settings.now + kRenewBefore) return std::move(**present);
        key = std::move((*present)->key);
    } else {
        Result<x509::Key> made = x509::make_key();
        if (made.has_error()) return made.error();
        key = std::move(*made);
    }
    x509::Wish wish;
    wish.common_name = settings.name;
    wish.not_before = settings.now - kBackdate;
    wish.not_after = settings.now + kOperatorDays;
    wish.hosts = hosts;
    Result<Pair> made = self_signed(std::move(key), wish);
    if (made.has_error()) return made;
    const Result<void> written = write_durably(settings.disk, path, made->pem());
    if (written.has_error()) return written.error();
    return made;
}

}  // namespace

Result<std::unique_ptr<CertificateAuthority>> open_openssl_authority(const AuthoritySettings& settings) {
    if (Result<void> made = settings.disk.make_directory(settings.directory); made.has_error())
        return made.error();
    std::vector<std::string> hosts;
    std::vector<std::string> wanted = settings.hosts;
    wanted.insert(wanted.end(), {system_host_name(), "localhost", "127.0.0.1", "::1"});
    for (std::string& host : wanted) {
        if (x509::is_host(host) && std::find(hosts.begin(), hosts.end(), host) == hosts.end())
            hosts.push_back(std::move(host));
    }
    Result<Pair> authority = open_authority(settings);
    if (authority.has_error()) return authority.error();
    Result<Pair> server = make_server(settings, hosts, *authority);
    if (server.has_error()) return server.error();
    Result<Pair> operator_side = open_operator(settings, hosts);
    if (operator_side.has_error()) return operator_side.error();
    return std::unique_ptr<CertificateAuthority>(std::make_unique<OpensslAuthority>(
        std::move(*authority), std::move(*server), std::move(*operator_side)
    ));
}

}  // namespace icos::fleet
