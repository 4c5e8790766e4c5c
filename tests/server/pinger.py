"""Ping a URL over several connections until the server is gone; print the OKs.

Run as a process: `python -m tests.server.pinger URL`.
"""

import asyncio
import sys

import httpx2

CONNECTIONS = 8


async def ping(client: httpx2.AsyncClient, url: str) -> int:
    """Return how many pings were acknowledged before the first error."""
    acknowledged = 0
    while True:
        try:
            response = await client.get(url)
        except httpx2.TransportError:
            return acknowledged
        acknowledged += response.status_code == 200


async def main(url: str) -> None:
    """Count what was acknowledged over all connections."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        counts = await asyncio.gather(*(ping(client, url) for _ in range(CONNECTIONS)))
    sys.stdout.write(str(sum(counts)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
