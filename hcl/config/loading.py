"""Find hcl.toml, read it, and make a Config of it."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

from hcl.config.channels.calm import read_zone
from hcl.config.environment import above
from hcl.config.host_zone import host_zone
from hcl.config.keys import KEYS
from hcl.config.net import network
from hcl.config.projects import project_names, read_projects
from hcl.config.reading import ConfigError, Source, Spot, Table, shown
from hcl.config.rights import may_exist, not_utf8, text_of, why_not
from hcl.config.settings import (
    MAIL_LIMIT,
    Access,
    AfterAbsence,
    AlertsConfig,
    ApiConfig,
    BackupConfig,
    Config,
    DatabaseConfig,
    Flips,
    Listen,
    MetricsConfig,
    PingsConfig,
    ProjectConfig,
    Security,
    ServerConfig,
    SmtpConfig,
    SmtpdConfig,
    StandbyConfig,
    Synchronous,
    TestEvery,
    TlsConfig,
    UserConfig,
    WatchdogConfig,
    WebConfig,
)

SYSTEM_PATH = Path("/etc/hcl/hcl.toml")
# Where the units of systemd have it.
STATE_PATH = Path("/var/lib/hcl/hcl.toml")
_LOCAL = ("127.0.0.1", "::1")
_SECRET_LENGTH = 32


def find(
    explicit: str | None,
    env: Mapping[str, str],
    cwd: Path,
    system: Path = SYSTEM_PATH,
    state: Path = STATE_PATH,
) -> Path | None:
    """Tell which file counts, None if there is none.

    A path that was given, or stands in $HCL_CONFIG, counts even if nothing is there.
    """
    if given := explicit or env.get("HCL_CONFIG"):
        return cwd / given
    here = cwd / "hcl.toml"
    # Where one may not look, as in the home of who types `sudo -u hcl`, none is meant.
    places = [here] * os.path.exists(here) + [system, state, here]
    return next((path for path in places if may_exist(path)), None)


def load(path: Path, env: Mapping[str, str] = os.environ) -> Config:
    """Read a file. ConfigError tells what is wrong with it.

    What Apprise would say of its URLs is another matter, and asked elsewhere.
    """
    text, data = read_data(path)
    try:
        config = parse(data, path.absolute().parent, str(path), env)
        check_files(config, str(path))
    except ConfigError as e:
        if e.spot is None:
            raise
        # Imported here: only a wrong file needs it.
        from hcl.config.places import described

        raise ConfigError(described(e.spot, text, data, str(path))[1], e.spot) from e
    return config


def read_data(path: Path) -> tuple[str, dict[str, Any]]:
    """Read a file as text, and as TOML. Raises ConfigError."""
    try:
        text = text_of(path)
        return text, tomllib.loads(text)
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read: {why_not(e, path)}") from e
    except UnicodeDecodeError as e:
        raise ConfigError(not_utf8(e, path)) from e
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"{path}: is not TOML: {e}") from e
    except (ValueError, RecursionError) as e:
        # Numbers of thousands of digits, arrays in arrays in arrays.
        raise ConfigError(f"{path}: cannot be read as TOML: {e}") from e


def check_files(config: Config, file_name: str) -> None:
    """Refuse certificates and keys that cannot be used. Raises ConfigError."""
    _check_certificate(config.smtpd, file_name)
    _check_trust(config.tls, file_name)


def parse(
    data: Mapping[str, object],
    base: Path,
    file_name: str,
    env: Mapping[str, str] = os.environ,
) -> Config:
    """Make a Config of what stands in a file, whose paths are relative to `base`."""
    root = Table(Source(file_name, base.absolute(), env), "", data)
    root.allow(KEYS[""])
    smtp = _smtp(_section(root, "smtp"))
    projects = read_projects(root, can_mail=bool(smtp.host))
    return Config(
        path=base.absolute() / Path(file_name).name,
        server=_server(_section(root, "server")),
        database=_database(_section(root, "database")),
        pings=_pings(_section(root, "pings")),
        api=_api(_section(root, "api")),
        metrics=_metrics(_section(root, "metrics")),
        web=_web(root, projects),
        smtp=smtp,
        smtpd=_smtpd(_section(root, "smtpd")),
        alerts=_alerts(_section(root, "alerts")),
        backup=_backup(_section(root, "backup")),
        watchdog=_watchdog(_section(root, "watchdog")),
        standby=_standby(_section(root, "standby")),
        projects=projects,
        tls=TlsConfig(_optional_file(_section(root, "tls"), "ca_file")),
    )


def _section(root: Table, key: str) -> Table:
    return root.table(key, KEYS[key])


def _server(table: Table) -> ServerConfig:
    site_root = above(table, "site_root", _site_root)
    ping_root = network.root_url(table, "ping_endpoint", f"{site_root}/ping/")
    return ServerConfig(
        listen=above(table, "listen", _listen),
        site_root=site_root,
        ping_endpoint=f"{ping_root}/",
        site_name=table.name("site_name", "hcl"),
        trusted_proxies=network.networks(table, "trusted_proxies", _LOCAL),
        secret=_signing_secret(table),
    )


def _site_root(table: Table, key: str) -> str:
    return network.root_url(table, key, "http://127.0.0.1:8000")


def _listen(table: Table, key: str) -> Listen:
    return network.listening(table, key, "127.0.0.1:8000")


def _database_path(table: Table, key: str) -> Path:
    return table.file(key, "hcl.sqlite")


def _signing_secret(table: Table) -> str:
    """Read what cookies and badges are signed by: who guesses it can sign them too."""
    secret = table.secret("secret", "")
    if secret and len(secret) < _SECRET_LENGTH:
        # Without the value, as with all secrets.
        allowed = f'use {_SECRET_LENGTH} characters at least, or "" to have one made'
        raise table.error("secret", f"is too short; {allowed}")
    return secret


def _database(table: Table) -> DatabaseConfig:
    return DatabaseConfig(
        path=above(table, "path", _database_path),
        synchronous=table.choice("synchronous", "full", get_args(Synchronous)),
    )


def _pings(table: Table) -> PingsConfig:
    return PingsConfig(
        body_limit=table.whole("body_limit", 10000),
        log_limit=table.whole("log_limit", 1000, least=1),
    )


def _api(table: Table) -> ApiConfig:
    return ApiConfig(
        flips=table.choice("flips", "object", get_args(Flips)),
        body_limit=table.whole("body_limit", 1_048_576, least=1),
        metrics_key=table.secret_line("metrics_key", ""),
    )


def _metrics(table: Table) -> MetricsConfig:
    return MetricsConfig(allow=network.networks(table, "allow", _LOCAL))


def _web(root: Table, projects: Sequence[ProjectConfig]) -> WebConfig:
    table = _section(root, "web")
    user_header = network.header_name(table, "user_header")
    if user_header and "trusted_proxies" not in _section(root, "server").data:
        # By default every program on this machine could say who it is.
        needs = "needs server.trusted_proxies; write there which proxies name users"
        raise table.error("user_header", needs)
    users = _users(table, [project.name for project in projects])
    if users and not user_header:
        raise table.error("users", "needs user_header, by which a proxy names them")
    return WebConfig(table.flag("enabled", True), user_header, users)


def _users(web: Table, names: Sequence[str]) -> tuple[UserConfig, ...]:
    found: dict[str, UserConfig] = {}
    for table in web.tables("users"):
        table.allow(KEYS["web.users"])
        name = table.name("name")
        if name in found:
            raise table.error("name", f"{shown(name)} is there twice; use one table")
        access = table.choice("access", "read-write", get_args(Access))
        found[name] = UserConfig(name, access, project_names(table, names))
    return tuple(found.values())


def _smtp(table: Table) -> SmtpConfig:
    return SmtpConfig(
        host=network.host(table, "host"),
        port=table.whole("port", 587, least=1, most=65535),
        username=table.secret_line("username", ""),
        password=table.secret_line("password", ""),
        security=table.choice("security", "starttls", get_args(Security)),
        sender=network.sender(table, "from", "hcl@localhost"),
    )


def _smtpd(table: Table) -> SmtpdConfig:
    listen = None
    if table.line("listen", ""):
        listen = network.listening(table, "listen", "")
    domain = network.host(table, "domain")
    if listen and not domain:
        problem = "is missing; smtpd.listen needs the domain of the addresses"
        raise table.error("domain", problem)
    cert, key = _optional_file(table, "tls_cert"), _optional_file(table, "tls_key")
    if (cert is None) != (key is None):
        missing = "tls_cert" if cert is None else "tls_key"
        raise table.error(missing, "is missing; tls_cert and tls_key go together")
    return SmtpdConfig(
        listen=listen,
        domain=domain,
        size_limit=table.whole("size_limit", 1_000_000, least=1, most=MAIL_LIMIT),
        tls_cert=cert,
        tls_key=key,
    )


def _alerts(table: Table) -> AlertsConfig:
    return AlertsConfig(
        after_absence=table.choice("after_absence", "excuse", get_args(AfterAbsence)),
        test_every=_test_every(table),
        tz=_zone_of_messages(table),
    )


def _zone_of_messages(table: Table) -> str:
    if table.data.get("tz", "") == "":
        return host_zone(table.source.env)
    return read_zone(table, "tz")


def _test_every(table: Table) -> TestEvery:
    # "" cannot be named among what is allowed.
    if table.data.get("test_every") == "":
        return ""
    words = [word for word in get_args(TestEvery) if word]
    if "test_every" not in table.data:
        return ""
    return table.choice("test_every", "", words)


def _backup(table: Table) -> BackupConfig:
    folder = _optional_file(table, "folder")
    if second := _optional_file(table, "second_folder"):
        if folder is None:
            raise table.error("folder", "is missing; second_folder is beside it")
        if second == folder:
            raise table.error("second_folder", "is the same as folder; use another one")
    return BackupConfig(
        folder=folder,
        second_folder=second,
        every=_every(table, timedelta(days=1), least=_MINUTES_10),
        keep=table.whole("keep", 7, least=1, most=10_000),
    )


def _watchdog(table: Table) -> WatchdogConfig:
    url = table.secret_line("url", "")
    if url:
        network.check_url(table, "url", url)
    every = _every(table, timedelta(minutes=1), least=timedelta(seconds=10))
    return WatchdogConfig(url, every)


def _every(table: Table, default: timedelta, *, least: timedelta) -> timedelta:
    value = table.length("every")
    if value is None:
        return default
    if value < least:
        shortest = "10m" if least == _MINUTES_10 else "10s"
        problem = f"{shown(table.data['every'])} is too often"
        raise table.error("every", f"{problem}; use {shortest} at least")
    return value


_MINUTES_10 = timedelta(minutes=10)


def _standby(table: Table) -> StandbyConfig:
    read, write = (
        table.secret_line("fence_read", ""),
        table.secret_line("fence_write", ""),
    )
    if bool(read) != bool(write):
        missing = "fence_write" if read else "fence_read"
        raise table.error(missing, "is missing; fence_read and fence_write go together")
    fence = _optional_file(table, "fence")
    if fence is not None and read:
        raise table.error("fence", "is one way, fence_read the other; give one of them")
    follow = table.secret_line("follow", "")
    if follow and "://" not in follow:
        follow = str(table.source.folder / follow)
    socket = _optional_file(table, "socket")
    if socket is not None:
        network.socket_path(table, "socket", socket)
    return StandbyConfig(
        socket=socket,
        follow=follow,
        fence=fence,
        fence_read=read,
        fence_write=write,
    )


def _check_certificate(smtpd: SmtpdConfig, file_name: str) -> None:
    """Refuse a certificate or a key that cannot be used."""
    if smtpd.listen is None or smtpd.tls_cert is None or smtpd.tls_key is None:
        return
    # Imported here: ssl takes a while, and few have a certificate.
    from hcl.config.net.certificate import CertificateError, server_context

    try:
        server_context(smtpd.tls_cert, smtpd.tls_key)
    except CertificateError as error:
        raise _of_file("smtpd", error.key, error, file_name) from error


def _check_trust(tls: TlsConfig, file_name: str) -> None:
    """Refuse a file of CAs in which there are none."""
    if tls.ca_file is None:
        return
    # Imported here: ssl takes a while, and few have a CA of their own.
    from hcl.config.net.certificate import CertificateError, check_authorities

    try:
        check_authorities(tls.ca_file)
    except CertificateError as error:
        raise _of_file("tls", error.key, error, file_name) from error


def _of_file(table: str, key: str, error: Exception, file_name: str) -> ConfigError:
    """Tell what is wrong with a file that is named in a table."""
    spot = Spot(table, key, f"{table}.{key}", str(error))
    return ConfigError(f"{file_name}: {spot.place}: {spot.problem}", spot)


def _optional_file(table: Table, key: str) -> Path | None:
    return table.file(key) if table.line(key, "") else None
