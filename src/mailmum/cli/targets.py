r"""Targets as a command line gives them: words, or with `-` the lines of standard input.

>>> from io import BytesIO
>>> read_targets(["203.0.113.7", "-"], BytesIO(b"# spammers\n192.0.2.1 # since May\n\n"))
['203.0.113.7', '192.0.2.1']
"""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from mailmum.cli.failures import Failure

MOST = 10_000
_LONGEST_LINE = 4096


def read_targets(words: Iterable[str], stdin: BinaryIO) -> list[str]:
    """Every target, each once, in the order given.

    Raises:
        Failure: standard input is not text, or there are more than one change takes.
    """
    found: dict[str, None] = {}
    for word in words:
        for target in _lines(stdin) if word == "-" else (word,):
            found[target] = None
            if len(found) > MOST:
                raise Failure(
                    f"more than {MOST} targets",
                    "import them: mailmum import --format plain --mine FILE",
                    code="too-large",
                )
    return list(found)


def _lines(stdin: BinaryIO) -> Iterator[str]:
    number = 0
    while line := stdin.readline(_LONGEST_LINE + 1):
        number += 1
        if len(line) > _LONGEST_LINE:
            raise Failure(
                f"standard input: line {number} is longer than {_LONGEST_LINE} bytes",
                "give one target a line",
                code="bad-input",
            )
        try:
            target = line.decode("utf-8-sig").partition("#")[0].strip()
        except UnicodeDecodeError:
            raise Failure(
                f"standard input: line {number} is not UTF-8 text",
                "convert it, for example with iconv",
                code="bad-input",
            ) from None
        if target:
            yield target
