"""docs/standby.md as it stands, typed on a machine that serves and then takes over."""

import re
import time

from tests.namespaces import Systemd
from tests.patience import ENDS
from tests.server import test_systemd_docs
from tests.server.test_systemd_docs import ROOT, blocks, machine, type_

pytestmark = test_systemd_docs.pytestmark
__all__ = ["machine"]

# The machine may write there; docs/standby.md has /srv.
SHARE = "/var/srv/hcl"


def config(kind: str) -> str:
    """Return what the page first shows of a kind, as it is on alpha."""
    text = (ROOT / "docs/standby.md").read_text()
    [first, *_] = re.findall(rf"(?ms)^```{kind}\n(.*?)^```$", text)
    return str(first).replace("/srv/hcl", SHARE)


def put(machine: Systemd, path: str, text: str, redirect: str = ">") -> None:
    machine.run("sh", "-c", f'printf %s "$TEXT" {redirect} {path}', TEXT=text)


def until(machine: Systemd, question: str) -> None:
    """Wait until a command succeeds there."""
    begun = time.monotonic()
    while (done := machine.run("sh", "-c", question)).returncode != 0:
        assert time.monotonic() - begun < ENDS, done.stdout + done.stderr
        time.sleep(0.05)


def test_one_machine_follows_another_and_takes_over_as_typed(machine: Systemd) -> None:
    [install, *_] = blocks()
    both, on_alpha, on_beta, take_over, back = (
        block.replace("/srv/hcl", SHARE) for block in blocks("standby")
    )
    toml = "/var/lib/hcl/hcl.toml"
    machine.run("userdel", "hcl")
    type_(machine, install)
    type_(machine, "cp /run/shown/bin/litestream /opt/hcl/bin/\n")
    type_(machine, f"install -d -o hcl -g hcl {SHARE}\n")
    find_key = ["sed", "-n", 's/^ping_key = "\\(.*\\)" .*/\\1/p', toml]
    key = machine.run(*find_key).stdout.strip()
    url = f"http://127.0.0.1:8000/ping/{key}/job"

    # It is alpha.
    put(machine, "/etc/litestream.yml", config("yaml"))
    put(machine, toml, config("toml"), ">>")
    type_(machine, both)
    type_(machine, on_alpha)
    until(machine, f"curl -sS '{url}?create=1' | grep -x Created")
    until(machine, f"find {SHARE}/alpha -name '*.ltx' | grep .")

    # It is beta, and alpha is gone, with its last words in the replica.
    type_(machine, "systemctl stop hcl hcl.socket; systemctl stop hcl-litestream\n")
    swapped = f"sed -i s:{SHARE}/alpha:{SHARE}/x:;s:{SHARE}/beta:{SHARE}/alpha:"
    swapped += f";s:{SHARE}/x:{SHARE}/beta:"
    for path in ("/etc/litestream.yml", toml):
        machine.run(*swapped.split(), path)
    type_(machine, "cd /var/lib/hcl && rm -r hcl.sqlite* .hcl.sqlite-litestream\n")
    type_(machine, both)
    type_(machine, on_beta)
    until(machine, "test -e /var/lib/hcl/hcl.sqlite.standby")
    type_(machine, take_over)

    until(machine, f"curl -sS '{url}' | grep -x OK")
    until(machine, f"find {SHARE}/beta -name '*.ltx' | grep .")

    # And has been passed.
    type_(machine, back)

    until(machine, "systemctl is-active hcl-standby")
    assert machine.run("systemctl", "is-active", "hcl").stdout == "inactive\n"
