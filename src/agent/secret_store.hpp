// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/container_plan.hpp"
#include "icos/async/runtime.hpp"
#include "icos/async/signal.hpp"
#include "icos/async/task.hpp"
#include "icos/store/disk.hpp"
#include "icos/store/seal.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace icos::agent {

/// The files of secrets that containers on this node see. They exist in clear only in a directory in memory;
/// what they are made from is kept sealed in `<state_dir>/secrets.sealed`, written before the files, so that
/// after a reboot they are there again before the engine starts the containers (`icos-agent prepare`), also
/// those of an earlier generation that still runs. Loop-confined; the disk is touched on Pool::storage only.
class SecretStore {
public:
    SecretStore(Runtime& runtime, Disk& disk, std::string state_dir, std::string directory);

    /// Reads what is kept and makes the files. What the key does not open counts as lost, and is put aside
    /// (`secrets.sealed.unreadable`) once there is something else to keep: the accepted set brings its
    /// content again. seal.other_key, seal.damaged, core.io: for the log; the store works on.
    Task<Result<void>> open(std::shared_ptr<const Seal> seal);
    /// Returns once the files are there, and will be there after a reboot. core.io, store.full.
    Task<Result<void>> provide(std::vector<SecretFile> files);
    /// Removes the files of a placement's other digests.
    Task<Result<void>> keep(PlacementId placement, std::set<std::string> digests);

    const std::string& directory() const noexcept { return directory_; }
    std::size_t size() const noexcept { return files_.size(); }

private:
    using Files = std::map<std::string, SecretFile>;  ///< by source
    Task<Result<void>> save();
    std::string path_of_state() const { return state_dir_ + "/secrets.sealed"; }

    Runtime& runtime_;
    Disk& disk_;
    std::string state_dir_;
    std::string directory_;
    std::shared_ptr<const Seal> seal_;
    Files files_;
    bool saving_ = false;
    bool changed_ = false;        ///< memory differs from the file
    bool is_unreadable_ = false;  ///< the file is to be put aside before it is written
    Signal saved_;
};

}  // namespace icos::agent
