// SPDX-License-Identifier: Apache-2.0
#include "icos/agent/container_plan.hpp"

#include <algorithm>
#include <unordered_map>

namespace icos::agent {
namespace {

enum class Mark { unseen, open, done };

/// Depth-first walk with a stack of its own: manifests choose the depth.
class Walk {
public:
    explicit Walk(const std::vector<ServiceNode>& services) : services_(services), marks_(services.size()) {
        for (std::size_t i = 0; i < services.size(); ++i) index_.emplace(services[i].service, i);
    }

    Result<std::vector<std::string>> run() {
        for (std::size_t i = 0; i < services_.size(); ++i) {
            const Result<void> visited = visit(i);
            if (visited.has_error()) return visited.error();
        }
        return std::move(order_);
    }

private:
    struct Frame {
        std::size_t node = 0;
        std::size_t next = 0;
    };

    Result<void> visit(std::size_t root) {
        if (marks_[root] == Mark::done) return {};
        std::vector<Frame> stack{{root, 0}};
        marks_[root] = Mark::open;
        while (!stack.empty()) {
            Frame& top = stack.back();
            const ServiceNode& node = services_[top.node];
            if (top.next == node.depends_on.size()) {
                marks_[top.node] = Mark::done;
                order_.push_back(node.service);
                stack.pop_back();
                continue;
            }
            const Dependency& dependency = node.depends_on[top.next++];
            const auto found = index_.find(dependency.service);
            if (found == index_.end()) {
                if (!dependency.required) continue;
                return Error{
                    errc::invalid,
                    "service '" + node.service + "' depends on '" + dependency.service +
                        "', which no manifest of the component defines"
                };
            }
            if (marks_[found->second] == Mark::done) continue;
            if (marks_[found->second] == Mark::open) return cycle(stack, found->second);
            marks_[found->second] = Mark::open;
            stack.push_back({found->second, 0});
        }
        return {};
    }

    Error cycle(const std::vector<Frame>& stack, std::size_t again) const {
        std::string path;
        const auto first =
            std::find_if(stack.begin(), stack.end(), [&](const Frame& f) { return f.node == again; });
        for (auto frame = first; frame != stack.end(); ++frame)
            path += services_[frame->node].service + " -> ";
        path += services_[again].service;
        return Error{errc::invalid, "depends_on has a cycle: " + path, "remove one of these dependencies"};
    }

    const std::vector<ServiceNode>& services_;
    std::vector<Mark> marks_;
    std::unordered_map<std::string, std::size_t> index_;
    std::vector<std::string> order_;
};

}  // namespace

Result<std::vector<std::string>> start_order(const std::vector<ServiceNode>& services) {
    return Walk(services).run();
}

}  // namespace icos::agent
