#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an engine says of applications, in a form in which two deployers can be compared.

  compose_parity.py descriptor FIXTURE                 the fixture as a descriptor of one component
  compose_parity.py snapshot SOCKET ours|peer FILE     inspects all containers, networks and volumes of that deployer
  compose_parity.py header FIXTURE KEY                 `# KEY: VALUE` of its first lines
  compose_parity.py compare OURS PEER FIXTURES         prints "ok NAME" or "FAIL NAME" and the places that differ
  compose_parity.py mutations OURS PEER FIXTURES       a mutation of any field outside the deny-list must be noticed
  compose_parity.py expectations OURS SOCKET FIXTURES  fixtures that docker-compose cannot deploy: what is stated about them

A snapshot is {application: {object: inspect}}; objects are "container SERVICE INDEX", "network NAME" and "volume NAME",
as the fixture calls them. The names that a deployer made, and ids, are replaced by these wherever they appear.
`is_denied` is the deny-list: all that may differ. `compose/expected.json` states what is different on purpose, with
both values: anything else in these places is a difference again.
"""
import http.client
import io
import json
import os
import re
import socket
import sys
import tarfile

OURS, PEER = "ours", "peer"
OWN_LABEL = re.compile(r"^(com\.docker\.compose\.|([a-z]+\.)?icos\.eu/)")
OWN_VARIABLE = re.compile(r"^ICOS_")
# Ids are replaced, not denied: that two places name the same object is still compared.
DENIED = {
    "container": [
        # times, and what passes with them
        "Created", "State.StartedAt", "State.FinishedAt", "State.Pid", "State.Health.Log",
        # ids of things that have no name; health checks that run just now have some
        "ExecIDs",
        "NetworkSettings.SandboxID", "NetworkSettings.SandboxKey", "NetworkSettings.EndpointID",
        "NetworkSettings.Networks.*.EndpointID", "GraphDriver.Data",
        # MAC and IP
        "NetworkSettings.MacAddress", "NetworkSettings.IPAddress", "NetworkSettings.Gateway",
        "NetworkSettings.Networks.*.MacAddress", "NetworkSettings.Networks.*.IPAddress",
        "NetworkSettings.Networks.*.Gateway",
    ],
    "network": ["Created", "Containers.*.EndpointID", "Containers.*.MacAddress", "Containers.*.IPv4Address"],
    "volume": ["CreatedAt"],
}
# Networks that name no addresses get them from this pool of the engine (compose_parity_test.sh).
ENGINE_POOL = re.compile(r"^10\.212\.")
APPLICATION_NETWORK = "<network default>"


class Engine:
    """The Engine API, as far as needed here."""

    def __init__(self, path):
        self.path = path

    def get(self, target, raw=False):
        connection = http.client.HTTPConnection("localhost", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.connect(self.path)
        connection.request("GET", target)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        if response.status != 200:
            raise SystemExit(f"GET {target}: {response.status} {body[:200]}")
        return body if raw else json.loads(body)


def application(side, labels):
    labels = labels or {}
    return labels.get("app.icos.eu/name" if side == OURS else "com.docker.compose.project")


def own_name(side, kind, name, labels):
    """What the fixture calls a network or volume, from its labels or the name that was made of it."""
    if side == PEER:
        return labels["com.docker.compose." + kind]
    if "app.icos.eu/component" not in labels:
        return "default"
    return re.sub(f"^icos-{re.escape(labels['app.icos.eu/name'])}-c-", "", name)


def collect(engine, side):
    """{application: ({object: inspect}, {made name or id: token})}"""
    found = {}

    def add(app, key, inspect, names):
        objects, tokens = found.setdefault(app, ({}, {}))
        objects[key] = inspect
        for name in names:
            tokens[name] = f"<{key}>"

    for entry in engine.get("/containers/json?all=1"):
        app = application(side, entry["Labels"])
        if not app:
            continue
        inspect = engine.get(f"/containers/{entry['Id']}/json")
        labels = inspect["Config"]["Labels"]
        prefix = "icos.eu/service" if side == OURS else "com.docker.compose.service"
        number = labels["icos.eu/service-index" if side == OURS else "com.docker.compose.container-number"]
        add(app, f"container {labels[prefix]} {number}", inspect, [inspect["Id"], inspect["Id"][:12], inspect["Name"][1:]])
    for kind, entries in (("network", engine.get("/networks")), ("volume", engine.get("/volumes")["Volumes"] or [])):
        for entry in entries:
            labels = entry["Labels"] or {}
            app = application(side, labels)
            if not app:
                continue
            inspect = engine.get(f"/{kind}s/{entry['Id'] if kind == 'network' else entry['Name']}")
            name = own_name(side, kind, entry["Name"], labels)
            add(app, f"{kind} {name}", inspect, [entry["Name"]] + ([entry["Id"]] if kind == "network" else []))
    return found


def replaced(value, tokens):
    """With made names and ids replaced in all strings and keys; what is left of 64 digits is an anonymous volume or external network."""
    if isinstance(value, str):
        for name in sorted(tokens, key=len, reverse=True):
            value = value.replace(name, tokens[name])
        return re.sub(r"\b[0-9a-f]{64}\b", "<id>", value)
    if isinstance(value, list):
        return [replaced(item, tokens) for item in value]
    if isinstance(value, dict):
        return {replaced(key, tokens): replaced(item, tokens) for key, item in value.items()}
    return value


def without(value, path):
    """Removes one denied place; `*` stands for every key."""
    head, _, rest = path.partition(".")
    if not isinstance(value, dict):
        return
    for key in list(value) if head == "*" else [head]:
        if key not in value:
            continue
        if rest:
            without(value[key], rest)
        else:
            del value[key]


def foreign(labels):
    return {key: text for key, text in (labels or {}).items() if not OWN_LABEL.match(key)} if labels is not None else None


def normalise_container(inspect):
    config, host, settings = inspect["Config"], inspect["HostConfig"], inspect["NetworkSettings"]
    config["Labels"] = foreign(config["Labels"])
    config["Env"] = sorted(text for text in config["Env"] or [] if not OWN_VARIABLE.match(text))
    # Which of its networks a container is created on and which are connected before it starts is not visible in it.
    if host["NetworkMode"] in settings["Networks"] and host["NetworkMode"] not in ("host", "none"):
        host["NetworkMode"] = "<one of its networks>"
    # docker-compose keeps these in sets, so their order means nothing and changes from run to run.
    inspect["Mounts"] = sorted(inspect["Mounts"], key=lambda mount: mount["Destination"])
    host["Mounts"] = sorted(host["Mounts"], key=lambda mount: mount["Target"]) if host.get("Mounts") else host.get("Mounts")
    for key in ("Binds", "ExtraHosts"):
        host[key] = sorted(host[key]) if host[key] else host[key]
    for port, bindings in (settings["Ports"] or {}).items():
        wanted = (host["PortBindings"] or {}).get(port) or []
        for binding in bindings or []:
            if not any(entry["HostPort"] == binding["HostPort"] for entry in wanted):
                binding["HostPort"] = "<the engine's choice>"
    for name, network in settings["Networks"].items():
        if network["Aliases"] is not None:
            own = r"^([a-z0-9-]+\.c|m)$" if name == APPLICATION_NETWORK else r"^$"
            network["Aliases"] = sorted({alias for alias in network["Aliases"] if not re.match(own, alias)})


def normalise_network(inspect):
    inspect["Labels"] = foreign(inspect["Labels"])
    for pool in inspect["IPAM"]["Config"] or []:
        for key, address in pool.items():
            if key in ("Subnet", "Gateway") and ENGINE_POOL.match(address):
                pool[key] = "<the engine's choice>"


def normalise_volume(inspect):
    inspect["Labels"] = foreign(inspect["Labels"])


def snapshot(socket_path, side):
    return {
        app: {key: replaced(inspect, tokens) for key, inspect in objects.items()}
        for app, (objects, tokens) in collect(Engine(socket_path), side).items()
    }


def normalised(key, inspect):
    """A copy without what may differ."""
    kind = key.split()[0]
    inspect = json.loads(json.dumps(inspect))
    {"container": normalise_container, "network": normalise_network, "volume": normalise_volume}[kind](inspect)
    for path in DENIED[kind]:
        without(inspect, path)
    return inspect


def is_ours_alone(key, there):
    """The application network where docker-compose made no default network: then it is not compared."""
    return key == "network default" and key not in there


def without_application_network(key, ours, there):
    """Takes it out of one normalised object of ours, where docker-compose has no counterpart."""
    if key == "network default":
        ours.pop("Containers")
    elif key.startswith("container ") and APPLICATION_NETWORK not in there[key]["NetworkSettings"]["Networks"]:
        ours["NetworkSettings"]["Networks"].pop(APPLICATION_NETWORK, None)


def is_denied(key, path, inspect, there):
    """The deny-list: whether this leaf of an object of ours may differ from docker-compose's (`there`: all its objects)."""
    kind = key.split()[0]
    if any(matches(pattern.split("."), path) for pattern in DENIED[kind]):
        return True
    if is_ours_alone(key, there):
        return True
    if kind != "container":
        return (
            path[0] == "Labels" and bool(OWN_LABEL.match(path[1]))
            or path[:2] == ("IPAM", "Config") and path[-1] in ("Subnet", "Gateway")
            and bool(ENGINE_POOL.match(get(inspect, path)))
            or key == "network default" and path[0] == "Containers"
        )
    if path[:2] == ("Config", "Labels"):
        return len(path) > 2 and bool(OWN_LABEL.match(path[2]))
    if path[:2] == ("Config", "Env"):
        return len(path) > 2 and bool(OWN_VARIABLE.match(get(inspect, path)))
    if path[:2] == ("NetworkSettings", "Ports") and path[-1] == "HostPort":
        wanted = inspect["HostConfig"]["PortBindings"].get(path[2], [])
        return all(entry["HostPort"] != get(inspect, path) for entry in wanted)
    if path[:3] == ("NetworkSettings", "Networks", APPLICATION_NETWORK):
        return APPLICATION_NETWORK not in there[key]["NetworkSettings"]["Networks"]
    return False


