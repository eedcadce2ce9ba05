// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Canonical compose. The descriptor library turns a compose manifest, in any of the spelling variants of the
/// Compose Specification, into this one JSON form after `${VAR:-default}` interpolation; the agent turns it
/// into Engine API calls. It is the long form that the Compose Specification defines, with quantities as
/// numbers. Members are present only when given. Object keys keep the order of the text.
///
/// {
///  "services": { NAME: {
///     "image": str,                                  required
///     "command": [str], "entrypoint": [str],         a string was split as a POSIX shell would
///     "environment": {K: str | null},                null = taken from nowhere: dropped with a warning
///     "ports": [{"target": int, "published": int|absent, "host_ip": str|absent, "protocol":
///     "tcp"|"udp"|"sctp"}],  ranges expanded "expose": [{"target": int, "protocol": str}], "volumes":
///     [{"type": "volume"|"bind"|"tmpfs", "source": str|absent, "target": str, and
///         written as text: "options": str|absent (as it was written: "ro,nocopy", of a tmpfs "size=64m"),
///                          "create_host_path": true (of a bind)
///         written as a map: "long": true, "read_only": bool, "nocopy": bool, "propagation": str,
///                          "create_host_path": bool, "size": bytes, "mode": int}],
///     "networks": {NAME: {"aliases": [str], "ipv4_address": str}},       "default" when none is named
///     "network_mode": "host"|"none"|absent,
///     "depends_on": {NAME: {"condition":
///     "service_started"|"service_healthy"|"service_completed_successfully",
///                           "required": bool}},
///     "healthcheck": {"test": [str] (first "CMD", "CMD-SHELL" or "NONE"), "interval_ns", "timeout_ns",
///                     "start_period_ns": int, "retries": int},
///     "restart": "no"|"always"|"unless-stopped"|"on-failure", "restart_max_retries": int,
///     "replicas": int,
///     "limits": {"nano_cpus": int, "memory": bytes, "pids": int},
///     "reservations": {"nano_cpus": int, "memory": bytes, "devices": [{"driver": str, "count": int (-1 =
///     all),
///                      "device_ids": [str], "capabilities": [str]}]},
///     "cpu_shares", "cpu_quota", "cpu_period": int, "cpuset": str, "memswap_limit": bytes (-1 = no limit),
///     "mem_swappiness": int, "oom_kill_disable": bool, "oom_score_adj": int, "cgroup_parent": str,
///     "device_cgroup_rules": [str],
///     "labels": {K: str}, "user": str, "working_dir": str, "hostname": str, "domainname": str,
///     "container_name": absent, "extra_hosts": ["host:ip"], "dns": [str], "dns_search": [str], "dns_opt":
///     [str], "cap_add": [str], "cap_drop": [str], "privileged": bool, "read_only": bool, "security_opt":
///     [str], "devices": [{"source": str, "target": str, "permissions": "rwm"}], "sysctls": {K: str},
///     "ulimits": {NAME: {"soft": int, "hard": int}}, "shm_size": bytes, "stop_signal": str,
///     "stop_grace_period_ns": int, "init": bool, "tty": bool, "stdin_open": bool, "group_add": [str], "pid":
///     str, "ipc": str, "userns_mode": str, "logging": {"driver": str, "options": {K: str}}, "tmpfs" (folded
///     into volumes), "configs": [{"source": NAME, "target": path, "uid": str, "gid": str, "mode": int}],
///     "secrets": [same],
///     "pull_policy": "always"|"missing"|"never"
///  }},
///  "networks": {NAME: {"driver": str, "internal": bool, "labels": {}, "driver_opts": {}, "external": bool,
///  "name": str,
///                      "ipam": {"config": [{"subnet", "gateway", "ip_range": str,
///                                           "aux_addresses": {HOST: str}}]}}},
///  "volumes":  {NAME: {"driver": str, "driver_opts": {}, "labels": {}, "external": bool, "name": str}},
///  "configs":  {NAME: {"content": str}},
///  "secrets":  {NAME: {"content": str}}
/// }
/// `env_file`, and `file:` of configs and secrets, name files that are not part of the descriptor: refused
/// with their place (their content goes inline). `build` is refused: images are built elsewhere.
