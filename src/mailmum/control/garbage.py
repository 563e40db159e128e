"""When the search for garbage rests: among very many new objects, none of them in a cycle.

Each time that there are a quarter more objects than before, Python looks through all of them.
Where hundreds of thousands are made and kept that is a tenth of the time, and more.
"""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Step = TypeVar("Step")


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no cycles meanwhile, in no thread; whoever stopped it first sets it going again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def each_uncollected(steps: Iterable[Step]) -> Iterator[Step]:
    """The same steps, without a search within any of them: it is made up for in between."""
    following = iter(steps)
    while True:
        with uncollected():
            try:
                step = next(following)
            except StopIteration:
                return
        yield step