def matches(pattern, path):
    """Whether a path is a pattern's place or below it."""
    return len(path) >= len(pattern) and all(want in ("*", part) for want, part in zip(pattern, path))


def leaves(value, path=()):
    """(path, leaf) of everything below; empty maps and lists are leaves."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, path + (key,))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, path + (index,))
    else:
        yield path, value


def place(path):
    return ".".join(str(part) for part in path)


def differences(ours, peer, path=()):
    if type(ours) is type(peer):
        if isinstance(ours, dict):
            for key in sorted(set(ours) | set(peer)):
                if key not in ours:
                    yield path + (key,), "(absent)", peer[key]
                elif key not in peer:
                    yield path + (key,), ours[key], "(absent)"
                else:
                    yield from differences(ours[key], peer[key], path + (key,))
            return
        if isinstance(ours, list) and len(ours) == len(peer):
            for index, (left, right) in enumerate(zip(ours, peer)):
                yield from differences(left, right, path + (index,))
            return
    if ours != peer or type(ours) is not type(peer):
        yield path, ours, peer


def get(value, path):
    for part in path:
        value = value[part]
    return value


def accept_stated(expected, key, ours, peer):
    """Makes the stated differences none: places where both values are exactly the stated ones."""
    for statement in expected:
        path = statement["path"].split(".")
        if not re.fullmatch(statement.get("object", key.split()[0] + " .*"), key):
            continue
        try:
            left, right = get(ours, path), get(peer, path)
        except (KeyError, TypeError):
            continue
        if left == statement["ours"] and right == statement["peer"]:
            get(ours, path[:-1])[path[-1]] = right


def counterpart(key, there):
    """docker-compose's object, ready to be compared with."""
    right = normalised(key, there[key])
    if key == "network default":
        right.pop("Containers")
    return right


