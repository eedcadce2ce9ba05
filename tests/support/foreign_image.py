#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns the output of `docker save` on stdin into that of an image for another architecture on stdout.

usage: docker save IMAGE | foreign_image.py NEW_NAME:TAG ARCHITECTURE | docker load
"""
import io
import json
import sys
import tarfile

name, architecture = sys.argv[1:3]
source = tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read()))
manifest = json.load(source.extractfile("manifest.json"))
config_path = manifest[0]["Config"]
config = json.load(source.extractfile(config_path))
config["architecture"] = architecture
manifest[0]["RepoTags"] = [name]
replaced = {"manifest.json": json.dumps(manifest).encode(), config_path: json.dumps(config).encode()}
target = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
for member in source.getmembers():
    if member.name == "repositories":
        continue
    content = source.extractfile(member)
    data = replaced.get(member.name, content.read() if content else b"")
    member.size = len(data) if member.isfile() else 0
    target.addfile(member, io.BytesIO(data) if member.isfile() else None)
target.close()
