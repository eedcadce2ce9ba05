#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keeps docs/descriptor.schema.json in step with the validator.

schema_check.py SOURCE_DIR TESTS: TESTS is the program of the unit tests, run once to get the texts that it has parsed, with
what the validator says of each. What the validator accepts, the schema accepts; what it refuses for a reason that a schema
can express, the schema refuses; where it lists the keys that it knows, the schema has the same ones.
"""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

import jsonschema
import yaml

# Reasons that a schema can express. The others need more than one place of the text (references, duplicates, sums), or
# how it is written.
EXPRESSED = set(
    "E010 E013 E014 E015 E020 E021 E023 E024 E025 E035 E037 E038 E040 E041 E042 E043 E045 E046 E047 E048 E050 E051 E052 E054 "
    "E055 E056 E057 E060 E061 E063 E066 E067 E068 E069 E070 E071 C001 C008".split()
)
# The validator says more than a schema: one of these with such a code need not be found.
BEYOND = re.compile(r"not a duration of at most|is too much|cores are too many|is given twice")


class Loader(yaml.SafeLoader):
    """YAML 1.2 core schema, as the validator and editors read it; merge keys as compose has them."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+0123456789."),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
]:
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first))
Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(re.sub("^0o", "", node.value), 8 if node.value.startswith("0o") else 0 if node.value.startswith("0x") else 10))


def load(text):
    """The header document, or None where the text has none or several: then it is not what a schema is for."""
    try:
        documents = [d for d in yaml.load_all(text, Loader) if d is not None]
    except (yaml.YAMLError, RecursionError, ValueError, TypeError):
        return None
    return documents[0] if len(documents) == 1 else None


def all_errors(errors):
    for error in errors:
        yield error
        yield from all_errors(error.context)


def keys_of_error(validator, document, path):
    """What the schema knows in the map in which it refuses the key at `path`."""
    for error in all_errors(validator.iter_errors(document)):
        where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path).lstrip(".")
        if error.validator == "additionalProperties" and path in {f"{where}.{key}".lstrip(".") for key in error.instance}:
            yield set(error.schema["properties"])


def check_texts(validator, folder):
    problems, seen, accepted = [], set(), 0
    for path in sorted(glob.glob(folder + "/*.yaml")):
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
        with open(path.replace(".yaml", ".json"), encoding="utf-8") as file:
            diagnostics = json.load(file)
        # A repaired text is no YAML for an editor, which says so at that line; what is beyond the limits is not read to its end.
        if any(d["code"] in ("W002", "E007") for d in diagnostics):
            continue
        document = load(text)
        errors = [d for d in diagnostics if d["severity"] == "error"]
        # A merge key of the header is refused too, but merged when a schema sees it.
        if document is None or any(d["path"] == "<<" for d in errors):
            continue
        refused = [e.message for e in validator.iter_errors(document)]
        wrong = sorted({d["code"] for d in errors if d["code"] in EXPRESSED and not BEYOND.search(d["message"])})
        if not errors:
            accepted += 1
        if not errors and refused:
            problems.append(f"valid, but the schema says {refused[0]}:\n{text}")
        if wrong and not refused:
            problems.append(f"{' '.join(wrong)}, but the schema accepts it:\n{text}")
        if refused:
            seen.update(wrong)
        for d in errors:
            known = re.fullmatch(r"known here: (.*)", d["hint"])
            if not known:
                continue
            words = set(re.split(r", | or ", known[1]))
            found = list(keys_of_error(validator, document, d["path"]))
            if words not in found:
                problems.append(f"{d['path']}: the validator knows {sorted(words)}, the schema {[sorted(f) for f in found]}")
    if accepted < 50:
        problems.append(f"only {accepted} valid texts were written: is ICOS_DESCRIPTOR_TEXTS still read?")
    problems += [f"no text with {code} is refused" for code in sorted(EXPRESSED - seen)]
    return problems


# Where the validator's lists of compose keys are in the schema. `build` and `env_file` are known to be refused.
COMPOSE = {
    "normalise.cpp kKeys": "compose",
    "service.cpp Key": "composeService",
    "ports.cpp kLongKeys": "composePort",
    "mounts.cpp kMountKeys": "composeMount",
    "mounts.cpp kBindKeys": "composeBind",
    "mounts.cpp kVolumeKeys": "composeVolumeOptions",
    "mounts.cpp kTmpfsKeys": "composeTmpfs",
    "mounts.cpp kContentKeys": "composeFile",
    "mounts.cpp kDeviceKeys": "composeDevice",
    "collections.cpp kNetworkKeys": "composeServiceNetwork",
    "collections.cpp kDependencyKeys": "composeDependency",
    "collections.cpp kUlimitKeys": "composeUlimit",
    "deploy.cpp kDeployKeys": "composeDeploy",
    "deploy.cpp kResourceKeys": "composeResources",
    "deploy.cpp kLimitKeys": "composeLimits",
    "deploy.cpp kReservationKeys": "composeReservations",
    "deploy.cpp kDeviceKeys": "composeDeviceRequest",
    "deploy.cpp kRestartKeys": "composeRestartPolicy",
    "deploy.cpp kHealthKeys": "composeHealthcheck",
    "deploy.cpp kLoggingKeys": "composeLogging",
    "resources.cpp kNetworkKeys": "composeNetwork",
    "resources.cpp kVolumeKeys": "composeVolume",
    "resources.cpp kContentKeys": "composeSecret",
    "resources.cpp kIpamKeys": "composeIpam",
    "resources.cpp kSubnetKeys": "composeSubnet",
}


def check_compose_keys(schema, folder):
    problems, lists = [], {}
    for path in glob.glob(folder + "/*.cpp"):
        with open(path, encoding="utf-8") as file:
            source = file.read()
        name = os.path.basename(path)
        for array, words in re.findall(r"string_view, \d+> (k\w*Keys)\{([^}]*)\}", source):
            lists[f"{name} {array}"] = set(re.findall(r'"([^"]+)"', words))
        services = set(re.findall(r'\bKey\{"([^"]+)", (?!refuse_)', source))
        if services:
            lists[f"{name} Key"] = services
    for place in sorted(set(lists) ^ set(COMPOSE)):
        problems.append(f"{place}: the list of keys has no place in COMPOSE, or the other way round")
    for place in sorted(set(lists) & set(COMPOSE)):
        known = set(schema["definitions"][COMPOSE[place]]["properties"])
        difference = known ^ (lists[place] - {"external"} if COMPOSE[place] == "composeSecret" else lists[place])
        if difference:
            problems.append(f"{place}: only one of validator and schema has {sorted(difference)}")
    return problems


def main(source, tests):
    with open(source + "/docs/descriptor.schema.json", encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    problems = check_compose_keys(schema, source + "/src/descriptor/compose")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([tests, "[descriptor]"], env={**os.environ, "ICOS_DESCRIPTOR_TEXTS": folder}, stdout=subprocess.DEVNULL, check=True)
        problems += check_texts(validator, folder)
    print("\n".join(problems) or "docs/descriptor.schema.json says what the validator says")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
