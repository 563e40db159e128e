"""Look for a packet that the two DNS engines answer differently.

    .venv/bin/python -m bench.dns_fuzz [--seconds 60] [--seed 1]
    script/sanitize 3600                  the same, with an extension that checks its memory

Makes one small world after the other, lets listings, servers and merges come and go in it, and asks
both engines the same: queries about what is near the listings, with bytes changed, left out, put in
or cut off, at times around every expiry; one by one, in batches, and in every other world with a
limit on responses that few senders stay below.  What the compiled engine answers must be, byte for
byte, what the Python engine answers; it may leave anything to it.  Stops at the first difference
with what it takes to see it again.
"""

import argparse
import random
import struct
import sys
import time
from dataclasses import dataclass, replace

from mailmum.dns.limits import Limits, parse_networks
from mailmum.domain.listings import Action, Listing, Source
from mailmum.domain.targets import NameTarget, NetworkTarget, Target
from mailmum.index.records import Changes, KeyRecord
from mailmum.index.tables import MergePlan
from tests.dns.both import CLIENT, Both
from tests.dns.world import BASE, CONFIG, KEYS, NOW, OLD_KEY, SERVERS, World
from tests.dns.world import KEY as MAIN_KEY

WORLD_SECONDS = 2.0
SEEDS = {
    4: (0xCB007107, 0xC0000201, 0xC6336409, 0xFFFFFFFF) * 2 + (0x01020304, 0, 0x7F000002),
    6: (0x20010DB8 << 96, 0x20010DB8 << 96 | 1, 1 << 127) * 2
    + (0x1234 << 112, 0, 1, 0xFFFF7F000002),
}
LABELS = (
    *("mail", "spam", "example", "test", "invalid", "localhost", "top", "a_b", "x1", "x1" * 6),
    *("-", "é"),
)
TYPES = (1,) * 8 + (16,) * 6 + (28, 28, 255, 15, 41)
REASONS = (
    *("", "", "Sent spam", "It ended.", "Überfüllt", "\u0130", "x" * 255, "ä" * 130, '"a\\b\0'),
    # Keys, one of them only for those who know that the Kelvin sign is a letter.
    *(f"Says {MAIN_KEY.upper()}", f"\u212a{MAIN_KEY[1:]}", f"{OLD_KEY}.", "X1" * 6),
)
URLS = (CONFIG.public_url, CONFIG.public_url, "", f"https://{'m' * 60}.{'x' * 60}.example/mail")
# Nobody told, with and without the sender.
ASKERS = ((), (), ((4, 0xC0000200, 0xC00002FF),), ((6, 0, 1 << 127), (4, 1, 2)))
TIMES = (-10, 0, 0.5, 1, 29.5, 30, 89.999, 90, 90.5, 900, 999.99, 1000)
# Two of one network, one that is spared, and one that cookies are made for.
CLIENTS = (
    *(CLIENT, CLIENT, ("198.51.100.1", 53), ("198.51.100.200", 53), ("127.0.0.1", 53)),
    *(("2001:db8::1", 53), ("2001:db8:0:ff::1", 53), ("2001:db8:1::1", 53)),
)
FLAGS = (0, 0x0100, 0x0110, 0x0120) * 4 + (0x0200, 0x8000, 0x7800, 0x0040)


@dataclass
class Tally:
    """How much was asked, how much of it the compiled engine answered, and kept back or cut off."""

    worlds: int = 0
    asked: int = 0
    answered: int = 0
    limited: int = 0


