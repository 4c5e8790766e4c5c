"""A webhook's receiver in a thread of its own: tests with a browser have no loop."""

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self

from tests.patience import ENDS


class Sink:
    """Answer every POST with 200, and keep its body."""

    def __init__(self) -> None:
        bodies: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                bodies.append(self.rfile.read(length).decode())
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.bodies = bodies
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """Where it listens, with a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def wait_for(self, body: str, seconds: float = ENDS) -> None:
        """Wait until a body like this has come."""
        deadline = time.monotonic() + seconds
        while body not in self.bodies:
            assert time.monotonic() < deadline, f"{body!r} is not in {self.bodies}"
            time.sleep(0.02)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
