"""The parts of a log: what rotation has put aside, in order, and the log itself.

mail.log.3.gz  mail.log.2.gz  mail.log.1  mail.log        numbers: the oldest has the largest
mail.log-20251124.gz  mail.log-20251125   mail.log        dates (logrotate's dateext)

>>> [_age("mail.log" + end, "mail.log") for end in (".2.gz", "-20251124", ".old")]
[(1, -2, ''), (0, 0, '20251124'), None]

Rotation renames one part after the other, and a folder that is read meanwhile may show a part
twice or not at all.  So the parts are looked at twice, and each must be the same file still when it
is opened: else `Rotating`, and all is to be looked at again a moment later.
"""

import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path

from mailmum.daemons.tailing_files import LogFile, open_file

_NUMBERED = re.compile(r"\.([0-9]{1,4})(?:\.gz)?")
_DATED = re.compile(r"[-.]([0-9]{5,14}(?:[-_T][0-9]{1,10})?)(?:\.gz)?")

Age = tuple[int, int, str]


class Rotating(OSError):
    """The log is being rotated just now."""

    def __init__(self) -> None:
        super().__init__(errno.EBUSY, "it is being rotated just now")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a log.

    Attributes:
        path: its name.
        identity: device and inode of the file of that name.
    """

    path: Path
    identity: tuple[int, int]

    def open(self) -> LogFile | None:
        """Open it; None when it cannot be.

        Raises:
            Rotating: it is gone, or another file has taken its name.
        """
        try:
            file = open_file(self.path)
        except FileNotFoundError:
            raise Rotating from None
        except OSError:
            return None
        if file.identity != self.identity:
            file.close()
            raise Rotating
        return file


def parts_of(path: Path) -> list[Part]:
    """What has been put aside of this log, the oldest first, and last the log if it is there.

    Raises:
        OSError: the folder cannot be read; `Rotating` while names change.
    """
    parts = _parts(path)
    if parts != _parts(path):
        raise Rotating
    return parts


def older_parts(path: Path) -> list[Path]:
    """What has been put aside of this log, the oldest first.

    A part that is just being compressed is there twice; the compressed one is left out then.

    Raises:
        OSError: the folder cannot be read.
    """
    found: dict[Age, str] = {}
    with os.scandir(path.parent) as entries:
        for entry in entries:
            age = _age(entry.name, path.name)
            if age is not None and (age not in found or found[age].endswith(".gz")):
                found[age] = entry.name
    return [path.with_name(found[age]) for age in sorted(found)]


def _parts(path: Path) -> list[Part]:
    found = []
    for part in (*older_parts(path), path):
        try:
            status = part.stat()
        except FileNotFoundError:
            continue
        found.append(Part(part, (status.st_dev, status.st_ino)))
    return found


def _age(name: str, base: str) -> Age | None:
    """Orders parts, the oldest first; None for what is no part of this log."""
    if not name.startswith(base):
        return None
    ending = name[len(base) :]
    if numbered := _NUMBERED.fullmatch(ending):
        return 1, -int(numbered[1]), ""
    if dated := _DATED.fullmatch(ending):
        return 0, 0, dated[1]
    return None
