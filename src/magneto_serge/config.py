"""Every setting, with its default, and how one value is chosen among its sources.

Rules:

* **Precedence**: arguments > ``MAGNETO_*`` environment > file > the environment's ``HTTPS_PROXY``,
  ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` (for reaching origins only) > default.
* **The file** is the nearest ``magneto.toml``, or ``pyproject.toml`` with ``[tool.magneto]``, from
  the start folder upwards. Relative paths in it are relative to the folder it stands in.
* **A mistake is an error**, never passed over: an unknown key names the nearest known one; a wrong
  value names the setting, the value (unless it is a secret), the source, and what is accepted.
* A :class:`Settings` is checked across its fields however it was made, and never changes.

No I/O but the reading of that one file. Start-up time is counted here: TOML, ``difflib`` and
``platformdirs`` are imported only when needed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from .config_matching import MatchRoute
from .config_values import HOSTS, RULES, RemoteFolder, convert
from .errors import ConfigError

ENVIRONMENT_PREFIX = "MAGNETO_"
# Set by us for a child (the listening URL in reverse mode): not a setting when it comes back.
NOT_SETTINGS = frozenset({"MAGNETO_URL"})


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings; times in seconds, sizes in bytes. ``docs/configuration.md`` explains each."""

    host: str = "127.0.0.1"
    port: int = 8888
    workers: int = 1
    cassette_dir: Path | RemoteFolder = Path("cassettes")
    mode: str = "auto"
    reverse: str | None = None
    reverse_tls: bool = False
    ignore_hosts: tuple[str, ...] = ()
    upstream_ca: Path | None = None
    insecure: bool = False
    upstream_proxy: str | None = None
    no_proxy: tuple[str, ...] = ()
    connect_timeout: float = 10.0
    idle_timeout: float = 60.0
    keepalive_timeout: float = 75.0
    header_timeout: float = 30.0
    shutdown_timeout: float = 5.0
    proxy_auth: str | None = None
    ca_cert: Path | None = None
    ca_key: Path | None = None
    data_dir: Path | None = None
    format: str = "json"
    fsync: str = "finish"
    stable: bool = False
    exact_bodies: bool = False
    redact: bool = True
    redact_headers: tuple[str, ...] = ()
    redact_query: tuple[str, ...] = ()
    redact_fields: tuple[str, ...] = ()
    redact_patterns: tuple[str, ...] = ()
    redact_allow: tuple[str, ...] = ()
    record_only: tuple[str, ...] = ()
    record_except: tuple[str, ...] = ()
    record_combine: str = "all"
    scripts: tuple[Path, ...] = ()
    hooks: tuple[str, ...] = ()
    templates: bool = False
    template_env: tuple[str, ...] = ()
    template_seed: int | None = None
    map_hosts: tuple[str, ...] = ()
    set_headers: tuple[str, ...] = ()
    rewrite: tuple[str | dict[str, Any], ...] = ()
    match_on: tuple[str, ...] = ("default",)
    ignore_query: tuple[str, ...] = ()
    ignore_headers: tuple[str, ...] = ()
    ignore_json_paths: tuple[str, ...] = ()
    url_patterns: tuple[str, ...] = ()
    ignore_url: tuple[str, ...] = ()
    ignore_body: tuple[str, ...] = ()
    match_credentials: str = "presence"
    routes: tuple[MatchRoute, ...] = ()
    ignore_localhost: bool = False
    repeats: str = "last"
    unplayed: str = "ignore"
    cassettes: dict[str, dict[str, Any]] = {}  # msgspec copies it
    memory_limit: int = 4 * 1024 * 1024
    latency: tuple[str, ...] = ()
    latency_seed: int = 0
    faults: tuple[str, ...] = ()
    fault_seed: int = 0
    max_connections: int = 10_000
    websocket_policy: str = "ordered"
    websocket_idle_timeout: float = 3600.0
    max_message_size: int = 2 * 1024**3
    max_message_fragments: int = 65_536
    max_header_size: int = 65_536
    log_level: str = "warning"
    log_format: str = "text"
    quiet: bool = False
    port_file: Path | None = None
    play_report: Path | None = None
    max_age: float | None = None
    stale: str = "warn"
    verify_headers: tuple[str, ...] = ("default",)
    verify_shape_only: bool = False

    def __post_init__(self) -> None:
        if self.reverse is None and self.proxy_auth is None and not is_loopback(self.host):
            raise ConfigError(
                f"host {self.host} can be reached from other machines: an open proxy needs "
                "credentials. Set proxy_auth (--proxy-auth USER:PASSWORD), or listen on 127.0.0.1"
            )
        if self.reverse_tls and self.reverse is None:
            raise ConfigError("reverse_tls (--reverse-tls) needs reverse (--reverse URL)")

    @property
    def data_folder(self) -> Path:
        """Where the certificate authority lives: ``data_dir``, or the user's data folder."""
        if self.data_dir is not None:
            return self.data_dir
        from platformdirs import user_data_path

        return user_data_path("magneto-serge")

    def for_cassette(self, name: str) -> Settings:
        """Return the settings of one cassette: those of the tables whose name or pattern it has.

        Of several, a later one comes first, and one with the very name before all others.
        """
        from fnmatch import fnmatchcase

        values: dict[str, Any] = {}
        for pattern, table in sorted(self.cassettes.items(), key=lambda each: each[0] == name):
            if pattern == name or fnmatchcase(name, pattern):
                values |= table
        return msgspec.structs.replace(self, **values) if values else self

    def changed(self, values: Mapping[str, Any]) -> Settings:
        """Return these settings with others for ``values``, which hold for every cassette too."""
        tables = _without(self.cassettes, values)
        return msgspec.structs.replace(self, **{"cassettes": tables, **values})


