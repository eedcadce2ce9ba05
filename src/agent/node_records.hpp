// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/async/signal.hpp"
#include "icos/async/task.hpp"
#include "icos/store/disk.hpp"

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace icos::agent {

/// What the engine cannot be asked and a restart must not forget. Small, changed seldom, replaced as a whole:
/// `<directory>/records.json`. Losing it costs a pull or the run of a one-shot container, never a running
/// one. Loop-confined.
class NodeRecords {
public:
    NodeRecords(Runtime& runtime, Disk& disk, std::string directory);

    Task<> open();
    /// Makes the changes since the last save durable; nothing to do without any. A full disk is logged.
    Task<> save();

    const std::string& boot_id() const noexcept { return data_.boot_id; }
    void set_boot_id(std::string id);

    /// Containers that ended by themselves: they are not started again after a reboot.
    bool has_ended(const std::string& container) const { return data_.ended.contains(container); }
    void set_ended(const std::string& container, bool ended);
    /// Containers that ran and were stopped by the agent itself, because its lease ended: they are started
    /// again when it holds again.
    bool was_interrupted(const std::string& container) const { return data_.interrupted.contains(container); }
    void set_interrupted(const std::string& container, bool interrupted);
    /// Containers of a placement of which at most one copy may run: they have to end with the lease, even if
    /// the engine cannot say which they are.
    std::vector<std::string> exclusive_of(const std::string& placement) const;
    void add_exclusive(const std::string& placement, const std::string& container);
    /// Keeps the ended, interrupted and exclusive ones among `existing` only.
    void forget_ended_except(const std::set<std::string>& existing);

    /// Placements that were stopped on request: starting them again starts all of their containers.
    bool is_stopped(const std::string& placement) const { return data_.stopped.contains(placement); }
    void set_stopped(const std::string& placement, bool stopped);

    /// Placements whose removal has begun: networks and volumes may be left although no container is.
    const std::set<std::string>& removing() const noexcept { return data_.removing; }
    void set_removing(const std::string& placement, bool removing);

    /// Port that connections of a key are taken at; 0: none yet.
    std::uint16_t port_of(const std::string& key) const;
    void set_port(const std::string& key, std::uint16_t port);

    /// Image that a reference was pulled as; empty if it was not pulled here.
    std::string image_of(const std::string& reference) const;
    void set_image(const std::string& reference, std::string id);

    /// A placement's content needs these images, by reference and by id; those of the content before stay
    /// known as well.
    void note_images(const std::string& placement, const std::string& digest, std::set<std::string> images);
    void forget_images(const std::string& placement);
    /// References (and ids) that this agent pulled and no current or previous content needs.
    std::vector<std::string> unneeded_images() const;
    void forget_image(const std::string& reference);

private:
    struct Data {
        std::string boot_id;
        std::set<std::string> ended;
        std::set<std::string> interrupted;
        std::set<std::string> stopped;
        std::set<std::string> removing;
        std::map<std::string, std::string> exclusive;  ///< container -> placement
        std::map<std::string, std::string> images;
        std::map<std::string, std::uint16_t> ports;
        struct Needs {
            std::string digest;
            std::set<std::string> current;
            std::set<std::string> previous;
            bool operator==(const Needs&) const = default;
        };
        std::map<std::string, Needs> needs;  ///< by placement
    };
    std::string text() const;
    void parse(const std::string& text);
    void parse_needs(const boost::json::object& object);
    void change(std::set<std::string>& set, const std::string& value, bool present);

    Runtime& runtime_;
    Disk& disk_;
    std::string path_;
    Data data_;
    bool changed_ = false;
    bool saving_ = false;
    Signal saved_;
};

}  // namespace icos::agent
