#!/usr/bin/env bash
# Imports an image made of Debian's busybox-static. Usage: busybox-image.sh DOCKER_SOCKET NAME:TAG
set -eu
socket=$1
image=$2
busybox=$(command -v busybox) || { echo "busybox-image.sh: install busybox-static" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{bin,etc,tmp,var,root,proc,sys,dev,home,www}
chmod 1777 "$work/tmp"
cp "$busybox" "$work/bin/busybox"
for applet in $("$busybox" --list); do [ "$applet" = busybox ] || ln -sf busybox "$work/bin/$applet"; done
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n' >"$work/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$work/etc/group"
tar -C "$work" -c . | docker -H "unix://$socket" import --change 'CMD ["sh"]' --change 'ENV PATH=/bin' - "$image" >/dev/null
