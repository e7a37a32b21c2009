"""A WebSocket client through the proxy: `websocket_client.py URL`. Exits non-zero on the first wrong byte."""

import asyncio
import hashlib
import os
import sys

import websockets


async def main(url):
    async with websockets.connect(url, max_size=None) as connection:
        await (await connection.ping(b"are you there"))
        for size in (0, 1, 125, 126, 65_535, 65_536, 8_000_000):
            message = os.urandom(size)
            await connection.send(message)
            answer = await connection.recv()
            assert hashlib.sha256(answer).digest() == hashlib.sha256(message).digest(), size
        await connection.send(str(n) * 1000 for n in range(50))
        assert await connection.recv() == "".join(str(n) * 1000 for n in range(50)), "fragments"
        await (await connection.ping())

    async with websockets.connect(url) as connection:
        await connection.send("close 4321")
        try:
            await connection.recv()
        except websockets.ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (4321, "as asked"), closed
        else:
            raise AssertionError("was not closed")


asyncio.run(main(sys.argv[1]))
print("ok")
