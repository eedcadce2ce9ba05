// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace icos {

/// A regular file on its way into an archive. Views: they outlive the call.
struct TarFile {
    std::string_view path;  ///< relative, without "..", not empty
    std::string_view content;
    unsigned mode = 0644;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
};
/// A tar archive (POSIX.1-1988, "ustar") of the files, without times: the same files make the same archive.
/// core.invalid for a path that is not as above or does not fit the format.
Result<std::string> make_tar_archive(const std::vector<TarFile>& files);

}  // namespace icos
