"""FakeStore with a delay: python fakestore.py PORT SECONDS. It knows every product; one thread, any number at once."""

import asyncio
import json
import sys


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Answer one connection's requests, each after the delay."""
    while head := await reader.readline():
        number = int(head.split()[1].rpartition(b"/")[2])
        while (await reader.readline()).strip():
            pass
        await asyncio.sleep(seconds)
        body = json.dumps({"id": number, "title": f"Thing {number}", "price": 9.95, "category": "things"}).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        await writer.drain()
    writer.close()


async def main() -> None:
    """Serve until killed."""
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    server = await asyncio.start_server(lambda reader, writer: answer(reader, writer, seconds), "127.0.0.1", port)
    await server.serve_forever()


asyncio.run(main())
