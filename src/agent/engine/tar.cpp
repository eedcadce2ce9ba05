// SPDX-License-Identifier: Apache-2.0
#include "icos/core/tar.hpp"

#include "icos/agent/container_plan.hpp"

namespace icos::agent {

Result<std::string> make_tar(const std::vector<FilePut>& files) {
    std::vector<TarFile> archive;
    archive.reserve(files.size());
    for (const FilePut& file : files) {
        std::string_view path = file.path;
        if (!path.starts_with('/'))
            return Error{errc::invalid, "file '" + file.path + "': the path is not absolute"};
        while (path.starts_with('/')) path.remove_prefix(1);
        archive.push_back({path, file.content, file.mode, file.uid, file.gid});
    }
    return make_tar_archive(archive);
}

}  // namespace icos::agent
