"""The compiled part: the hot path of DNS in one small extension, where it could be built.

It stands at the bottom of the layers and knows nothing of the others: columns, packed entries and
descriptors come in, answers and counts go out (`hot.pyx` tells its rules).  Whoever uses it has
another way: without a compiler at installation there is no `hot`, and everything works, slower.

`hatch_build.py` in the source tree builds it.
"""

from types import ModuleType


def load() -> tuple[ModuleType | None, str]:
    """The extension, or None and why not."""
    try:
        from mailmum.compiled import hot
    except ImportError as error:
        return None, str(error)
    return hot, ""
