#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that resets every connection soon: cutting_proxy.py LISTEN_HOST:PORT TARGET_HOST:PORT

Every fourth connection is cut after a few bytes from the target, somewhere in the handshake; the others once they were quiet
for a moment, that is, when both sides have said what they say first. Prints the number of connections when it ends.
"""
import asyncio
import random
import signal
import socket
import struct
import sys

QUIET = 0.02  # seconds
HANDSHAKE = 3000  # bytes: about what a controller sends until the link stands
chance = random.Random(24)


def reset(writer):
    """RST instead of FIN: the other side is told that the connection broke, not that it ended."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Cut(Exception):
    pass


async def pump(reader, writer, state, limit):
    passed = 0
    while True:
        chunk = await reader.read(16384)
        if not chunk:
            raise Cut
        passed += len(chunk)
        if limit is not None and passed > limit:
            raise Cut
        state["heard"] = asyncio.get_running_loop().time()
        writer.write(chunk)
        await writer.drain()


async def watch(state):
    """Raises Cut once nothing was said for a while after the handshake."""
    loop = asyncio.get_running_loop()
    while True:
        heard = state["heard"]
        await asyncio.sleep(heard + QUIET - loop.time() if heard else QUIET)
        if heard and heard == state["heard"]:
            raise Cut


async def serve(target):
    count = 0

    async def connection(reader, writer):
        nonlocal count
        count += 1
        early = chance.randrange(HANDSHAKE) if count % 4 == 0 else None
        far = None
        work = []
        try:
            far_reader, far = await asyncio.open_connection(*target)
            state = {"heard": 0}
            work = [
                asyncio.ensure_future(pump(reader, far, state, None)),
                asyncio.ensure_future(pump(far_reader, writer, state, early)),
                asyncio.ensure_future(watch(state)),
            ]
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, asyncio.CancelledError):
            pass  # or the proxy ends
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            reset(writer)
            if far is not None:
                reset(far)

    return connection, lambda: count


async def main(listen, target):
    connection, count = await serve(target)
    server = await asyncio.start_server(connection, *listen)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    print("listening", flush=True)
    await ended.wait()
    server.close()
    print(count(), flush=True)


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


if len(sys.argv) != 3:
    sys.exit(__doc__)
asyncio.run(main(address(sys.argv[1]), address(sys.argv[2])))