def load_settings(
    overrides: Mapping[str, object],
    *,
    environ: Mapping[str, str] | None = None,
    start: Path | None = None,
) -> Settings:
    """Return the settings that arguments, environment and file add up to.

    ``overrides`` are field names of :class:`Settings` with Python values (the arguments);
    ``environ`` is ``os.environ`` and ``start`` the current folder unless given.
    Raises ConfigError for an unknown key, a wrong value, or a file that cannot be read.
    """
    environ = os.environ if environ is None else environ
    values = _from_ambient_proxies(environ)
    values |= _from_file(Path.cwd() if start is None else start)
    nearer = _from_environment(environ)
    nearer |= _converted(overrides.items(), lambda name: f"argument {name}")
    # What is said nearer than in the file holds for every cassette, whatever the file says of it.
    if "cassettes" in values:
        values["cassettes"] = _without(values["cassettes"], nearer)
    return Settings(**{**values, **nearer})


def _without(
    tables: Mapping[str, Mapping[str, Any]], names: Iterable[str]
) -> dict[str, dict[str, Any]]:
    dropped = frozenset(names)
    return {
        cassette: {name: value for name, value in table.items() if name not in dropped}
        for cassette, table in tables.items()
    }


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can connect to ``host`` (``localhost``, 127/8, ::1)."""
    if host in ("127.0.0.1", "localhost", "::1"):
        return True
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _converted(
    items: Iterable[tuple[str, object]], source: Callable[[str], str], *, textual: bool = False
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in items:
        if name not in RULES:
            raise ConfigError(f"{source(name)}: there is no such setting{_nearest(name, RULES)}")
        found[name] = convert(name, value, source(name), textual=textual)
    return found


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?" or, when nothing is near, the whole list."""
    from difflib import get_close_matches

    known = list(known)
    if near := get_close_matches(name, known, n=1, cutoff=0.5):
        return f"; did you mean {near[0]}?"
    return f". Known settings: {', '.join(known)}"


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read ``MAGNETO_PORT`` and the like; an empty one means "none" where that is possible."""
    given: dict[str, str] = {}
    for variable, value in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in NOT_SETTINGS:
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if name not in RULES:
            known = [ENVIRONMENT_PREFIX + each.upper() for each in RULES]
            raise ConfigError(
                f"environment variable {variable}: there is no such setting"
                f"{_nearest(variable, known)}"
            )
        if value or RULES[name].optional or RULES[name] is HOSTS:
            given[name] = value
    return _converted(
        given.items(),
        lambda name: f"environment variable {ENVIRONMENT_PREFIX}{name.upper()}",
        textual=True,
    )


def _from_ambient_proxies(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read the proxy that was set before us; origins are reached through it.

    Lower case first, as curl does; a value without a scheme is ``http``, as everywhere.
    """
    found: dict[str, Any] = {}
    unusable = ""
    for variable in ("https_proxy", "http_proxy", "all_proxy"):
        value = environ.get(variable) or environ.get(variable.upper()) or ""
        if not value:
            continue
        url = value if "://" in value else f"http://{value}"
        try:
            found["upstream_proxy"] = convert("upstream_proxy", url, variable)
            break
        except ConfigError:
            unusable = unusable or variable.upper()
    else:
        if unusable:
            logging.getLogger("magneto_serge").warning(
                "%s is set, but is not an http:// proxy: origins are dialled directly; "
                "--upstream-proxy names another one",
                unusable,
            )
    if bypass := environ.get("no_proxy") or environ.get("NO_PROXY"):
        found["no_proxy"] = convert("no_proxy", bypass, "NO_PROXY", textual=True)
    return found


def _from_file(start: Path) -> dict[str, Any]:
    for folder in (start.absolute(), *start.absolute().parents):
        for name in ("magneto.toml", "pyproject.toml"):
            table = _table_in(folder / name)
            if table is not None:
                return _from_table(table, folder / name)
    return {}


def _table_in(file: Path) -> Mapping[str, object] | None:
    """Return our table in ``file``, or None where there is no file, or nothing of ours in it."""
    try:
        content = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    project = file.name == "pyproject.toml"
    if project and b"magneto" not in content:  # most are not for us, and TOML is slow to read
        return None
    import tomllib

    try:
        document = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from error
    table = document.get("tool", {}).get("magneto") if project else document
    if table is not None and not isinstance(table, dict):
        raise ConfigError(f"{file}: tool.magneto is not a table; write [tool.magneto]")
    return table


def _from_table(table: Mapping[str, object], file: Path) -> dict[str, Any]:
    where = f"{file}{' [tool.magneto]' if file.name == 'pyproject.toml' else ''}"
    given = {name.replace("-", "_"): value for name, value in table.items()}
    found = _converted(given.items(), lambda name: f"{where}, key {name}")
    for name, value in found.items():
        if isinstance(value, Path):
            found[name] = file.parent / value
        elif name == "scripts":
            found[name] = tuple(file.parent / each for each in value)
        elif name == "cassettes":
            for each in value.values():
                if "scripts" in each:
                    each["scripts"] = tuple(file.parent / path for path in each["scripts"])
    return found