class Fuzzer:
    """One world and what happens in it."""

    def __init__(self, chance: random.Random, tally: Tally) -> None:
        self.chance = chance
        self.tally = tally
        self.number = 0
        world = World()
        world.listings = [self.listing() for _ in range(chance.randrange(30))]
        self.there = {listing.id: listing for listing in world.listings}
        self.limits = self.any_limits() if chance.random() < 0.5 else None
        config = replace(CONFIG, public_url=chance.choice(URLS))
        self.both = Both(world, self.limits, config)
        self.cookies = [self.both.cookie(NOW + made) for made in (-2000, -1000, 0, 100)]
        self.plan: MergePlan | None = None

    def run(self, until: float) -> None:
        """Ask and change until then (monotonic seconds)."""
        self.tally.worlds += 1
        while time.monotonic() < until:
            self.change()
            now = NOW + self.chance.choice(TIMES)
            if self.limits is None and self.chance.random() < 0.2:
                packets = [self.packet() for _ in range(self.chance.randrange(1, 65))]
                self.note(*self.both.check_all(packets, now))
                continue
            for _ in range(60):
                # A clock that jumps empties the limiter's buckets.
                if self.chance.random() < (0.3 if self.limits is None else 0.03):
                    now = NOW + self.chance.choice(TIMES)
                self.note(self.ask(now))

    def ask(self, now: float) -> bytes | None:
        """The compiled answer to some packet, which is that of Python."""
        if self.limits is None:
            return self.both.check(self.packet(), now)
        if self.chance.random() < 0.3:
            self.both.forget()
        return self.both.check_limited(self.packet(), now, self.chance.choice(CLIENTS))

    def note(self, *answers: bytes | None) -> None:
        """Count what was asked."""
        for answer in answers:
            self.tally.asked += 1
            self.tally.answered += answer is not None
            # Nothing at all, or with TC.
            self.tally.limited += answer is not None and (not answer or bool(answer[2] & 2))

    def any_limits(self) -> Limits:
        """Limits that are reached soon."""
        spared = self.chance.choice(("", "127.0.0.0/8,::1", "2001:db8:1::/48,198.51.100.200"))
        return Limits(
            self.chance.choice((1, 1, 3, 7)),
            self.chance.choice((0, 1, 2, 3)),
            parse_networks(spared),
        )

    def change(self) -> None:
        """One thing that happens to an index."""
        index, dice = self.both.index, self.chance.randrange(10)
        if dice == 0:
            index.finish_merge(index.begin_merge().run())
        elif dice == 1:
            self.plan = index.begin_merge()
        elif dice == 2 and self.plan is not None:
            index.finish_merge(self.plan.run())
            self.plan = None
        elif dice == 3:
            self.change_server()
        else:
            new = [self.listing() for _ in range(self.chance.randrange(1, 4))]
            gone = self.chance.sample(sorted(self.there), min(len(self.there), max(dice - 4, 0)))
            old = [self.there.pop(number) for number in gone]
            # Some stay as they are but for their terms, as an edit has it.
            new += [replace(one, expires=self.end()) for one in old if self.chance.random() < 0.3]
            self.there |= {listing.id: listing for listing in new}
            index.apply(Changes(index.position + 1, listings=tuple(new), gone=tuple(old)))

    def change_server(self) -> None:
        """A server gets another TTL, code, end or key, or goes."""
        index, record = self.both.index, self.chance.choice(SERVERS)
        dice = self.chance.random()
        if dice < 0.1:
            index.apply(Changes(index.position + 1, gone_servers=(record.id,)))
        if dice < 0.6:
            # As it was, else after a while none would be left that answers.
            index.apply(Changes(index.position + 1, servers=SERVERS))
            return
        keys = (*record.keys, KeyRecord(f"x{self.chance.randrange(10)}" * 6, self.end()))
        changed = replace(
            record,
            ttl=self.chance.choice((1, 5, 5, 60, 86400)),
            code=self.chance.choice((None, 0x7F000022)),
            ends=self.end() if self.chance.random() < 0.3 else record.ends,
            keys=keys if self.chance.random() < 0.5 else record.keys,
            askers=self.chance.choice(ASKERS),
            text=self.reason(),
        )
        index.apply(Changes(index.position + 1, servers=(changed,)))

    def reason(self) -> str:
        """Any public reason, often one of few."""
        if self.chance.random() < 0.7:
            return self.chance.choice(REASONS)
        return "".join(self.chance.choices("aZ9. é…", k=self.chance.randrange(260)))

    def end(self) -> int | None:
        """An end that some time asked about is before and another after."""
        after = self.chance.choice((None, None, None, 0, 1, 30, 90, 1000, 1000))
        return None if after is None else int(NOW) + after

    def listing(self) -> Listing:
        """Any listing."""
        self.number += 1
        source = self.chance.choice(tuple(Source))
        return Listing(
            self.number,
            self.chance.choice((1, 1, 1, 2)),
            self.chance.choice((0, 0, 0, 1, 2)),
            self.chance.choice(tuple(Action)),
            self.target(),
            source=source,
            origin="" if source is Source.PERSON else "origin",
            code=self.chance.choice((None, None, 0x7F00000A)),
            reason=self.reason(),
            expires=self.end(),
            enabled=self.chance.random() < 0.9,
        )

    def target(self) -> Target:
        """Any target."""
        if self.chance.random() < 0.3:
            labels = self.chance.choices(LABELS[:-2], k=self.chance.randrange(1, 4))
            return NameTarget(".".join(labels), self.chance.random() < 0.5)
        version = self.chance.choice((4, 4, 6))
        bits = 32 if version == 4 else 128
        prefix = self.chance.choice((bits, bits, bits - 1, bits - 8, bits // 2, 16, 1))
        first = self.address(version) >> (bits - prefix) << (bits - prefix)
        if version == 6 and first >> 32 == 0xFFFF:
            return NetworkTarget(4, first & 0xFFFF_FFFF, max(prefix - 96, 0))
        return NetworkTarget(version, first, prefix)

    def address(self, version: int) -> int:
        """An address that differs from a seed in a few bits."""
        value = self.chance.choice(SEEDS[version])
        for _ in range(self.chance.randrange(3)):
            value ^= 1 << self.chance.randrange(32 if version == 4 else 128)
        return value

    def packet(self) -> bytes:
        """A query, often a good one."""
        kind = self.chance.choice((b"bl", b"wl", b"dbl", b"dwl") * 5 + (b"DBL", b"xl", b"dl"))
        key = self.chance.choice((*KEYS, *KEYS, *KEYS, OLD_KEY, "x1" * 6, "unknown" * 2)).encode()
        labels = [*self.labels(kind), key, kind, *BASE.encode().split(b".")]
        name = b"".join(bytes((len(label) & 63,)) + label for label in labels) + b"\0"
        if self.chance.random() < 0.2:
            name = name.upper()
        opt = self.opt() if self.chance.random() < 0.4 else b""
        number, flags = self.chance.randrange(65536), self.chance.choice(FLAGS)
        head = struct.pack(">6H", number, flags, 1, 0, 0, bool(opt))
        type_, klass = self.chance.choice(TYPES), self.chance.choice((1,) * 20 + (3, 255))
        packet = head + name + struct.pack(">HH", type_, klass) + opt
        return self.damaged(packet) if self.chance.random() < 0.3 else packet

    def labels(self, kind: bytes) -> list[bytes]:
        """What stands before the key."""
        if kind.lower().startswith(b"d"):
            count = self.chance.choice((1, 1, 2, 2, 3, 4, 60))
            return [label.encode() for label in self.chance.choices(LABELS, k=count)]
        if self.chance.random() < 0.6:
            value = self.address(4)
            labels = [b"%d" % (value >> shift & 255) for shift in (0, 8, 16, 24)]
        else:
            labels = [bytes((digit,)) for digit in reversed(b"%032x" % self.address(6))]
        if self.chance.random() < 0.1:
            at = self.chance.randrange(len(labels))
            labels[at : at + 1] = self.chance.choice(
                ([], [b"007"], [b"256"], [b"00"], [b"a"], [b"g"], [b"1", b"2"], [b"1" * 63])
            )
        return labels

    def opt(self) -> bytes:
        """An OPT record."""
        options = b"".join(
            struct.pack(">HH", self.chance.choice((3, 8, 10, 12, 65001)), len(data)) + data
            for data in (
                self.chance.randbytes(self.chance.choice((0, 0, 8, 24, 40)))
                for _ in range(self.chance.choice((0, 0, 1, 2)))
            )
        )
        if self.chance.random() < 0.3:
            options += struct.pack(">HH", 10, 24) + self.chance.choice(self.cookies)
        size = self.chance.choice((0, 512, 1232, 65535))
        flags = self.chance.choice((0, 0, 0x8000, 0x8000, 0x00010000, 0x7F000000, 0xFFFF))
        return b"\0" + struct.pack(">HHIH", 41, size, flags, len(options)) + options

    def damaged(self, packet: bytes) -> bytes:
        """With some bytes changed, put in, left out or cut off."""
        data = bytearray(packet)
        for _ in range(self.chance.randrange(1, 4)):
            at = self.chance.randrange(len(data))
            dice = self.chance.randrange(4)
            if dice == 0:
                data[at] = self.chance.choice((0, 1, 0x3F, 0x40, 0xC0, 0xFF, data[at] ^ 0x20))
            elif dice == 1:
                data.insert(at, self.chance.randrange(256))
            elif dice == 2 and len(data) > 1:
                del data[at]
            elif len(data) > 1:
                del data[at if at else 1 :]
        return bytes(data)


def main() -> None:
    """Fuzz for so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    tally, seed = Tally(), arguments.seed
    end = time.monotonic() + arguments.seconds
    while (now := time.monotonic()) < end:
        try:
            Fuzzer(random.Random(seed), tally).run(min(end, now + WORLD_SECONDS))
        except AssertionError as difference:
            sys.exit(f"seed {seed}: {difference}")
        seed += 1
    print(
        f"{tally.worlds} worlds, {tally.asked} packets, {tally.answered} answered by the compiled "
        f"engine, {tally.limited} of those limited, no difference; "
        f"seeds {arguments.seed} to {seed - 1}"
    )


if __name__ == "__main__":
    main()
