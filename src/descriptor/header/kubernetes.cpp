// SPDX-License-Identifier: Apache-2.0
#include "header/model.hpp"
#include "quantity.hpp"
#include "yaml/merge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace icos::descriptor::header {
namespace {

/// Walks without reporting: what is below the three required keys is the API server's to judge.
const Node* descend(const Node* node, std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys) {
        if (node == nullptr) return nullptr;
        node = node->find(key);
    }
    return node == nullptr || node->is_null() ? nullptr : node;
}

std::string scalar(const Node* node) {
    return node != nullptr && node->is_scalar() ? node->text : std::string();
}

std::uint64_t count(const Node* node, std::uint64_t otherwise) {
    const std::string text = scalar(node);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && !text.empty() ? value : otherwise;
}

struct Sum {
    std::uint64_t cpu = 0;
    std::uint64_t memory = 0;
};

Sum operator+(const Sum& a, const Sum& b) {
    return {saturating_add(a.cpu, b.cpu), saturating_add(a.memory, b.memory)};
}

Sum larger(const Sum& a, const Sum& b) {
    return {std::max(a.cpu, b.cpu), std::max(a.memory, b.memory)};
}

class PodReader {
public:
    PodReader(const std::string& path, ManifestFacts& facts) : path_(path), facts_(facts) {}

    void read(const Node& pod, std::uint64_t replicas, const std::string& owner) {
        Sum together;
        for_each(pod, "containers", [&](const Node& container) {
            together = together + container_sum(container);
            read_ports(container, owner);
        });
        // Init containers run one after the other, before the rest: a pod needs the largest of all these
        // steps. Those that are always restarted stay beside what comes after them.
        Sum beside;
        Sum step;
        for_each(pod, "initContainers", [&](const Node& container) {
            const Sum one = container_sum(container);
            step = larger(step, beside + one);
            if (scalar(container.find("restartPolicy")) == "Always") beside = beside + one;
        });
        together = larger(together + beside, step);
        facts_.cpu_milli = saturating_multiply(together.cpu, replicas);
        facts_.memory = saturating_multiply(together.memory, replicas);
        facts_.memory_as_header = facts_.memory;
        for_each(pod, "volumes", [&](const Node& volume) {
            if (descend(&volume, {"persistentVolumeClaim"}) != nullptr ||
                descend(&volume, {"hostPath"}) != nullptr)
                facts_.holds_data = true;
        });
    }

private:
    template <class F>
    static void for_each(const Node& map, std::string_view key, F visit) {
        const Node* list = map.find(key);
        if (list == nullptr) return;
        for (const Node& item : list->items) visit(item);
    }

    Sum container_sum(const Node& container) {
        if (const std::string image = scalar(container.find("image")); !image.empty())
            facts_.images.push_back(image);
        const Node* cpu = requested(container, "cpu");
        const Node* memory = requested(container, "memory");
        if (const Node* resources = container.find("resources"); cpu != nullptr || memory != nullptr) {
            const Node* requests = descend(resources, {"requests"});
            facts_.reservation_lines.push_back((requests == nullptr ? resources : requests)->at.line);
        }
        return {read_cpu(scalar(cpu)).value.value_or(0), read_memory(scalar(memory)).value.value_or(0)};
    }

    /// As the API server completes it: a limit without a request is the request too.
    static const Node* requested(const Node& container, std::string_view resource) {
        const Node* request = descend(&container, {"resources", "requests", resource});
        return request != nullptr ? request : descend(&container, {"resources", "limits", resource});
    }

    void read_ports(const Node& container, const std::string& owner) {
        for_each(container, "ports", [&](const Node& port) {
            const std::uint64_t number = count(port.find("hostPort"), 0);
            if (number == 0 || number > 65535) return;
            std::string protocol = scalar(port.find("protocol"));
            std::transform(protocol.begin(), protocol.end(), protocol.begin(), [](char c) {
                return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
            });
            facts_.ports.push_back({
                .port =
                    {scalar(port.find("hostIP")),
                     static_cast<std::uint16_t>(number),
                     protocol.empty() ? "tcp" : protocol},
                .at = port.find("hostPort")->at,
                .path = path_,
                .owner = owner,
            });
        });
    }

    const std::string& path_;
    ManifestFacts& facts_;
};

/// A required scalar of the object; E037 where the enclosing map starts if it is not there.
std::string required(
    const Node& map, std::string_view key, const std::string& path, std::string_view named, Report& report
) {
    const Node* value = map.find(key);
    if (value == nullptr || value->is_null()) {
        report.add(
            "E037", map.first_key(), path, fmt::format("manifest: a Kubernetes object needs {}", named)
        );
        return {};
    }
    if (!value->is_scalar()) {
        report.add(
            "E037",
            value->at,
            child(path, key),
            fmt::format("{}: expected string, got {}", named, kind_name(*value))
        );
        return {};
    }
    return value->text;
}

}  // namespace

ManifestFacts read_kubernetes(const Field& field, ManifestDraft& draft) {
    const Node object = yaml::merged(field.node(), field.path(), field.report());
    Report& report = field.report();
    ManifestFacts facts;
    required(object, "apiVersion", field.path(), "apiVersion", report);
    draft.kind = required(object, "kind", field.path(), "kind", report);
    const Node* metadata = object.find("metadata");
    if (metadata == nullptr || !metadata->is_map()) {
        report.add(
            "E037",
            metadata == nullptr ? object.first_key() : metadata->at,
            field.path(),
            "manifest: a Kubernetes object needs metadata.name"
        );
    } else {
        draft.metadata_name =
            required(*metadata, "name", child(field.path(), "metadata"), "metadata.name", report);
        const Node* name = metadata->find("name");
        if (!draft.legacy && !draft.metadata_name.empty() && draft.metadata_name != draft.manifest.name) {
            report.add(
                "W039",
                name->at,
                child(field.path(), "metadata.name"),
                fmt::format(
                    "metadata.name: \"{}\" differs from the manifest's name \"{}\"",
                    draft.metadata_name,
                    draft.manifest.name
                ),
                {.hint = "the reference's Job Manager looks objects up by metadata.name",
                 .related = {{draft.at.line, "the manifest's name"}}}
            );
        }
        if (draft.kind == "Service" && !draft.metadata_name.empty())
            facts.services.push_back({draft.metadata_name, name->at, field.path()});
    }
    PodReader pods(field.path(), facts);
    const Node* spec = object.find("spec");
    if (draft.kind == "Pod") {
        if (spec != nullptr) pods.read(*spec, 1, draft.metadata_name);
    } else if (draft.kind == "CronJob") {
        const Node* job = descend(spec, {"jobTemplate", "spec"});
        if (const Node* pod = descend(job, {"template", "spec"}))
            pods.read(*pod, count(job->find("parallelism"), 1), draft.metadata_name);
    } else if (const Node* pod = descend(spec, {"template", "spec"})) {
        const std::string_view key = draft.kind == "Job" ? "parallelism" : "replicas";
        pods.read(*pod, count(spec->find(key), 1), draft.metadata_name);
        if (descend(spec, {"volumeClaimTemplates"}) != nullptr) facts.holds_data = true;
    }
    return facts;
}

}  // namespace icos::descriptor::header
