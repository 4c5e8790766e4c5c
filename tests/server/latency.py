"""Ping a URL, each time over a new connection, until standard input ends.

Prints "going" first, and "answered" at the first OK; in the end how many pings were
answered by OK, how many were not, and the 99th percentile of the seconds they took.

Run as a process: `python -m tests.server.latency PORT PATH`.
"""

import select
import socket
import sys
import time

_PAUSE = 0.005


def ping(port: int, path: str) -> bool:
    """Ping once, and tell whether that was acknowledged."""
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    received = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(request)
            while data := connection.recv(4096):
                received += data
    except OSError:
        return False
    return received.startswith(b"HTTP/1.1 200 ")


def main(port: int, path: str) -> None:
    """Ping until nobody wants it any more."""
    took, failed = [], 0
    sys.stdout.write("going\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], _PAUSE)[0]:
        begun = time.perf_counter()
        is_ok = ping(port, path)
        took.append(time.perf_counter() - begun)
        failed += not is_ok
        if is_ok and len(took) - failed == 1:
            sys.stdout.write("answered\n")
            sys.stdout.flush()
    took.sort()
    p99 = took[len(took) * 99 // 100] if took else 0.0
    sys.stdout.write(f"{len(took) - failed} {failed} {p99:.6f}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
