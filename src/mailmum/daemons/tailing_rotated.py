"""The older parts of a log that rotation has put aside, in order.

mail.log.3.gz  mail.log.2.gz  mail.log.1  mail.log        numbers: the oldest has the largest
mail.log-20251124.gz  mail.log-20251125   mail.log        dates (logrotate's dateext)

>>> [_age("mail.log" + end, "mail.log") for end in (".2.gz", "-20251124", ".old")]
[(1, -2, ''), (0, 0, '20251124'), None]
"""

import os
import re
from pathlib import Path

_NUMBERED = re.compile(r"\.([0-9]{1,4})(?:\.gz)?")
_DATED = re.compile(r"[-.]([0-9]{5,14}(?:[-_T][0-9]{1,10})?)(?:\.gz)?")

Age = tuple[int, int, str]


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
