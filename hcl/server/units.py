"""The units that `hcl systemd` prints, for a config and the machine that it is on."""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hcl.config import Config, HostPort, Listen
from hcl.server.sockets import HTTP, MAIL, name_of
from hcl.server.standby.fence import fenced_mark
from hcl.server.systemd import FENCED_EXIT

# Made by systemd for the user of the unit.
STATE = Path("/var/lib/hcl")

_HOMES = ("/home", "/root", "/run/user")

# The order of a unit's lines is that of systemd.exec(5). What is not here, and why:
# ProtectClock and a filter without adjtimex would keep hcl from asking whether the
# clock is right; ProcSubset=pid hides the name of the boot, and who holds a lock.
_SANDBOX = """\
# What hcl does not need it may not do. docs/systemd.md: what to lift for a channel.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
PrivateUsers=yes
PrivateMounts=yes
ProtectSystem=strict
ProtectHome={home}
ProtectProc=invisible
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
KeyringMode=private
RemoveIPC=yes
UMask=0077
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
# Only to ask whether the clock is right: without CAP_SYS_TIME nobody can set it.
SystemCallFilter=adjtimex
"""

_SERVICE = """\
[Unit]
Description=hcl, which hears from jobs and tells when one is missing
Wants=network-online.target time-sync.target
After=network-online.target time-sync.target {sockets}{shares}
Requires={sockets}
RequiresMountsFor={mounts}
# Another machine has taken over: docs/standby.md.
ConditionPathExists=!{mark}
# Each start that fails is followed by another, however many there were.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
User={user}
Group={user}
ExecStart={hcl} serve --config {config}
ExecReload=/bin/kill -HUP $MAINPID
Sockets={sockets}
Restart=always
RestartSec=1
RestartPreventExitStatus={fenced}
# A database of a new version is copied and migrated first; the sockets hold the pings.
TimeoutStartSec=15min
TimeoutStopSec=30
# It is fed while the loop, the checker and the sender get on.
WatchdogSec=2min
LimitNOFILE=65536
OOMScoreAdjust=-500
{state}# For a secret that only root can read, and in hcl.toml
# password = {{ credential = "smtp-password" }}
#LoadCredential=smtp-password:/etc/hcl/smtp-password
{sandbox}
[Install]
WantedBy=multi-user.target
Also={sockets}
"""

_SOCKET = """\
[Unit]
Description=Where {what} for hcl come in; it holds them while hcl restarts
# hcl is not to run, since another machine has taken over: nothing is to be held for it.
ConditionPathExists=!{mark}

[Socket]
ListenStream={address}
{mode}FileDescriptorName={name}
Service=hcl.service
Backlog=4096

[Install]
WantedBy=sockets.target
"""

_FOLLOWER = """\
[Unit]
Description=hcl standby, which follows the database of another machine
Wants=network-online.target
After=network-online.target{shares}
Conflicts=hcl.service
RequiresMountsFor={mounts}
StartLimitIntervalSec=0

[Service]
User={user}
Group={user}
ExecStart={hcl} standby --config {config}
Restart=always
RestartSec=10
{state}{sandbox}
[Install]
WantedBy=multi-user.target
"""

