// SPDX-License-Identifier: Apache-2.0
#include "http/tls.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace icos::http {
namespace ssl = boost::asio::ssl;
namespace {

/// Whether the server's key is the pinned one, or is vouched for by it: each certificate of the presented
/// chain up to the pinned one must be signed by the next. Presenting a pinned certificate without its key's
/// signature proves nothing. Dates are not looked at: a board's clock may stand at 1970.
bool leads_to_pin(X509_STORE_CTX* store, const std::string& pin) {
    X509* leaf = X509_STORE_CTX_get0_cert(store);
    if (leaf == nullptr) return false;
    if (sha256_hex(spki_der(leaf)) == pin) return true;
    // A node's certificate comes from the same authority and must not pass for a server's.
    if ((X509_get_extended_key_usage(leaf) & XKU_SSL_SERVER) == 0U) return false;
    const STACK_OF(X509)* presented = X509_STORE_CTX_get0_untrusted(store);
    X509* current = leaf;
    for (int depth = 0; depth < 8; ++depth) {
        X509* issuer = nullptr;
        for (int i = 0; i < sk_X509_num(presented); ++i) {
            X509* candidate = sk_X509_value(presented, i);
            if (candidate == current || X509_check_ca(candidate) == 0) continue;
            if (X509_NAME_cmp(X509_get_issuer_name(current), X509_get_subject_name(candidate)) != 0) continue;
            if (X509_verify(current, X509_get0_pubkey(candidate)) != 1) continue;
            issuer = candidate;
            break;
        }
        if (issuer == nullptr) return false;
        if (sha256_hex(spki_der(issuer)) == pin) return true;
        current = issuer;
    }
    return false;
}

int verify_pin(X509_STORE_CTX* store, void* pin) {
    const bool trusted = leads_to_pin(store, *static_cast<const std::string*>(pin));
    ERR_clear_error();
    X509_STORE_CTX_set_error(store, trusted ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
    return trusted ? 1 : 0;
}

Error invalid(std::string what, const boost::system::error_code& ec) {
    ERR_clear_error();
    return Error{icos::errc::invalid, std::move(what) + ": " + ec.message(), "give PEM text"};
}

bool is_address(const std::string& host) {
    boost::system::error_code ec;
    boost::asio::ip::make_address(host, ec);
    return !ec;
}

}  // namespace

ClientTls::ClientTls(const Endpoint& endpoint)
    : endpoint_(endpoint), context_(std::make_shared<ssl::context>(ssl::context::tls_client)) {}

Result<std::shared_ptr<ClientTls>> ClientTls::make(const Endpoint& endpoint) {
    std::shared_ptr<ClientTls> tls(new ClientTls(endpoint));
    ssl::context& context = *tls->context_;
    SSL_CTX* native = context.native_handle();
    SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
    SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_verify(native, SSL_VERIFY_PEER, nullptr);
    boost::system::error_code ec;
    if (!endpoint.pin.empty()) {
        // The context lives no longer than the object that holds the pin, see wrap().
        SSL_CTX_set_cert_verify_callback(native, verify_pin, &tls->endpoint_.pin);
    } else if (!endpoint.ca.empty()) {
        context.add_certificate_authority(boost::asio::buffer(endpoint.ca), ec);
        if (ec) return invalid("the CA certificate for " + endpoint.host + " cannot be read", ec);
    } else {
        context.set_default_verify_paths(ec);
    }
    if (!endpoint.client_certificate.empty()) {
        context.use_certificate_chain(boost::asio::buffer(endpoint.client_certificate), ec);
        if (!ec) context.use_private_key(boost::asio::buffer(endpoint.client_key), ssl::context::pem, ec);
        if (ec) return invalid("the client certificate or key cannot be used", ec);
    }
    if (!endpoint.alpn.empty()) {
        std::string list(1, static_cast<char>(endpoint.alpn.size()));
        list += endpoint.alpn;
        const std::vector<unsigned char> bytes(list.begin(), list.end());
        SSL_CTX_set_alpn_protos(native, bytes.data(), static_cast<unsigned int>(bytes.size()));
    }
    return tls;
}

std::unique_ptr<TlsTransport> ClientTls::wrap(StreamSocket socket) {
    auto transport = make_tls_transport(std::move(socket), context_);
    SSL* native = transport->native();
    if (!is_address(endpoint_.host)) SSL_set_tlsext_host_name(native, endpoint_.host.c_str());
    if (endpoint_.pin.empty()) {
        X509_VERIFY_PARAM* parameters = SSL_get0_param(native);
        if (is_address(endpoint_.host)) {
            X509_VERIFY_PARAM_set1_ip_asc(parameters, endpoint_.host.c_str());
        } else {
            X509_VERIFY_PARAM_set1_host(parameters, endpoint_.host.c_str(), endpoint_.host.size());
        }
    }
    return transport;
}

Error ClientTls::explain(TlsTransport& transport, const boost::system::error_code& ec) const {
    const std::string where = endpoint_.host + ":" + std::to_string(endpoint_.port);
    const long verdict = SSL_get_verify_result(transport.native());
    ERR_clear_error();
    if (!endpoint_.pin.empty() && verdict == X509_V_ERR_APPLICATION_VERIFICATION) {
        return Error{
            errc::pin_mismatch,
            where + " presents no certificate that leads to the pinned key",
            "the address is another controller's, or its CA was replaced: join again with a new token"
        };
    }
    if (verdict != X509_V_OK) {
        return Error{
            errc::tls_failed,
            "the certificate of " + where + " is not trusted: " + X509_verify_cert_error_string(verdict),
            "give its CA, or the pin of its key"
        };
    }
    return Error{errc::tls_failed, "the TLS handshake with " + where + " failed: " + ec.message()};
}

Result<void> ClientTls::check_protocol(TlsTransport& transport) const {
    if (endpoint_.alpn.empty()) return {};
    const unsigned char* chosen = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(transport.native(), &chosen, &size);
    if (chosen != nullptr && as_text(chosen, size) == endpoint_.alpn) return {};
    return Error{
        errc::tls_failed,
        endpoint_.host + ":" + std::to_string(endpoint_.port) + " does not speak " + endpoint_.alpn,
        "the address must be the controller's TLS port, with no proxy in between that ends TLS"
    };
}

}  // namespace icos::http
