// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/http/message.hpp"
#include "icos/http/server.hpp"

namespace icos {

/// What the composition needs of fleet: the certificates of the agent listener, and the link's entry for
/// transports other than the WebSocket route (simulation).
class LinkAcceptor {
public:
    virtual ~LinkAcceptor() = default;
    /// Serves one agent connection until it ends. `peer` is what the transport proved.
    virtual Task<> serve(http::PeerKey peer, std::unique_ptr<http::FrameStream> stream) = 0;
    /// The address under which nodes reach this controller, "host:port", once the listener is bound: what
    /// join commands and `Welcome::controllers` say from then on.
    virtual void advertise(std::string /*address*/) {}
};

/// The embedded certificate authority. Production makes X.509 certificates with OpenSSL (keys in the data
/// directory, mode 0600); simulation numbers them.
class CertificateAuthority {
public:
    virtual ~CertificateAuthority() = default;
    virtual std::string ca_certificate() const = 0;  ///< PEM
    virtual std::string ca_pin() const = 0;          ///< SHA-256 hex of the CA's SPKI, as in join tokens
    /// A certificate for the public key with this id, which the transport saw.
    virtual Result<std::string> issue(
        const http::PeerKey& peer,
        const std::string& node_id,
        std::int64_t not_before_ms,
        std::int64_t not_after_ms
    ) = 0;
    /// Server pair of the agent listener (PEM certificate chain with the CA, PEM key).
    virtual std::pair<std::string, std::string> server_pair() const = 0;
    /// Self-signed pair for the operator's side, used until the operator configures one of their own.
    virtual std::pair<std::string, std::string> operator_pair() const = 0;
};

}  // namespace icos
