"""The compiled parts: the hot path of DNS, and the loop of the log reader.

They stand at the bottom of the layers and know nothing of the others: columns, packed entries and
descriptors come in, answers and counts go out (`hot.pyx`); bytes and tables come in, and are filled
(`lines.pyx`).  Whoever uses one has another way: without a compiler at installation there is none
of them, and everything works, slower.

`hatch_build.py` in the source tree builds them.
"""

from types import ModuleType


def load() -> tuple[ModuleType | None, str]:
    """The hot path of DNS, or None and why not."""
    try:
        from mailmum.compiled import hot
    except ImportError as error:
        return None, str(error)
    return hot, ""


def load_lines() -> ModuleType | None:
    """The loop of the log reader, where it is there."""
    try:
        from mailmum.compiled import lines
    except ImportError:
        return None
    return lines