def compared(expected, key, ours, right, there):
    """Differences of one object of ours from its counterpart `right`; `there` are all of docker-compose's."""
    left = normalised(key, ours)
    without_application_network(key, left, there)
    accept_stated(expected, key, left, right)
    return list(differences(left, right))


def header(fixture, key):
    """`# KEY: VALUE` among the first lines of a fixture."""
    with open(fixture, encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                return None
            if line.startswith(f"# {key}: "):
                return line[len(key) + 4:].strip()
    return None


def fixtures(folder, with_peer):
    for file in sorted(os.listdir(folder)):
        path = os.path.join(folder, file)
        if file.endswith(".yaml") and (header(path, "docker-compose") != "cannot") == with_peer:
            yield file[:-len(".yaml")], path


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def descriptor(path):
    name = os.path.basename(path)[:-len(".yaml")]
    with open(path, encoding="utf-8") as file:
        body = "".join("      " + line if line.strip() else line for line in file)
    return (f"name: parity-{name}\ncomponents:\n  - {{name: c, type: docker, manifests: [{{name: m}}]}}\n"
            f"manifests:\n  - name: m\n    manifest:\n{body}")


def statements_for(folder, name):
    return [entry for entry in load(os.path.join(folder, "expected.json")) if entry.get("fixture", name) == name]


def compare(ours_file, peer_file, folder):
    ours, peer = load(ours_file), load(peer_file)
    failed = False
    for name, _ in fixtures(folder, True):
        here, there = ours.get("parity-" + name), peer.get("parity-" + name)
        if not here or not there:
            print(f"FAIL {name}: not deployed by {'docker-compose' if here else 'us'}")
            failed = True
            continue
        expected = statements_for(folder, name)
        found = [f"{key} is not there" for key in there if key not in here]
        for key in sorted(here):
            if is_ours_alone(key, there):
                continue
            if key not in there:
                found.append(f"{key} is ours alone")
                continue
            for path, left, right in compared(expected, key, here[key], counterpart(key, there), there):
                found.append(f"{key}: {place(path)}: ours {json.dumps(left)}, docker-compose {json.dumps(right)}")
        print(f"ok {name} is the same by docker-compose ({len(there)} objects)" if not found else f"FAIL {name}")
        failed = failed or bool(found)
        for line in found:
            print(f"     {line}")
    return failed


def other(leaf):
    """A value that differs from this one as little as possible."""
    if isinstance(leaf, bool):
        return not leaf
    if isinstance(leaf, (int, float)):
        return leaf + 1
    if isinstance(leaf, str):
        return leaf + "x"
    if leaf is None:
        return "x"
    return ["x"] if isinstance(leaf, list) else {"x": "x"}


def mutations(ours_file, peer_file, folder):
    """Changes one leaf of ours after the other, as the engine said it; each change outside the deny-list must show."""
    ours, peer = load(ours_file), load(peer_file)
    tried, denied, missed = 0, 0, []
    for name, _ in fixtures(folder, True):
        here, there = ours.get("parity-" + name, {}), peer.get("parity-" + name, {})  # compare tells of what is missing
        expected = statements_for(folder, name)
        for key, inspect in here.items():
            right = None if is_ours_alone(key, there) else counterpart(key, there)
            for path, leaf in list(leaves(inspect)):
                if is_denied(key, path, inspect, there):
                    denied += 1
                    continue
                tried += 1
                parent = get(inspect, path[:-1])
                parent[path[-1]] = other(leaf)
                try:
                    noticed = bool(compared(expected, key, inspect, right, there))
                except (KeyError, TypeError, AttributeError):
                    noticed = True  # so much unlike an inspection that it cannot even be read
                parent[path[-1]] = leaf
                if not noticed:
                    missed.append(f"{name}: {key}: {place(path)}: {json.dumps(leaf)}")
    print(f"ok each of {tried} mutations is noticed, {denied} fields may differ" if tried and not missed
          else f"FAIL {len(missed)} of {tried} mutations go unnoticed")
    for line in missed[:40]:
        print(f"     {line}")
    return bool(missed) or not tried


def file_in(engine, container, path):
    archive = tarfile.open(fileobj=io.BytesIO(engine.get(f"/containers/{container}/archive?path={path}", raw=True)))
    entry = archive.getmembers()[0]
    return {"mode": oct(entry.mode & 0o7777), "uid": entry.uid, "gid": entry.gid, "content": archive.extractfile(entry).read().decode()}


def expectations(ours_file, socket_path, folder):
    ours = load(ours_file)
    engine = Engine(socket_path)
    by_service = {}
    for entry in engine.get("/containers/json?all=1"):
        labels = entry["Labels"]
        by_service[labels.get("app.icos.eu/name"), f"container {labels.get('icos.eu/service')} {labels.get('icos.eu/service-index')}"] = entry["Id"]
    failed = False
    for name, path in fixtures(folder, False):
        app = "parity-" + name
        wrong = []
        statements = load(path[:-len(".yaml")] + ".expected.json")
        for statement in statements:
            key, where = statement["object"], statement.get("path") or statement["file"]
            if key not in ours.get(app, {}):
                wrong.append(f"{key} is not there")
                continue
            if "file" in statement:
                actual = file_in(engine, by_service[app, key], where)
            else:
                try:
                    actual = get(normalised(key, ours[app][key]), [part.replace("~1", "/") for part in where.split("/")])  # as in JSON Pointer
                except (KeyError, TypeError):
                    actual = "(absent)"
            if actual != statement["value"]:
                wrong.append(f"{key}: {where}: {json.dumps(actual)}, expected {json.dumps(statement['value'])}")
        print(f"ok {name} is as stated ({len(statements)} statements)" if statements and not wrong else f"FAIL {name}")
        failed = failed or bool(wrong) or not statements
        for line in wrong:
            print(f"     {line}")
    return failed


def main(arguments):
    verb, *rest = arguments or [""]
    if verb == "descriptor" and len(rest) == 1:
        print(descriptor(rest[0]), end="")
    elif verb == "header" and len(rest) == 2:
        print(header(*rest) or "")
    elif verb == "snapshot" and len(rest) == 3 and rest[1] in (OURS, PEER):
        with open(rest[2], "w", encoding="utf-8") as file:
            json.dump(snapshot(rest[0], rest[1]), file, indent=1, sort_keys=True)
    elif verb in ("compare", "mutations", "expectations") and len(rest) == 3:
        return {"compare": compare, "mutations": mutations, "expectations": expectations}[verb](*rest)
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(int(main(sys.argv[1:])))
