// SPDX-License-Identifier: Apache-2.0
#include "context.hpp"

#include <cstdio>

namespace icos::shell {

std::string Context::in_project(std::string target) const {
    if (project == "default") return target;
    target += target.find('?') == std::string::npos ? '?' : '&';
    return target + "project=" + http::percent_encode(project);
}

int report(const Error& error) {
    std::fprintf(stderr, "error: %s [%s]\n", error.detail.c_str(), stable_code(error).c_str());
    if (!error.hint.empty()) std::fprintf(stderr, "  %s\n", error.hint.c_str());
    if (stable_code(error) == "descriptor.invalid") return kInvalidDescriptor;
    switch (kind_of(error)) {
        case ErrorKind::timed_out:
            return kTimedOut;
        case ErrorKind::unavailable:
            return error.code.category() == core_domain() ? kUnreachable : kRefused;
        default:
            return kRefused;
    }
}

}  // namespace icos::shell
