// SPDX-License-Identifier: Apache-2.0
#pragma once
namespace icos::shell {
/// Parses, connects, runs one command, returns its exit code.
int run(int argc, char** argv);
}  // namespace icos::shell
