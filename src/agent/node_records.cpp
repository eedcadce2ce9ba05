// SPDX-License-Identifier: Apache-2.0
#include "node_records.hpp"

#include "icos/core/log.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <utility>

namespace icos::agent {
namespace {

namespace json = boost::json;
const Log kLog("agent.records");

json::array to_array(const std::set<std::string>& set) {
    json::array out;
    for (const std::string& item : set) out.emplace_back(item);
    return out;
}

std::set<std::string> to_set(const json::object& object, std::string_view key) {
    std::set<std::string> out;
    const json::value* list = object.if_contains(key);
    if (list == nullptr || !list->is_array()) return out;
    for (const json::value& item : list->get_array()) {
        if (item.is_string()) out.emplace(item.get_string().c_str());
    }
    return out;
}

}  // namespace

NodeRecords::NodeRecords(Runtime& runtime, Disk& disk, std::string directory)
    : runtime_(runtime), disk_(disk), path_(std::move(directory) + "/records.json"), saved_(runtime) {}

Task<> NodeRecords::open() {
    auto work = [&disk = disk_, path = path_] { return disk.read_all(path); };
    const Result<std::string> read = co_await offload(runtime_, Pool::storage, std::move(work));
    if (read.has_value()) parse(*read);
}

Task<> NodeRecords::save() {
    while (saving_) co_await saved_.wait();
    saving_ = true;
    while (changed_) {
        changed_ = false;
        auto work = [&disk = disk_, path = path_, bytes = text()] {
            return write_durably(disk, path, bytes);
        };
        Result<void> written = Error{errc::internal, "not written"};
        try {
            written = co_await offload(runtime_, Pool::storage, std::move(work));
        } catch (...) {
            // A caller that is cancelled amid the write leaves the turn, and the change, to the next one.
            changed_ = true;
            saving_ = false;
            saved_.notify();
            throw;
        }
        if (written.has_error()) {
            kLog.warning("the node's records could not be written", written.error());
            changed_ = true;
            break;
        }
    }
    saving_ = false;
    saved_.notify();
}

std::string NodeRecords::text() const {
    json::object images;
    for (const auto& [reference, id] : data_.images) images.emplace(reference, id);
    json::object ports;
    for (const auto& [key, port] : data_.ports) ports.emplace(key, port);
    json::object exclusive;
    for (const auto& [container, placement] : data_.exclusive) exclusive.emplace(container, placement);
    json::object needs;
    for (const auto& [placement, of] : data_.needs) {
        needs.emplace(
            placement,
            json::object{
                {"digest", of.digest}, {"current", to_array(of.current)}, {"previous", to_array(of.previous)}
            }
        );
    }
    return json::serialize(json::object{
        {"boot_id", data_.boot_id},
        {"ended", to_array(data_.ended)},
        {"interrupted", to_array(data_.interrupted)},
        {"stopped", to_array(data_.stopped)},
        {"removing", to_array(data_.removing)},
        {"exclusive", std::move(exclusive)},
        {"images", std::move(images)},
        {"ports", std::move(ports)},
        {"needs", std::move(needs)},
    });
}

void NodeRecords::parse(const std::string& text) {
    boost::system::error_code ec;
    const json::value value = json::parse(text, ec);
    if (ec || !value.is_object()) {
        kLog.warning("the node's records are unreadable and begin anew", {{"file", path_}});
        return;
    }
    const json::object& object = value.get_object();
    if (const json::value* boot = object.if_contains("boot_id"); boot != nullptr && boot->is_string()) {
        data_.boot_id = boot->get_string().c_str();
    }
    data_.ended = to_set(object, "ended");
    data_.interrupted = to_set(object, "interrupted");
    data_.stopped = to_set(object, "stopped");
    data_.removing = to_set(object, "removing");
    if (const json::value* exclusive = object.if_contains("exclusive");
        exclusive != nullptr && exclusive->is_object()) {
        for (const auto& [container, placement] : exclusive->get_object()) {
            if (placement.is_string()) data_.exclusive[container] = placement.get_string().c_str();
        }
    }
    parse_needs(object);
    if (const json::value* images = object.if_contains("images"); images != nullptr && images->is_object()) {
        for (const auto& [reference, id] : images->get_object()) {
            if (id.is_string()) data_.images[std::string(reference)] = id.get_string().c_str();
        }
    }
    if (const json::value* ports = object.if_contains("ports"); ports != nullptr && ports->is_object()) {
        for (const auto& [key, port] : ports->get_object()) {
            const std::int64_t* number = port.if_int64();
            if (number != nullptr && *number > 0 && *number <= UINT16_MAX)
                data_.ports[std::string(key)] = static_cast<std::uint16_t>(*number);
        }
    }
}

void NodeRecords::parse_needs(const json::object& object) {
    const json::value* needs = object.if_contains("needs");
    if (needs == nullptr || !needs->is_object()) return;
    for (const auto& [placement, item] : needs->get_object()) {
        if (!item.is_object()) continue;
        const json::object& of = item.get_object();
        const json::value* digest = of.if_contains("digest");
        if (digest == nullptr || !digest->is_string()) continue;
        data_.needs[std::string(placement)] = {
            digest->get_string().c_str(), to_set(of, "current"), to_set(of, "previous")
        };
    }
}

void NodeRecords::change(std::set<std::string>& set, const std::string& value, bool present) {
    const bool differs = present ? set.insert(value).second : set.erase(value) > 0;
    changed_ = changed_ || differs;
}

void NodeRecords::set_boot_id(std::string id) {
    if (id == data_.boot_id) return;
    data_.boot_id = std::move(id);
    changed_ = true;
}
void NodeRecords::set_ended(const std::string& container, bool ended) {
    change(data_.ended, container, ended);
}
void NodeRecords::set_interrupted(const std::string& container, bool interrupted) {
    change(data_.interrupted, container, interrupted);
}
void NodeRecords::set_stopped(const std::string& placement, bool stopped) {
    change(data_.stopped, placement, stopped);
}
void NodeRecords::set_removing(const std::string& placement, bool removing) {
    change(data_.removing, placement, removing);
}

void NodeRecords::forget_ended_except(const std::set<std::string>& existing) {
    for (std::set<std::string>* ids : {&data_.ended, &data_.interrupted}) {
        if (std::erase_if(*ids, [&](const std::string& id) { return !existing.contains(id); }) > 0)
            changed_ = true;
    }
    const auto is_gone = [&](const auto& entry) { return !existing.contains(entry.first); };
    if (std::erase_if(data_.exclusive, is_gone) > 0) changed_ = true;
}

std::vector<std::string> NodeRecords::exclusive_of(const std::string& placement) const {
    std::vector<std::string> out;
    for (const auto& [container, owner] : data_.exclusive) {
        if (owner == placement) out.push_back(container);
    }
    return out;
}

void NodeRecords::add_exclusive(const std::string& placement, const std::string& container) {
    if (data_.exclusive.try_emplace(container, placement).second) changed_ = true;
}

std::uint16_t NodeRecords::port_of(const std::string& key) const {
    const auto found = data_.ports.find(key);
    return found == data_.ports.end() ? std::uint16_t{0} : found->second;
}

void NodeRecords::set_port(const std::string& key, std::uint16_t port) {
    if (port_of(key) == port) return;
    if (port == 0)
        data_.ports.erase(key);
    else
        data_.ports[key] = port;
    changed_ = true;
}

std::string NodeRecords::image_of(const std::string& reference) const {
    const auto found = data_.images.find(reference);
    return found == data_.images.end() ? std::string() : found->second;
}

void NodeRecords::set_image(const std::string& reference, std::string id) {
    std::string& present = data_.images[reference];
    if (present == id) return;
    // What the reference named before has no name any more: its id is how it is found.
    std::string before = std::exchange(present, std::move(id));
    if (!before.empty()) data_.images.emplace(before, before);
    changed_ = true;
}

void NodeRecords::note_images(
    const std::string& placement, const std::string& digest, std::set<std::string> images
) {
    Data::Needs& needs = data_.needs[placement];
    if (needs.digest != digest) {
        needs.previous = std::move(needs.current);
        needs.digest = digest;
        changed_ = true;
    } else if (needs.current == images) {
        return;
    }
    needs.current = std::move(images);
    changed_ = true;
}

void NodeRecords::forget_images(const std::string& placement) {
    if (data_.needs.erase(placement) > 0) changed_ = true;
}

std::vector<std::string> NodeRecords::unneeded_images() const {
    std::set<std::string> needed;
    for (const auto& [placement, of] : data_.needs) {
        needed.insert(of.current.begin(), of.current.end());
        needed.insert(of.previous.begin(), of.previous.end());
    }
    std::vector<std::string> out;
    for (const auto& [reference, id] : data_.images) {
        if (!needed.contains(reference) && !needed.contains(id)) out.push_back(reference);
    }
    return out;
}

void NodeRecords::forget_image(const std::string& reference) {
    if (data_.images.erase(reference) > 0) changed_ = true;
}

}  // namespace icos::agent