_LITESTREAM = """\
[Unit]
Description=Litestream, which replicates the database of hcl
Wants=network-online.target
After=network-online.target{shares}
# Stopped after hcl, so that the last pings are replicated too.
Before=hcl.service
ConditionPathExists=!{mark}
StartLimitIntervalSec=0

[Service]
User={user}
Group={user}
ExecStart={litestream} replicate -config /etc/litestream.yml
Restart=always
RestartSec=1
TimeoutStopSec=1min
RuntimeDirectory=hcl-litestream
# Where the replica is, if that is a folder here.
{replica}{state}{sandbox}
[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """What stands in the units of the machine: a user, and the programs' paths.

    `python`: by which hcl is called; None: by itself.
    """

    user: str
    hcl: Path
    litestream: Path
    python: Path | None = None


def units(config: Config, machine: Machine) -> dict[str, str]:
    """Return the units for a config, each by the name of its file."""
    address = config.smtpd.listen
    sockets = {"hcl.socket": (config.server.listen, HTTP, "requests")}
    if address is not None:
        sockets["hcl-mail.socket"] = (address, MAIL, "mails")
    common = {
        "user": machine.user,
        "hcl": " ".join(map(_quoted, filter(None, (machine.python, machine.hcl)))),
        "config": _quoted(config.path),
        "mark": fenced_mark(config.database.path),
        "litestream": _quoted(machine.litestream),
        "mounts": " ".join(map(_quoted, _folders(config))),
        "state": _state(config),
        "sandbox": _SANDBOX.format(home=_home(config, machine)),
        "sockets": " ".join(sockets),
        "fenced": FENCED_EXIT,
        "replica": _replica(config),
        "shares": _shares(config),
    }
    made = {"hcl.service": _SERVICE.format_map(common)}
    for name, (listen, use, what) in sockets.items():
        made[name] = _socket(listen, use, what, common)
    if config.standby.follow:
        made["hcl-standby.service"] = _FOLLOWER.format_map(common)
    if config.standby.socket is not None:
        made["hcl-litestream.service"] = _LITESTREAM.format_map(common)
    return made


def _socket(listen: Listen, use: str, what: str, common: dict[str, object]) -> str:
    mode = ""
    if not isinstance(listen, HostPort):
        # Whoever may connect is believed to be a proxy.
        user = common["user"]
        mode = f"SocketMode=0660\nSocketUser={user}\nSocketGroup={user}\n"
    else:
        # An address that comes and goes, with keepalived, is listened on all the same.
        mode = "FreeBind=yes\n"
    return _SOCKET.format(
        what=what, address=_address(listen), mode=mode, name=use, mark=common["mark"]
    )


def _address(listen: Listen) -> str:
    """Write an address as ListenStream has it, which looks up no names."""
    if not isinstance(listen, HostPort):
        return str(listen.path)
    try:
        found = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM)
        host = str(found[0][4][0])
    except OSError:
        host = listen.host
    return name_of(HostPort(host, listen.port))


def _state(config: Config) -> str:
    """Let hcl write where its database is, and nowhere else."""
    made = "StateDirectory=hcl\nStateDirectoryMode=0700\n"
    # A disk for backups may be away: that is told, and no reason not to start.
    copies = [path for path in config.backup.folders if not path.is_relative_to(STATE)]
    others = "".join(f"ReadWritePaths=-{_quoted(path)}\n" for path in copies)
    folders = _folders(config)
    others += "".join(f"ReadWritePaths={_quoted(f)}\n" for f in folders if f != STATE)
    is_ours = any(folder.is_relative_to(STATE) for folder in folders)
    return made + others if is_ours else others


def _folders(config: Config) -> list[Path]:
    """Return where the database is said to be, and where it is, if a link leads on."""
    path = config.database.path
    return [*dict.fromkeys((path.parent, Path(os.path.realpath(path)).parent))]


def _replica(config: Config) -> str:
    fence = config.standby.fence
    return f"ReadWritePaths=-{_quoted(fence.parent)}\n" if fence else ""


def _shares(config: Config) -> str:
    """Wait for the shares of others, if the fence may lie there.

    Before they are mounted it would seem that nobody has raised it yet, and Litestream
    would go on to write to the empty folder.
    """
    return " remote-fs.target" if config.standby.fence else ""


def _home(config: Config, machine: Machine) -> str:
    """Hide people's folders, unless hcl has something there."""
    mail, tls, fence = config.smtpd, config.tls, config.standby.fence
    named = (mail.tls_cert, mail.tls_key, tls.ca_file, fence, *config.backup.folders)
    ours = (config.path, config.database.path, machine.hcl, machine.python, *named)
    return "read-only" if any(map(_is_at_home, filter(None, ours))) else "yes"


def _is_at_home(path: Path) -> bool:
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(home) for home in _HOMES)


def _quoted(path: Path) -> str:
    """Write a path as units have it: % begins a specifier, a blank ends a word."""
    text = str(path).replace("\\", "\\\\").replace("%", "%%")
    return f'"{text}"' if set(text) & set(" \t'\"$;") else text


def headed(made: dict[str, str], folder: Path) -> Iterator[str]:
    """Write units one below the other, each under the name of its file."""
    for name, text in made.items():
        yield f"# {folder / name}\n{text}"
