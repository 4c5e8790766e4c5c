"""docs/systemd.md as it stands, typed on a machine with the real systemd."""

import re
import site
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.namespaces import Systemd, is_possible
from tests.patience import ENDS

ROOT = Path(__file__).parents[2]
_PYTHON = Path(f"/usr/bin/python3.{sys.version_info.minor}")

pytestmark = pytest.mark.skipif(
    not (is_possible() and _PYTHON.exists()),
    reason="needs systemd, root, namespaces, and Debian's Python of our version",
)

# What the units order themselves by; this machine's own are not to run.
TARGETS = (
    *("sysinit", "basic", "shutdown", "sockets", "multi-user"),
    *("network-online", "time-sync"),
)

# What pip would install, which README's test has it do: links to what is shown.
_INSTALL = """
for folder in /opt/hcl/lib/python3*/site-packages; do
    printf '/run/shown/hcl\\n/run/shown/site\\n' > "$folder/hcl.pth"
done
cat > /opt/hcl/bin/hcl <<END
#!/opt/hcl/bin/python
from hcl.__main__ import main
main()
END
chmod 755 /opt/hcl/bin/hcl
"""


def page(name: str) -> str:
    return (ROOT / f"docs/{name}.md").read_text()


def blocks(name: str = "systemd") -> list[str]:
    return re.findall(r"(?ms)^```sh\n(.*?)^```$", page(name))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Systemd]:
    units = tmp_path / "units"
    units.mkdir()
    for name in TARGETS:
        (units / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    tmp_path.chmod(0o755)
    # Its /tmp is its own: what is to be seen there may lie in ours.
    shown = {"hcl": ROOT, "site": Path(site.getsitepackages()[0])}
    shown["bin"] = Path(sys.executable).parent
    system = Systemd(units, tmp_path / "over", shown)
    yield system
    system.close()


def type_(machine: Systemd, block: str) -> str:
    """Run a block; what pip does in it is done without a network."""
    pip = re.compile(r"(?m)^/opt/hcl/bin/pip .*\n")
    script = pip.sub("", pip.sub(_INSTALL.replace("\\", r"\\"), block, count=1))
    script = script.replace("python3 -m venv", f"{_PYTHON} -m venv --without-pip")
    done = machine.run("sh", "-exc", script)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_units_are_installed_upgraded_and_removed_as_typed(machine: Systemd) -> None:
    install, _, upgrade, remove = blocks()
    [again] = blocks("upgrading")

    def answer() -> str:
        command = ["curl", "-sS", "http://127.0.0.1:8000/api/v3/status/"]
        return machine.run(*command).stdout

    # Whom this machine may have already.
    machine.run("userdel", "hcl")
    type_(machine, install)
    first = machine.run("systemctl", "show", "--property=MainPID", "--value", "hcl")
    assert answer() == "OK", machine.run("systemctl", "status", "hcl").stdout
    # As all pages have it: by its name, in any folder.
    named = machine.run("hcl", "health", PATH="/usr/local/bin:/usr/bin:/bin")
    assert named.returncode == 0, named.stderr
    type_(machine, upgrade)
    second = machine.run("systemctl", "show", "--property=MainPID", "--value", "hcl")
    assert answer() == "OK"
    assert len({first.stdout, second.stdout, "0\n"}) == 3
    type_(machine, again)
    assert answer() == "OK"

    # Debian is upgraded: its Python looks for packages in another folder.
    type_(machine, "mv /opt/hcl/lib/python3* /opt/hcl/lib/python3.1\n")
    version = "env", "-u", "PYTHONPATH", "/usr/local/bin/hcl", "--version"
    assert "No module named 'hcl'" in machine.run(*version).stderr
    [anew] = re.findall(r"`(python3 -m venv --clear .*?)`", page("systemd"))
    type_(machine, f"{anew}\n{upgrade}")
    assert answer() == "OK"
    assert machine.run(*version).returncode == 0

    type_(machine, remove)

    assert answer() == ""
    assert machine.run("test", "-e", "/usr/local/bin/hcl").returncode == 1
    left = machine.run("stat", "--format=%U %a %n", "/var/lib/hcl/hcl.sqlite").stdout
    assert left == "hcl 600 /var/lib/hcl/hcl.sqlite\n"


# Somebody tries hcl out: it serves, and has a check.
_TRIED = """
mkdir /tmp/tried && cd /tmp/tried
/opt/hcl/bin/hcl init >&2
/opt/hcl/bin/hcl serve >&2 & server=$!
key=$(sed -n 's/^ping_key = "\\([^"]*\\)".*/\\1/p' hcl.toml)
curl -sS --retry 30 --retry-delay 1 --retry-connrefused \
    "http://127.0.0.1:8000/ping/$key/tried?create=1" >&2
kill "$server" && wait "$server"
echo "$key"
"""


def test_what_was_tried_out_comes_along(machine: Systemd) -> None:
    install, along, *_ = blocks()
    before, init, after = re.split(r"(?m)^(setpriv .* init .*\n)", install)
    machine.run("userdel", "hcl")
    type_(machine, before)
    key = type_(machine, _TRIED).strip()

    type_(machine, f"cd /tmp/tried\n{along}{after}")

    ping = machine.run("curl", "-sS", f"http://127.0.0.1:8000/ping/{key}/tried")
    assert ping.stdout == "OK", machine.run("systemctl", "status", "hcl").stdout
    told = machine.run("stat", "--format=%U %a", "/var/lib/hcl/hcl.toml").stdout
    assert (told, "hcl init" in init) == ("hcl 600\n", True)


_MAIL = """
[smtpd]
listen = "127.0.0.1:25"
domain = "hc.test"
"""


_TLS = 'tls_cert = "fullchain.pem"\ntls_key = "privkey.pem"\n'
_CERTIFICATE = """
mkdir -p /var/live && cd /var/live && chmod 700 .
openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \\
    -subj /CN=hc.test -days 2 -keyout privkey.pem -out fullchain.pem 2>/dev/null
"""
_SHOWN = """
openssl s_client -starttls smtp -connect 127.0.0.1:25 </dev/null 2>/dev/null |
    openssl x509 -noout -fingerprint || true
"""


def test_certificate_that_is_renewed_is_taken_at_once(machine: Systemd) -> None:
    install, _, upgrade, _ = blocks()
    make_anew = "\n".join(upgrade.splitlines()[-2:])
    [hook] = [block for block in blocks("api") if "LINEAGE" in block]
    taken = f"export RENEWED_LINEAGE=/var/live\n{hook}"
    machine.run("userdel", "hcl")
    type_(machine, install)

    type_(machine, f"{_CERTIFICATE}\n{taken}")
    tables = f"{_MAIL}{_TLS}"
    type_(machine, f"cat >> /var/lib/hcl/hcl.toml <<END{tables}END\n{make_anew}\n")
    first = type_(machine, _SHOWN)
    type_(machine, f"{_CERTIFICATE}\n{taken}")

    begun = time.monotonic()
    while (second := type_(machine, _SHOWN)) in ("", first):
        assert time.monotonic() - begun < ENDS
        time.sleep(0.1)
    assert "Fingerprint=" in first
    assert "Fingerprint=" in second


def held(machine: Systemd) -> str:
    """Return where systemd listens for hcl."""
    told = machine.run("ss", "-ltnpH").stdout
    lines = [line.split() for line in told.splitlines() if '("systemd"' in line]
    return " ".join(sorted(words[3] for words in lines))


def test_addresses_that_changed_are_listened_on_by_systemd(machine: Systemd) -> None:
    install, _, upgrade, _ = blocks()
    [make, as_ever] = upgrade.splitlines()[-2:]
    file = "/var/lib/hcl/hcl.toml"

    def edited(script: str, *, follows: bool = True) -> tuple[str, str]:
        told = type_(machine, f"{script}\n{make}\n")
        [then] = re.findall("(?m)^Next: (.*)$", told)
        type_(machine, then if follows else as_ever)
        status = "http://127.0.0.1:8123/api/v3/status/"
        return machine.run("curl", "-sS", status).stdout, held(machine)

    machine.run("userdel", "hcl")
    type_(machine, install)

    moved = edited(f"sed -i 's/0.0.1:8000/0.0.1:8123/' {file}")
    mailed = edited(f"cat >> {file} <<END{_MAIL}END")
    without = edited(f"sed -i '/smtpd/,$d' {file}", follows=False)

    assert moved == ("OK", "127.0.0.1:8123")
    assert mailed == ("OK", "127.0.0.1:25 127.0.0.1:8123")
    # Who restarts hcl alone is served too.
    assert without[0] == "OK"
