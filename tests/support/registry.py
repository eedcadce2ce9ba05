#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An image registry for tests (Docker Registry HTTP API v2, reading only), filled from a `docker save` archive.

Usage: registry.py ARCHIVE PORT_FILE. Listens on two free ports of 127.0.0.1 and writes them to PORT_FILE: the first is
open to all, the second to user "me" with password "secret". Repositories:
  open/web:1       an image
  foreign/web:1    a manifest list without this machine's architecture
  slow/web:1       an image whose layer comes in pieces with pauses
Everything else is unknown.
"""
import base64
import gzip
import hashlib
import http.server
import json
import os
import sys
import tarfile
import threading
import time

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def load(path):
    """Blobs by digest, and the manifest."""
    with tarfile.open(path) as archive:
        index = json.load(archive.extractfile("manifest.json"))[0]
        config = archive.extractfile(index["Config"]).read()
        layers = [archive.extractfile(name).read() for name in index["Layers"]]
    # Another image than the saved one, so that the engine has to fetch it.
    config = json.dumps({**json.loads(config), "author": "registry"}).encode()
    blobs = {digest(config): config}
    entries = []
    for layer in layers:
        packed = gzip.compress(layer, 1, mtime=0)
        blobs[digest(packed)] = packed
        entries.append({"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": len(packed), "digest": digest(packed)})
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config), "digest": digest(config)},
        "layers": entries,
    }
    return blobs, json.dumps(manifest).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    blobs = {}
    manifests = {}

    def log_message(self, *args):
        pass

    def answer(self, status, body, content_type="application/json", headers=(), pieces=1):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for key, value in headers:
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        step = max(1, len(body) // pieces)
        for at in range(0, len(body), step):
            self.wfile.write(body[at:at + step])
            if pieces > 1:
                time.sleep(0.05)

    def refuse(self, status, code, headers=()):
        self.answer(status, json.dumps({"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}).encode(), headers=headers)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        parts = self.path.strip("/").split("/")
        if self.server.is_private and not self.is_authorised():
            return self.refuse(401, "UNAUTHORIZED", [("WWW-Authenticate", 'Basic realm="test"')])
        if parts == ["v2"]:
            return self.answer(200, b"{}")
        if len(parts) != 5:
            return self.refuse(404, "NAME_UNKNOWN")
        repository, kind, name = "/".join(parts[1:3]), parts[3], parts[4]
        if kind == "blobs" and name in self.blobs:
            pieces = 20 if repository == "slow/web" else 1
            return self.answer(200, self.blobs[name], "application/octet-stream", [("Docker-Content-Digest", name)], pieces)
        manifest = self.manifests.get((repository, name))
        if kind == "manifests" and manifest:
            content_type, body = manifest
            return self.answer(200, body, content_type, [("Docker-Content-Digest", digest(body))])
        return self.refuse(404, "MANIFEST_UNKNOWN" if kind == "manifests" else "BLOB_UNKNOWN")

    def is_authorised(self):
        given = self.headers.get("Authorization", "")
        return given == "Basic " + base64.b64encode(b"me:secret").decode()


def main():
    Handler.blobs, manifest = load(sys.argv[1])
    for repository in ("open/web", "slow/web"):
        for name in ("1", digest(manifest)):
            Handler.manifests[repository, name] = (MANIFEST, manifest)
    foreign = json.dumps({
        "schemaVersion": 2,
        "mediaType": LIST,
        "manifests": [{"mediaType": MANIFEST, "size": len(manifest), "digest": digest(manifest),
                       "platform": {"architecture": "s390x", "os": "linux"}}],
    }).encode()
    for name in ("1", digest(foreign)):
        Handler.manifests["foreign/web", name] = (LIST, foreign)
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
    for server, is_private in zip(servers, (False, True)):
        server.daemon_threads = True
        server.is_private = is_private
    with open(sys.argv[2] + ".new", "w") as file:
        file.write(" ".join(str(server.server_address[1]) for server in servers))
    os.rename(sys.argv[2] + ".new", sys.argv[2])
    threading.Thread(target=servers[0].serve_forever, daemon=True).start()
    servers[1].serve_forever()


if __name__ == "__main__":
    main()
