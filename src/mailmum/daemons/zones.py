"""The time zone that a machine's programs write their logs in.

Headers of classic syslog tell neither year nor zone.  The zone is that of the machine: TZ, else
/etc/localtime, else UTC.

    >>> local_zone({"TZ": "Europe/Berlin"})
    zoneinfo.ZoneInfo(key='Europe/Berlin')
"""

from collections.abc import Mapping
from datetime import UTC, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

LOCALTIME = Path("/etc/localtime")
_FOLDER = "/zoneinfo/"


def local_zone(environment: Mapping[str, str], localtime: Path = LOCALTIME) -> tzinfo:
    """This machine's zone."""
    return named_zone(environment.get("TZ", "").lstrip(":")) or _of_file(localtime) or UTC


def named_zone(name: str) -> tzinfo | None:
    """The zone of that name, None for one that this machine does not know."""
    if not name or len(name) > 100:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        return None
    except KeyError:
        return None


def zone_name(zone: tzinfo) -> str:
    """Its name, empty when it has none."""
    return zone.key or "" if isinstance(zone, ZoneInfo) else ""


def fixed_zone(seconds: int) -> tzinfo:
    """A zone so many seconds east of UTC, UTC for what no zone has."""
    return timezone(timedelta(seconds=seconds)) if abs(seconds) < 86_400 else UTC


def _of_file(path: Path) -> tzinfo | None:
    target = str(path.resolve())
    if _FOLDER in target and (zone := named_zone(target.rpartition(_FOLDER)[2])):
        return zone
    try:
        with path.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (ValueError, OSError):
        return None
