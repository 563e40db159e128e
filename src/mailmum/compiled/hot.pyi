"""What the extension offers; `hot.pyx` has the documentation."""

from collections.abc import Callable, Sequence

from typing_extensions import Buffer

Rows = tuple[Buffer, Buffer | None, Buffer | None, int, Buffer, int, Buffer | None]
Networks = tuple[
    Buffer, Buffer | None, Buffer | None, int, Buffer, int, Buffer | None, Buffer, Buffer
]
Stages = Sequence[Sequence["Table"]] | None
Counts = dict[int | tuple[int, str], int]
MarkOf = Callable[[int, int, int], int]

class Base:
    def __init__(self, bits: int, terms: bytes, hosts: Rows, networks: Networks) -> None: ...

class Table:
    def __init__(self, bits: int) -> None: ...
    @property
    def number(self) -> int: ...

class Server:
    def __init__(
        self,
        number: int,
        ttl: int,
        code: int,
        ends: float,
        until: float,
        blocks_from: float,
        askers: list[tuple[int, int, int]] = ...,
    ) -> None: ...

class Limiter:
    def __init__(
        self, rate: int, slip: int, spared: list[tuple[int, int, int]], secret: bytes
    ) -> None: ...
    def check(self, sender: bytes, now: float) -> int: ...
    def know(self, sender: bytes, now: float) -> None: ...

class World:
    def __init__(
        self,
        base: bytes,
        names: tuple[tuple[bytes, bool], tuple[bytes, bool]],
        timers: bytes,
        payload: int,
        secret: bytes,
    ) -> None: ...
    @property
    def size(self) -> tuple[int, int]: ...
    def number_of(self, name: bytes) -> tuple[int, int]: ...
    def change(
        self,
        serial: int,
        *,
        put: bytes = ...,
        drop: bytes = ...,
        levels: list[tuple[Table, tuple[int, int, int]]] = ...,
        bases: list[tuple[Table, Base]] = ...,
        servers: list[tuple[Server, Stages, Stages, Stages]] = ...,
        keys: list[tuple[bytes, Server, float]] | None = ...,
    ) -> None: ...

class Clerk:
    def answer(
        self, world: World, packet: bytes, now: float, name: bytes = ...
    ) -> bytes | None: ...
    def limit(self, limiter: Limiter | None) -> None: ...
    def remember(self, cookie: bytes, name: bytes, since: float, until: float) -> None: ...
    def take(self, mark_of: MarkOf, nobody: int) -> tuple[Counts, int, int]: ...

class Handover:
    packet: bytes
    @property
    def name(self) -> bytes: ...
    def send(self, answer: bytes) -> bool: ...

class Service:
    def __init__(
        self, sockets: list[int], wildcard: bool, limiter: Limiter | None = ...
    ) -> None: ...
    @property
    def news(self) -> int: ...
    def run(self) -> None: ...
    def stop(self) -> None: ...
    def use(self, world: World | None) -> None: ...
    def remember(self, cookie: bytes, name: bytes, since: float, until: float) -> None: ...
    def handed(self) -> list[Handover]: ...
    def take(self, mark_of: MarkOf, nobody: int) -> tuple[Counts, int, int, dict[str, int]]: ...
