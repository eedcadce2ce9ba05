// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "certificate_authority.hpp"
#include "icos/module/module.hpp"

namespace icos::fleet {

/// Clusters, nodes, join tokens, the certificate authority and the agent link. Provides TopologyView,
/// ExecutorRegistry, LinkAcceptor and CertificateAuthority; uses ClaimsView when one is there at start.
/// Another `authority` is for simulation, where keys are numbers.
ModuleDescriptor descriptor(CertificateAuthorityFactory authority = open_openssl_authority);

}  // namespace icos::fleet
