"""The time zone of this machine, with its rules for summer time."""

import os
import zoneinfo
from datetime import UTC, datetime, tzinfo
from pathlib import Path

_LOCALTIME = Path("/etc/localtime")


def local_zone() -> tzinfo:
    """The zone that TZ names, else the machine's."""
    named = os.environ.get("TZ", "").removeprefix(":")
    if named and (zone := find_zone(named)) is not None:
        return zone
    if not named and (zone := _machine_zone()) is not None:
        return zone
    # TZ may hold rules in place of a name, or there is no table of zones: the offset of today.
    return datetime.now().astimezone().tzinfo or UTC


def find_zone(name: str) -> tzinfo | None:
    """The zone of a name such as Europe/Berlin, or None."""
    if name.upper() in {"UTC", "GMT", "Z"}:
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # unknown; a folder; what could be no name
        return None


def zone_name(zone: tzinfo) -> str:
    """What a zone is called.

    >>> zone_name(UTC)
    'UTC'
    """
    return str(getattr(zone, "key", None) or zone).removeprefix("Etc/")


def _machine_zone() -> tzinfo | None:
    name = str(_LOCALTIME.resolve()).partition("/zoneinfo/")[2]
    if name and (zone := find_zone(name)) is not None:
        return zone
    try:
        with _LOCALTIME.open("rb") as file:
            return zoneinfo.ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return None
