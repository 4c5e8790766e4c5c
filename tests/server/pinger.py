"""Ping a URL over several connections until the server is gone; print the OKs.

It says "going" once each connection has some.

Run as a process: `python -m tests.server.pinger URL`.
"""

import asyncio
import sys

import httpx2

CONNECTIONS = 8

# For each connection.
SOME = 20


async def ping(client: httpx2.AsyncClient, url: str, going: asyncio.Barrier) -> int:
    """Return how many pings were acknowledged before the first error."""
    acknowledged = 0
    while True:
        if acknowledged == SOME and await going.wait() == 0:
            sys.stdout.write("going\n")
            sys.stdout.flush()
        try:
            response = await client.get(url)
        except httpx2.TransportError:
            return acknowledged
        acknowledged += response.status_code == 200


async def main(url: str) -> None:
    """Count what was acknowledged over all connections."""
    going = asyncio.Barrier(CONNECTIONS)
    async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
        counts = await asyncio.gather(
            *(ping(client, url, going) for _ in range(CONNECTIONS))
        )
    sys.stdout.write(str(sum(counts)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
