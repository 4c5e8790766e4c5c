"""Backups to a disk that the machine unmounts, and mounts another in its place."""

import time

from tests.namespaces import Systemd
from tests.patience import ENDS
from tests.server import test_systemd_docs
from tests.server.test_systemd_docs import blocks, machine, type_

pytestmark = test_systemd_docs.pytestmark
__all__ = ["machine"]

_TOML = "/var/lib/hcl/hcl.toml"
_BACKUP = '[backup]\nfolder = "/var/usb/hcl"\nevery = "10m"\n'


def plug_in(machine: Systemd, name: str, owner: str) -> None:
    script = (
        f"mkdir -p /var/usb && mount -t tmpfs {name} /var/usb && mkdir /var/usb/hcl"
    )
    type_(machine, f"{script}\nchown {owner} /var/usb/hcl\n")


def until_said(machine: Systemd, words: str) -> None:
    """Wait until hcl says of its backups what is looked for."""
    begun = time.monotonic()
    while words not in (said := machine.run("/usr/local/bin/hcl", "status").stdout):
        assert time.monotonic() - begun < ENDS, said
        time.sleep(0.2)


def test_disk_that_was_exchanged_is_told_and_used_after_a_restart(
    machine: Systemd,
) -> None:
    install, _, upgrade, _ = blocks()
    make_anew = "\n".join(upgrade.splitlines()[-2:])
    machine.run("userdel", "hcl")
    # As systemd has it where it is no container's.
    machine.run("mount", "--make-rshared", "/")
    type_(machine, install)
    # hcl may not write there yet, so that a reload tries it again.
    plug_in(machine, "one", "root")
    type_(machine, f"cat >> {_TOML} <<END\n{_BACKUP}END\n{make_anew}\n")
    until_said(machine, "Permission denied")

    type_(machine, "chown hcl /var/usb/hcl\numount /var/usb\n")
    plug_in(machine, "two", "hcl")
    type_(machine, "systemctl reload hcl\n")
    until_said(machine, "its disk was unmounted")
    type_(machine, "systemctl restart hcl\n")

    until_said(machine, "/var/usb/hcl/hcl-")
    assert ".sqlite" in machine.run("ls", "/var/usb/hcl").stdout

    # One that is plugged in after the start needs none.
    type_(machine, "systemctl stop hcl\numount /var/usb\n")
    script = "DELETE FROM settings WHERE name LIKE 'backup%'"
    type_(machine, f'sqlite3 /var/lib/hcl/hcl.sqlite "{script}"\nsystemctl start hcl\n')
    until_said(machine, "there is no such folder")
    plug_in(machine, "three", "hcl")
    type_(machine, "systemctl reload hcl\n")
    until_said(machine, "/var/usb/hcl/hcl-")
    assert ".sqlite" in machine.run("ls", "/var/usb/hcl").stdout
