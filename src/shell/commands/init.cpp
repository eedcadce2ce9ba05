// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"
#include "icos/descriptor/descriptor.hpp"

#include <cstdio>
#include <string_view>

namespace icos::shell {
namespace {

constexpr std::string_view kHeader =
    R"(# Application descriptor. Check it with `icos validate`, see where it would go with `icos plan -f`,
# run it with `icos apply -f FILE --wait`. Everything that is possible: docs/descriptor.md.
name: NAME
description: "what it is for"

components:
)";

/// Of a component; the same whatever runs it.
constexpr std::string_view kPolicies = R"(    # policies:
    #   - {type: scheduler, performance: 0.5, energy: 0.3, security: 0.2}   # what counts when nodes are compared
    #   - security: medium       # the least security of its node
    # communication:
    #   - incoming: db           # a service of another component that this one needs
)";

constexpr std::string_view kDocker = R"(  - name: web
    type: docker                 # docker, kubernetes, or multiple (manifests for both)
    manifests:
      - name: web                # one or more entries of `manifests` below
    requirements:
      cpu: 0.1                   # cores; "100m" is the same
      memory: 64Mi               # Ki Mi Gi (1024) or k M G (1000)
      # architecture: x86_64     # or arm64
      # devices: squat.ai/video  # a device that the node must have
      # nodelabel:               # one replica on a node for each listed value
      #   key: site
      #   values: [lab]
POLICIES
manifests:
  - name: web
    manifest:                    # a compose file; keys that are not supported are refused, never ignored
      services:
        web:
          image: busybox:1
          command: ["httpd", "-f", "-p", "8080", "-h", "/etc"]
          ports:
            - "8080:8080"
          healthcheck:
            test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/hostname"]
            interval: 2s
          restart: unless-stopped
)";

constexpr std::string_view kKubernetes = R"(  - name: web
    type: kubernetes             # docker, kubernetes, or multiple (manifests for both)
    manifests:
      - name: web                # each is an entry of `manifests` below, and best named like its object
      - name: web-svc
    requirements:                # without them: the sum of what the pods request
      cpu: 0.1                   # cores; "100m" is the same
      memory: 64Mi               # Ki Mi Gi (1024) or k M G (1000)
POLICIES
manifests:
  - name: web
    manifest:                    # one Kubernetes object, handed on as it is written here
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: web}
      spec:
        replicas: 1
        selector: {matchLabels: {app: web}}
        template:
          metadata: {labels: {app: web}}
          spec:
            containers:
              - name: web
                image: busybox:1
                command: ["httpd", "-f", "-p", "8080", "-h", "/etc"]
                ports: [{containerPort: 8080}]
  - name: web-svc
    manifest:
      apiVersion: v1
      kind: Service
      metadata: {name: web-svc}
      spec:
        selector: {app: web}
        ports: [{port: 8080}]
)";

constexpr std::string_view kMultiple = R"(  - name: web
    type: multiple               # runs on whichever engine is chosen: manifests for both
    manifests:
      - name: web-docker         # the endings tell people; the content tells the system
      - name: web-kubernetes
    requirements:
      cpu: 0.1                   # cores; "100m" is the same
      memory: 64Mi               # Ki Mi Gi (1024) or k M G (1000)
POLICIES
manifests:
  - name: web-docker
    manifest:                    # a compose file
      services:
        web:
          image: busybox:1
          command: ["httpd", "-f", "-p", "8080", "-h", "/etc"]
          ports: ["8080:8080"]
          restart: unless-stopped
  - name: web-kubernetes
    manifest:                    # a Kubernetes object
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: web-kubernetes}
      spec:
        selector: {matchLabels: {app: web}}
        template:
          metadata: {labels: {app: web}}
          spec:
            containers:
              - name: web
                image: busybox:1
                command: ["httpd", "-f", "-p", "8080", "-h", "/etc"]
)";

void replace(std::string& text, std::string_view word, std::string_view by) {
    text.replace(text.find(word), word.size(), by);
}

}  // namespace

Result<std::string> starter(const std::string& type, const std::string& name) {
    std::string text(kHeader);
    replace(text, "NAME", name);
    text += type == "kubernetes" ? kKubernetes : type == "multiple" ? kMultiple : kDocker;
    replace(text, "POLICIES\n", std::string(kPolicies) + "\n");
    // Whatever the name does to the text, what comes out is valid.
    for (const descriptor::Diagnostic& problem : descriptor::parse(text).diagnostics) {
        if (problem.severity == descriptor::Severity::info) continue;
        return Error{errc::invalid, problem.message, problem.hint};
    }
    return text;
}

int init(const std::string& type, const std::string& name) {
    const Result<std::string> text = starter(type, name);
    if (text.has_error()) {
        report(text.error());
        return kUsage;
    }
    std::fputs(text->c_str(), stdout);
    return kDone;
}

}  // namespace icos::shell
