// SPDX-License-Identifier: Apache-2.0
#include "http/tls.hpp"

#include <boost/asio/ssl/context.hpp>

#include <array>
#include <ctime>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace icos::http {
namespace ssl = boost::asio::ssl;
namespace {

/// Walks the protocol list of an ALPN extension: length-prefixed names.
bool offers(const unsigned char* list, std::size_t size, std::string_view wanted) {
    std::size_t at = 0;
    while (at < size) {
        const std::size_t length = list[at];
        if (length == 0 || at + 1 + length > size) return false;
        if (as_text(list + at + 1, length) == wanted) return true;
        at += 1 + length;
    }
    return false;
}

/// Any key is let in that proves possession: self-signed, expired or unknown is for the application to judge.
int accept_any_key(int, X509_STORE_CTX*) {
    return 1;
}

int choose_certificate(SSL* connection, int*, void* agent_context) {
    const unsigned char* data = nullptr;
    std::size_t size = 0;
    const int present = SSL_client_hello_get0_ext(
        connection, TLSEXT_TYPE_application_layer_protocol_negotiation, &data, &size
    );
    // Two bytes of list length precede the names; a wrong length is refused later by OpenSSL's own parser.
    if (present == 1 && size > 2 && offers(data + 2, size - 2, kAgentAlpn)) {
        SSL_set_SSL_CTX(connection, static_cast<SSL_CTX*>(agent_context));
        SSL_set_verify(connection, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any_key);
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned int in_size, void*) {
    for (const std::string_view protocol : {kAgentAlpn, std::string_view("http/1.1")}) {
        if (!offers(in, in_size, protocol)) continue;
        unsigned int at = 0;
        while (as_text(in + at + 1, in[at]) != protocol) at += 1U + in[at];
        *out = in + at + 1;
        *out_size = in[at];
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

Result<std::shared_ptr<ssl::context>> make_context(
    const std::string& certificate, const std::string& key, std::string_view whose
) {
    auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
    SSL_CTX* native = context->native_handle();
    SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
    // A resumed session would skip the choice between the two sides and the proof of the client's key.
    SSL_CTX_set_options(native, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_num_tickets(native, 0);
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(native, choose_protocol, nullptr);
    boost::system::error_code ec;
    ERR_clear_error();
    context->use_certificate_chain(boost::asio::buffer(certificate), ec);
    if (!ec) context->use_private_key(boost::asio::buffer(key), ssl::context::pem, ec);
    if (ec || SSL_CTX_check_private_key(native) != 1) {
        ERR_clear_error();
        return Error{
            icos::errc::invalid,
            "the " + std::string(whose) + " TLS certificate or key cannot be used: " +
                (ec ? ec.message() : std::string("they do not belong together")),
            "give a PEM certificate chain, leaf first, and its unencrypted PEM key"
        };
    }
    return context;
}

std::string common_name(const X509* certificate) {
    std::array<char, 256> text{};
    const int length = X509_NAME_get_text_by_NID(
        X509_get_subject_name(certificate), NID_commonName, text.data(), static_cast<int>(text.size())
    );
    return length > 0 ? std::string(text.data(), static_cast<std::size_t>(length)) : std::string();
}

std::int64_t not_after_ms(const X509* certificate) {
    std::tm time{};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1) return 0;
    return static_cast<std::int64_t>(timegm(&time)) * 1000;
}

bool is_issued_by(const X509* certificate, const std::vector<X509Ptr>& authorities) {
    for (const X509Ptr& authority : authorities) {
        const bool named =
            X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(authority.get())) == 0;
        // X509_verify takes no const object although it does not change it.
        if (named && X509_verify(const_cast<X509*>(certificate), X509_get0_pubkey(authority.get())) == 1)
            return true;
    }
    ERR_clear_error();
    return false;
}

}  // namespace

Result<std::shared_ptr<const ServerTls>> ServerTls::make(const TlsMaterial& material) {
    const bool own_operator = !material.operator_certificate.empty();
    auto front = make_context(
        own_operator ? material.operator_certificate : material.agent_certificate,
        own_operator ? material.operator_key : material.agent_key,
        "operator's"
    );
    if (front.has_error()) return front.error();
    const std::shared_ptr<ServerTls> tls(new ServerTls());
    tls->front_ = *front;
    tls->agent_ca_ = read_certificates(material.agent_ca);
    if (material.agent_certificate.empty()) return std::shared_ptr<const ServerTls>(tls);
    auto agent = make_context(material.agent_certificate, material.agent_key, "agents'");
    if (agent.has_error()) return agent.error();
    tls->agent_ = *agent;
    SSL_CTX_set_client_hello_cb(
        tls->front_->native_handle(), choose_certificate, tls->agent_->native_handle()
    );
    return std::shared_ptr<const ServerTls>(tls);
}

std::optional<Caller> ServerTls::agent_caller(ssl_st_handle connection) const {
    const unsigned char* protocol = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(connection, &protocol, &size);
    if (protocol == nullptr || as_text(protocol, size) != kAgentAlpn) return std::nullopt;
    const X509Ptr certificate(SSL_get1_peer_certificate(connection));
    if (!certificate) return std::nullopt;
    PeerKey key;
    key.spki_der = spki_der(certificate.get());
    if (key.spki_der.empty()) return std::nullopt;
    key.key_id = sha256_hex(key.spki_der);
    key.common_name = common_name(certificate.get());
    key.not_after_ms = not_after_ms(certificate.get());
    key.issued_by_us = is_issued_by(certificate.get(), agent_ca_);
    Caller caller;
    caller.subject = "agent:" + key.key_id;
    caller.role = Role::agent;
    caller.peer = std::move(key);
    return caller;
}

}  // namespace icos::http
