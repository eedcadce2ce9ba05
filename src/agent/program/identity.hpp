// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/core/error.hpp"
#include "icos/core/time.hpp"
#include "icos/store/disk.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace icos::agent {

/// Who this node is, and whom it trusts: `<state-dir>/identity.json` (0600, replaced as a whole). The key
/// inside never leaves the node.
struct Identity {
    std::string node_id;
    std::string name;
    std::string cluster;
    std::string controller_id;
    std::string controller_name;
    std::vector<std::string> controllers;
    std::string ca_pin;       ///< SHA-256 hex of the CA's SPKI
    std::string ca;           ///< PEM
    std::string certificate;  ///< PEM
    std::string key;          ///< PEM
    std::string docker_socket;
    std::map<std::string, std::string> labels;  ///< of the join's flags
    std::vector<Device> devices;
};

std::string identity_path(const std::string& state_dir);
std::string encode_identity(const Identity& identity);
Result<Identity> decode_identity(std::string_view text);
/// core.not_found, with the command that makes one, if the node has not joined.
Result<Identity> load_identity(Disk& disk, const std::string& state_dir);
Result<void> save_identity(Disk& disk, const std::string& state_dir, const Identity& identity);

/// The key that a join uses: of an earlier attempt (`<state-dir>/node.key`) if there is one, so that an
/// answer that got lost is no reason for a second node; else a new one, made durable before anybody sees it.
/// PEM, P-256.
Result<std::string> load_or_make_key(Disk& disk, const std::string& state_dir);
/// A new EC P-256 key, PEM (PKCS #8).
Result<std::string> make_key();
/// When the certificate (PEM) ends; core.invalid if it is none, or not one for `key`.
Result<WallTime> certificate_end(const std::string& certificate, const std::string& key);
/// Certificate for the first connection, which only has to prove that the node holds the key. Valid at any
/// date.
Result<std::string> self_signed_certificate(const std::string& key, const std::string& common_name);

}  // namespace icos::agent
