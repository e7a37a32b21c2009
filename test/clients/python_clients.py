"""Python's HTTP clients through the proxy: `python_clients.py CLIENT URL`. Exits non-zero on the first wrong byte."""

import asyncio
import hashlib
import http.client
import json
import sys
import urllib.error
import urllib.request

BODY = bytes(range(256)) * 4096
HASH = hashlib.sha256(BODY).hexdigest()


def check(found, expected):
    assert found == expected, f"{found!r} instead of {expected!r}"


def check_received(text, method):
    received = json.loads(text)
    check((received["method"], received["bytes"], received["sha256"]), (method, len(BODY), HASH))


def parts():
    for at in range(0, len(BODY), 10_000):
        yield BODY[at : at + 10_000]


def with_http_client(address):
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.connect()
    socket = connection.sock
    for _ in range(20):
        connection.request("GET", "/bytes/70000")
        check(len(connection.getresponse().read()), 70_000)
    connection.request("POST", "/hash", BODY)
    check_received(connection.getresponse().read(), "POST")
    connection.request("PUT", "/hash", parts(), encode_chunked=True)
    check_received(connection.getresponse().read(), "PUT")
    connection.request("GET", "/chunked/100000")
    answer = connection.getresponse()
    check((answer.getheader("transfer-encoding"), len(answer.read())), ("chunked", 100_000))
    connection.request("HEAD", "/bytes/5")
    answer = connection.getresponse()
    check((answer.getheader("content-length"), answer.read()), ("5", b""))
    connection.request("DELETE", "/")
    check(connection.getresponse().read(), b"app\n")
    assert connection.sock is socket, "the connection was not kept"


def with_urllib(address):
    with urllib.request.urlopen(f"http://{address}/bytes/123456", timeout=10) as answer:
        check((answer.status, len(answer.read())), (200, 123_456))
    request = urllib.request.Request(f"http://{address}/hash", data=BODY, method="PATCH")
    with urllib.request.urlopen(request, timeout=10) as answer:
        check_received(answer.read(), "PATCH")
    try:
        urllib.request.urlopen(f"http://{address}/status/404", timeout=10)
    except urllib.error.HTTPError as error:
        check((error.code, error.read()), (404, b"404\n"))
    else:
        raise AssertionError("404 was not passed on")


async def with_aiohttp(address):
    import aiohttp

    async def streamed():
        for part in parts():
            yield part

    url = f"http://{address}"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as session:

        async def get(size):
            async with session.get(f"{url}/bytes/{size}") as answer:
                check(len(await answer.read()), size)

        async def post(data):
            async with session.post(f"{url}/hash", data=data, expect100=isinstance(data, bytes)) as answer:
                check_received(await answer.text(), "POST")

        await asyncio.gather(*(get(1000 * n) for n in range(200)))
        await asyncio.gather(*(post(BODY) for _ in range(20)), *(post(streamed()) for _ in range(20)))


client, address = sys.argv[1:]
if client == "aiohttp":
    asyncio.run(with_aiohttp(address))
else:
    {"http.client": with_http_client, "urllib": with_urllib}[client](address)
print("ok")
