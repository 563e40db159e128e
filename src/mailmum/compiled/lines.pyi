"""What the extension offers; `lines.pyx` has the documentation."""

from collections.abc import Callable
from typing import Any

BOUNDS: tuple[int, ...]

class Loop:
    def __init__(self, tools: Any) -> None: ...
    def read(self, piece: bytes, lane: Any, long_way: Callable[[str], None]) -> tuple[int, int]: ...
