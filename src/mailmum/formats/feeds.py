"""What feeds are read from: the formats of import, and those that are only published by others.

>>> detect_feed(b'{"cidr":"192.0.2.0/24","sblid":"SBL1"}')
'drop-json'
"""

import re
from collections.abc import Mapping

from mailmum.domain.errors import BadInput
from mailmum.domain.texts import shown
from mailmum.formats.detect import detect
from mailmum.formats.drop_json import read_drop
from mailmum.formats.registry import FORMATS, Reader

DROP = "drop-json"
FEED_FORMATS: Mapping[str, Reader] = {
    **{name: known.read for name, known in FORMATS.items()},
    DROP: read_drop,
}
_DROP = re.compile(rb'\s*\{\s*"(?:cidr|asn|sblid|rir)"\s*:')


def find_reader(name: str) -> Reader:
    """The reader of a format.

    Raises:
        BadInput: there is none of this name.
    """
    try:
        return FEED_FORMATS[name.strip().lower()]
    except KeyError:
        raise BadInput(
            f"{shown(name)} is no format",
            fix=f"use one of {', '.join(FEED_FORMATS)}",
            field="format",
        ) from None


def detect_feed(first: bytes, filename: str = "") -> str:
    """The name of the format of a list.

    Raises:
        BadInput: empty, not text, or unclear.
    """
    return DROP if _DROP.match(first) else detect(first, filename)
