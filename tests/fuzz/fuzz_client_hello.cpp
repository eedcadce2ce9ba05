// SPDX-License-Identifier: Apache-2.0
// A stranger's first bytes on the TLS port: the choice of certificate by the ClientHello, and the handshake
// behind it.
#include "http/tls.hpp"
#include "test_certificates.hpp"

#include <boost/asio/ssl/context.hpp>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace icos::http {
namespace {

std::shared_ptr<const ServerTls> make_tls() {
    const test::TestIdentity agents = test::make_identity({.common_name = "controller"});
    const test::TestIdentity operators = test::make_identity({.common_name = "operator"});
    TlsMaterial material;
    material.operator_certificate = operators.certificate;
    material.operator_key = operators.key;
    material.agent_certificate = agents.certificate;
    material.agent_key = agents.key;
    material.agent_ca = agents.certificate;
    return ServerTls::make(material).value();
}

}  // namespace
}  // namespace icos::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace icos::http;
    static const std::shared_ptr<const ServerTls> tls = make_tls();
    const std::unique_ptr<SSL, void (*)(SSL*)> connection(SSL_new(tls->front()->native_handle()), SSL_free);
    BIO* in = BIO_new_mem_buf(data, static_cast<int>(size));
    SSL_set_bio(connection.get(), in, BIO_new(BIO_s_mem()));
    SSL_set_accept_state(connection.get());
    const int outcome = SSL_do_handshake(connection.get());
    ERR_clear_error();
    // Whoever is asked for a key asked for the agents' protocol by name.
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const bool asks = (SSL_get_verify_mode(connection.get()) & SSL_VERIFY_PEER) != 0;
    if (asks && bytes.find(kAgentAlpn) == std::string_view::npos) std::abort();
    // One flight of the client cannot complete a handshake.
    if (outcome == 1 || tls->agent_caller(connection.get())) std::abort();
    return 0;
}
