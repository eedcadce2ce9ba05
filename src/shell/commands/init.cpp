// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"

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
    type: kubernetes
    manifests:
      - name: web
      - name: web-svc
    requirements:
      cpu: 0.1
      memory: 64Mi

manifests:
  - name: web
    manifest:
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
      - name: web-docker
      - name: web-kubernetes
    requirements:
      cpu: 0.1
      memory: 64Mi

manifests:
  - name: web-docker
    manifest:
      services:
        web:
          image: busybox:1
          command: ["httpd", "-f", "-p", "8080", "-h", "/etc"]
          ports: ["8080:8080"]
          restart: unless-stopped
  - name: web-kubernetes
    manifest:
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

}  // namespace

int init(const std::string& type, const std::string& name) {
    std::string text(kHeader);
    text.replace(text.find("NAME"), 4, name);
    text += type == "kubernetes" ? kKubernetes : type == "multiple" ? kMultiple : kDocker;
    std::fputs(text.c_str(), stdout);
    return kDone;
}

}  // namespace icos::shell
