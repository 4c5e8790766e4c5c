"""The proxies of docs/proxies.md, as real processes before a real server."""

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self

import httpx2

from tests.patience import ENDS
from tests.server.process import free_port

DOCS = (Path(__file__).parents[2] / "docs/proxies.md").read_text()
FILES = {
    (found[1], found[2]): found[3]
    for found in re.finditer(r"(?ms)^```(nginx|caddy) ([\w-]+)\n(.*?)^```$", DOCS)
}

_NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {site}
}}
"""
_CADDY = "{{\n  admin off\n  auto_https off\n}}\n{site}"


class Proxy:
    """nginx or Caddy with a file of the docs, on a free port before another one."""

    def __init__(
        self, folder: Path, kind: str, name: str, *, hcl: int, portal: int = 0
    ) -> None:
        self.port = free_port()
        self.root = f"http://127.0.0.1:{self.port}"
        self._folder, self._kind = folder, kind
        site = FILES[kind, name].replace("127.0.0.1:8000", f"127.0.0.1:{hcl}")
        site = site.replace("127.0.0.1:9091", f"127.0.0.1:{portal}")
        site = site.replace("listen 80;", f"listen 127.0.0.1:{self.port};")
        site = re.sub(
            r"(?m)^\S*example\.org \{", f"http://127.0.0.1:{self.port} {{", site
        )
        whole = _NGINX if kind == "nginx" else _CADDY
        text = whole.format(folder=folder, site=site)
        self._config = folder / ("nginx.conf" if kind == "nginx" else "Caddyfile")
        self._config.write_text(text)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = {
            "nginx": ["-p", str(self._folder), "-e", "stderr", "-c", str(self._config)],
            "caddy": ["run", "--adapter", "caddyfile", "--config", str(self._config)],
        }[self._kind]
        with (self._folder / "proxy.log").open("wb") as log:
            self._process = subprocess.Popen(
                [program(self._kind), *command],
                env={"HOME": str(self._folder)},
                stdout=log,
                stderr=log,
            )
        begun = time.monotonic()
        while True:
            try:
                httpx2.get(f"{self.root}/nothing", trust_env=False, verify=False)
            except httpx2.TransportError:
                late = time.monotonic() - begun > ENDS
                if late or self._process.poll() is not None:
                    raise RuntimeError(self.log) from None
                time.sleep(0.02)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def log(self) -> str:
        """What it complained of."""
        return (self._folder / "proxy.log").read_text()


def program(kind: str) -> str:
    """Return where a proxy is; Debian has nginx where only root looks."""
    return shutil.which(kind) or shutil.which(kind, path="/usr/sbin") or ""
