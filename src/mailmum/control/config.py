"""Parameters of one installation: where the data lies, which zone is served, who listens where.

Each is found in this order: an option of the command line, an environment variable `MAILMUM_NAME`,
the file `mailmum.toml` in the data folder, the default.  The first start writes that file, so that
a second start on the same folder serves the same zone without being told again.
"""

import os
import secrets
import tempfile
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from mailmum.control.readers import parse_readers
from mailmum.daemons.mailing import MailServer
from mailmum.daemons.tailing_sources import parse_logs
from mailmum.daemons.zones import named_zone
from mailmum.dns.limits import RATE, SLIPS, SPARED, Limits, parse_networks
from mailmum.domain.errors import BadInput, Refusal
from mailmum.domain.names import parse_name
from mailmum.domain.reachable import parse_reachable

FILE_NAME = "mailmum.toml"
SECRET_NAME = "secret.key"  # noqa: S105 (the name of a file)
MACHINE_ZONE = "MAILMUM_MACHINE_TZ"
"""The variable that keeps the TZ which this process was started with; Django sets its own."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """Options given on the command line; None where an option was left out."""

    data: Path
    zone: str | None = None
    web: str | None = None
    dns: tuple[str, ...] | None = None
    policy: str | None = None
    dns_workers: int | None = None
    logs: tuple[str, ...] | None = None
    log_format: str | None = None

    def environment(self) -> dict[str, str]:
        """The same as environment variables, for child processes."""
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        return {
            f"MAILMUM_{name.upper()}": ",".join(value) if isinstance(value, tuple) else str(value)
            for name, value in given.items()
            if value is not None
        }


class Config(BaseSettings):
    """All parameters of an installation."""

    model_config = SettingsConfigDict(env_prefix="MAILMUM_", extra="forbid", frozen=True)

    data: Path = Field(description="folder of the database, the secret and the snapshots")
    zone: str = Field(default="mailmum.internal", description="base of all zones")
    web: str = Field(default="127.0.0.1:8053", description="host:port of pages and API")
    dns: str = Field(default="127.0.0.1:5300", description="host:port, several with commas")
    policy: str = Field(default="127.0.0.1:10053", description="host:port of the policy service")
    policy_servers: str = Field(
        default="", description="where a server asks without its key, NAME=host:port or =unix:PATH"
    )
    dns_workers: int = Field(default=1, ge=1, le=64, description="DNS processes on the same port")
    dns_threads: int = Field(default=1, ge=1, le=32, description="threads in each of them")
    engine: str = Field(
        default="auto",
        pattern="^(auto|compiled|python)$",
        description="what answers DNS: auto, compiled or python",
    )
    dns_rate: int = Field(
        default=RATE,
        ge=0,
        le=1_000_000,
        description="answers a second over UDP to a network that proves nothing; 0: no limit",
    )
    dns_slip: int = Field(
        default=SLIPS, ge=0, le=100, description="which of those beyond it is cut off, not dropped"
    )
    dns_spared: str = Field(default=SPARED, description="networks without that limit, commas")
    logs: str = Field(
        default="", description="mail logs to follow, [ACCOUNT/]SERVER=PATH, several with commas"
    )
    log_zone: str = Field(
        default="", description="time zone of those logs; empty: that of this machine"
    )
    database: str = Field(default="", description="postgresql://... ; empty: SQLite in `data`")
    public_url: str = Field(default="", description="how browsers reach the pages; empty: from web")
    ns: str = Field(default="", description="names of the name servers, commas; empty: ns.ZONE")
    ns_addresses: str = Field(default="", description="addresses of ns.ZONE; empty: from dns")
    hostmaster: str = Field(default="", description="contact in SOA; empty: hostmaster@ZONE")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    log_format: str = Field(default="auto", pattern="^(auto|console|json)$")
    resolver: str = Field(
        default="", description="host:port of the resolver for look-ups; empty: this machine's"
    )
    reach: str = Field(
        default="", description="private hosts and networks that feeds and webhooks may reach"
    )
    smtp_host: str = Field(default="", description="mail server for alerts; empty: no mail is sent")
    smtp_port: int = Field(default=25, ge=1, le=65535, description="its port")
    smtp_tls: str = Field(
        default="auto", pattern="^(auto|starttls|tls|none)$", description="how it is protected"
    )
    smtp_user: str = Field(default="", description="name to sign in with there; empty: not at all")
    smtp_password: str = Field(default="", repr=False, description="the password of that name")
    mail_from: str = Field(default="", description="sender of alerts; empty: mailmum@ and our host")
    rbl_resolver: str = Field(
        default="", description="host:port that public RBLs are asked through; empty: the system's"
    )
    metrics: str = Field(default="", description="who reads /metrics; empty: this machine")
    secure_cookies: bool | None = Field(default=None, description="empty: when public_url is https")

    @field_validator("zone")
    @classmethod
    def _zone_is_a_name(cls, value: str) -> str:
        try:
            return parse_name(value, field="zone")
        except BadInput as refusal:
            raise ValueError(str(refusal)) from None

    @field_validator("web", "policy")
    @classmethod
    def _one_endpoint(cls, value: str) -> str:
        return str(parse_endpoint(value))

    @field_validator("resolver", "rbl_resolver")
    @classmethod
    def _maybe_endpoint(cls, value: str) -> str:
        return str(parse_endpoint(value)) if value else value

    @field_validator("policy_servers")
    @classmethod
    def _known_sockets(cls, value: str) -> str:
        parse_policy_servers(value)
        return value

    @field_validator("dns")
    @classmethod
    def _endpoints(cls, value: str) -> str:
        return ",".join(str(parse_endpoint(part)) for part in value.split(","))

    @field_validator("logs", mode="before")
    @classmethod
    def _several_logs(cls, value: Any) -> Any:
        return ",".join(map(str, value)) if isinstance(value, list) else value

    @field_validator("logs")
    @classmethod
    def _known_logs(cls, value: str) -> str:
        return ",".join(str(one) for one in parse_logs(value))

    @field_validator("log_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value and named_zone(value) is None:
            raise ValueError(f"{value!r} is no time zone here; write for example Europe/Berlin")
        return value

    @field_validator("dns_spared")
    @classmethod
    def _known_networks(cls, value: str) -> str:
        parse_networks(value)
        return value

    @field_validator("database")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if value and not value.startswith(("postgresql://", "postgres://")):
            raise ValueError("only postgresql://USER@HOST/NAME is known; leave it out for SQLite")
        return value

    @field_validator("mail_from")
    @classmethod
    def _known_sender(cls, value: str) -> str:
        local, at, domain = value.rpartition("@")
        if value and not (local and at and domain and value.isascii() and value.isprintable()):
            raise ValueError(f"{value!r} is no mail address; write for example mailmum@example.net")
        return value

    @field_validator("metrics")
    @classmethod
    def _known_readers(cls, value: str) -> str:
        parse_readers(value)
        return value

    @field_validator("reach")
    @classmethod
    def _known_places(cls, value: str) -> str:
        try:
            parse_reachable(value)
        except BadInput as refusal:
            raise ValueError(str(refusal)) from None
        return value

    @property
    def base_url(self) -> str:
        """Where pages are reached, without a trailing slash."""
        return self.public_url.rstrip("/") or f"http://{self.web}"

    @property
    def sender(self) -> str:
        """The address that our mail comes from."""
        host = urlsplit(self.base_url).hostname or self.zone
        named = host if any(letter.isalpha() for letter in host) and ":" not in host else self.zone
        return self.mail_from or f"mailmum@{named}"

    @property
    def mail_server(self) -> MailServer | None:
        """The mail server that takes our messages, None when none is set."""
        if not self.smtp_host:
            return None
        return MailServer(
            self.smtp_host, self.smtp_port, self.smtp_tls, self.smtp_user, self.smtp_password
        )

    @property
    def dns_endpoints(self) -> "tuple[Endpoint, ...]":
        """Where DNS is answered."""
        return tuple(parse_endpoint(part) for part in self.dns.split(","))

    @property
    def dns_limits(self) -> Limits | None:
        """What limits answers over UDP, if anything does."""
        if not self.dns_rate:
            return None
        return Limits(self.dns_rate, self.dns_slip, parse_networks(self.dns_spared))

    @property
    def ns_names(self) -> tuple[str, ...]:
        """Names of the name servers of every zone."""
        given = tuple(name.strip().rstrip(".") for name in self.ns.split(",") if name.strip())
        return given or (f"ns.{self.zone}",)

    @property
    def ns_address_list(self) -> tuple[str, ...]:
        """Addresses that name servers below the zone answer with, when they are given."""
        return tuple(part.strip() for part in self.ns_addresses.split(",") if part.strip())

    @property
    def sqlite_path(self) -> Path:
        """The database of rules and people, when it is SQLite."""
        return self.data / "mailmum.sqlite3"

    @property
    def traffic_path(self) -> Path:
        """The database of observed traffic, when it is SQLite."""
        return self.data / "traffic.sqlite3"

    @property
    def snapshot_path(self) -> Path:
        """The index that DNS starts from when the database is away."""
        return self.data / "index.snapshot"

    @property
    def crash_path(self) -> Path:
        """Where a crash of the DNS daemon leaves its trace."""
        return self.data / "dns.crash"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options, then environment, then the file in the data folder."""
        data = os.environ.get("MAILMUM_DATA", "")
        path = Path(data) / FILE_NAME if data else None
        return (
            init_settings,
            env_settings,
            TomlConfigSettingsSource(settings_cls, toml_file=path),
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address to listen on and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(text: str) -> Endpoint:
    """Read `host:port`, an IPv6 host in brackets.

    Raises:
        ValueError: it is not of this form; the message proposes one.
    """
    host, colon, port = text.strip().rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    numeric = port.isascii() and port.isdigit() and 0 < int(port) < 65536
    if not (colon and bare and numeric) or (":" in bare and bare == host):
        raise ValueError(f"{text!r} is not HOST:PORT; write for example 127.0.0.1:5300 or [::1]:53")
    return Endpoint(bare, int(port))


def parse_policy_servers(text: str) -> tuple[tuple[str, str, int], ...]:
    """Read `NAME=host:port,NAME=unix:/path`: names with host and port, or with a path and 0.

    Raises:
        ValueError: it is not of this form; the message proposes one.
    """
    found = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, equals, where = part.partition("=")
        if not (equals and name):
            raise ValueError(f"{part!r} names no server; write for example mx1=127.0.0.1:10054")
        path = where.removeprefix("unix:")
        if path != where:
            if not path.startswith("/"):
                raise ValueError(f"{where!r} is no path; write for example unix:/run/mailmum/mx1")
            found.append((name, path, 0))
            continue
        endpoint = parse_endpoint(where)
        found.append((name, endpoint.host, endpoint.port))
    return tuple(found)


@cache
def current() -> Config:
    """The parameters of this process, read once from environment and file.

    Raises:
        Refusal: a parameter is not understood; the message names it.
    """
    return load()


def load(**given: Any) -> Config:
    """Read the parameters anew.

    Raises:
        Refusal: a parameter is not understood; the message names it.
    """
    try:
        return Config(**given)
    except ValidationError as error:
        raise _explain(error) from None
    except tomllib.TOMLDecodeError as error:
        raise Refusal(f"{FILE_NAME} cannot be read: {error}", fix="mend that line") from None


def use(overrides: Overrides) -> Config:
    """Take the options of the command line over into this process and its children.

    Raises:
        Refusal: a parameter is not understood.
    """
    absolute = overrides.data.expanduser().absolute()
    os.environ.update(overrides.environment() | {"MAILMUM_DATA": str(absolute)})
    current.cache_clear()
    return current()


_SECRETS = ("database", "smtp_password")
"""Parameters that are or may hold a password."""


def write_file(config: Config) -> None:
    """Write `mailmum.toml` with the zone at the first start, so that it stays the same."""
    path = config.data / FILE_NAME
    if path.exists():
        return
    lines = [
        "# Parameters of this MailMum. Each can also be set as MAILMUM_NAME in the environment."
    ]
    for name, info in Config.model_fields.items():
        if name == "data":
            continue
        note = f"  # {info.description}" if info.description else ""
        # A secret that came through the environment is not written down.
        value = "" if name in _SECRETS else getattr(config, name)
        mark = "" if name == "zone" else "# "
        lines.append(f"{mark}{name} = {_toml(value)}{note}")
    _create(path, "\n".join(lines) + "\n")


def secret(config: Config) -> str:
    """The secret that sessions are signed with, made at first use, mode 0600."""
    path = config.data / SECRET_NAME
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        _create(path, secrets.token_urlsafe(48) + "\n")
        return path.read_text(encoding="ascii").strip()


def _create(path: Path, content: str) -> None:
    """Write a file, mode 0600, unless there is one: whole or not at all.

    Parts may start at the same time on an empty folder, and all must go on with the same secret.
    """
    handle, written = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _put_in_place(Path(written), path)
    finally:
        Path(written).unlink(missing_ok=True)


def _put_in_place(written: Path, path: Path) -> None:
    try:
        path.hardlink_to(written)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        written.replace(path)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if value is None:
        return "true"
    return '"' + str(value or "").replace("\\", "\\\\").replace('"', '\\"') + '"'


_OPTIONS = {name: f"--{name}" for name in ("data", "zone", "web", "dns", "policy")}
_OPTIONS |= {"dns_workers": "--dns-workers", "logs": "--log"}


def _explain(error: ValidationError) -> Refusal:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"]) or "parameters"
    if first["type"] == "extra_forbidden":
        return Refusal(
            f"the parameter {name} is not known", fix=f"check its spelling in {FILE_NAME}"
        )
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "string_pattern_mismatch":
        words = str(first["ctx"]["pattern"]).strip("^()$").split("|")
        message = f"{first['input']!r} is none of {', '.join(words)}"
    option = f"{_OPTIONS[name]}, " if name in _OPTIONS else ""
    return Refusal(
        f"the parameter {name}: {message}",
        fix=f"see {option}MAILMUM_{name.upper()} or {FILE_NAME}",
    )
