"""Look for a log that the compiled loop reads differently: `python -m bench.log_fuzz`.

    .venv/bin/python -m bench.log_fuzz [--seconds 60] [--seed 1]
    script/sanitize 3600                  the same, with an extension that checks its memory

Makes one small log after the other with everything in it that mail servers write, damages it (lines
lost, swapped, cut and put together, bytes changed, words of other lines put in), and has it read
whole and in pieces, with the compiled loop, with the quick lane and the long way, as a log that is
read and as one that is followed.  All must say the same.  Stops at the first difference with what
it takes to see it again.
"""

import argparse
import random
import sys
import time

from tests.postfix.log.corpus import log
from tests.postfix.log.reading import WHOLE, cut
from tests.postfix.log.test_compiled import FOLLOWED, WORDS
from tests.postfix.log.test_splits import Interpreted, Plain, mangled, result


def one(seed: int) -> tuple[int, int]:
    """One log; how many lines and sightings it had."""
    chance = random.Random(seed)
    data = bytearray(
        log(seed, sessions=12, hosts=chance.randint(1, 2), stamp=chance.choice(["bsd", "iso"]))
    )
    for _ in range(chance.randrange(20)):
        at = chance.randrange(len(data))
        data[at : at + chance.randrange(40)] = chance.choice(WORDS)
    damaged = mangled(bytes(data), seed, chance.randrange(30))
    told: tuple[int, int] = (0, 0)
    for how in (WHOLE, FOLLOWED):
        plain = result([damaged], Plain, how)
        for pieces in (0, 7):
            if result(cut(damaged, seed, pieces), how=how) != plain:
                raise AssertionError(f"compiled, {pieces} cuts, hold {how.hold}")
        if result([damaged], Interpreted, how) != plain:
            raise AssertionError(f"interpreted, hold {how.hold}")
        told = (plain[2][0], len(plain[0]))
    return told


def main() -> None:
    """Fuzz for so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    seed, lines, sightings = arguments.seed, 0, 0
    end = time.monotonic() + arguments.seconds
    while time.monotonic() < end:
        try:
            more = one(seed)
        except AssertionError as difference:
            sys.exit(f"seed {seed}: {difference}")
        seed, lines, sightings = seed + 1, lines + more[0], sightings + more[1]
    print(
        f"{seed - arguments.seed} logs, {lines} lines, {sightings} sightings, no difference; seeds "
        f"{arguments.seed} to {seed - 1}"
    )


if __name__ == "__main__":
    main()
