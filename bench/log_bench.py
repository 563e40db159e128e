"""How fast the log reader is, beside pflogsumm on the same lines: `python bench/log_bench.py`.

A log of a mail server with a hundred smtpd processes is made once: sessions that overlap, clients
of which few send much, refusals by lists, unknown recipients, greylisting, failed authentication,
postscreen, mail that is accepted and delivered, deferred or filtered, and lines of other programs.
Reader and pflogsumm take turns, each in a process of its own on one core, and what is told is the
median of the ratios.  Memory is told for the log and for the same log ten times over.
"""

import argparse
import heapq
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

_NOW = 1795600000.0
_BLOCK = 1 << 20
_ZONES = ("zen.rbl.example", "b.rbl.example", "bl.other.example")


class Made:
    """Makes the lines of a log, in order of time."""

    def __init__(self, seed: int, stamp: str) -> None:
        self._random = random.Random(seed)
        self._stamp = stamp
        self._clients = [
            (
                f"198.51.{self._random.randrange(100)}.{self._random.randrange(1, 255)}",
                self._random.choice(["unknown", f"mail{number}.host{number % 977}.example"]),
            )
            for number in range(30_000)
        ]
        self._free = [str(pid) for pid in range(20_000, 20_100)]
        self._serial = 0

    def lines(self, number: int) -> Iterator[str]:
        """The first `number` lines."""
        waiting: list[tuple[float, int, str, list[tuple[float, str]]]] = []
        now, count, begun = _NOW - 40 * 86_400.0, 0, 0
        while count < number:
            now += self._random.random() * 0.4
            for moment, line in [*self._story(now)]:
                begun += 1
                heapq.heappush(waiting, (moment, begun, line, []))
            while waiting and waiting[0][0] <= now and count < number:
                moment, _, line, _ = heapq.heappop(waiting)
                count += 1
                yield f"{self._at(moment)} mx1 {line}\n"

    def _at(self, moment: float) -> str:
        at = datetime.fromtimestamp(moment, UTC)
        if self._stamp == "bsd":
            return f"{at:%b} {at.day:2} {at:%H:%M:%S}"
        return at.isoformat(timespec="microseconds")

    def _story(self, now: float) -> list[tuple[float, str]]:
        random_ = self._random
        # Few clients come often: the square of a uniform number is near nothing more often.
        address, name = self._clients[int(random_.random() ** 2 * len(self._clients))]
        pid = self._free.pop(0)
        self._free.append(pid)
        who = f"{name}[{address}]"
        kind = random_.random()
        smtpd = f"postfix/smtpd[{pid}]: "
        body = [smtpd + f"connect from {who}"]
        if random_.random() < 0.25:
            body.append(
                smtpd + f"Anonymous TLS connection established from {who}: TLSv1.3 with cipher "
                "TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS"
            )
        if kind < 0.42:
            body += self._refused(smtpd, who, name, address)
        elif kind < 0.50:
            body += [
                smtpd + f"warning: {who}: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
                smtpd + f"lost connection after AUTH from {who}",
                smtpd + f"disconnect from {who} ehlo=1 auth=0/1 commands=1/2",
            ]
        elif kind < 0.56:
            body.append(smtpd + f"disconnect from {who} ehlo=1 quit=1 commands=2")
        elif kind < 0.60:
            return self._timed(now, self._screened(address))
        else:
            body += self._accepted(smtpd, who)
        if random_.random() < 0.1:
            body.append("dovecot: imap-login: Login: user=<someone>, method=PLAIN, rip=192.0.2.8")
        return self._timed(now, body)

    def _timed(self, now: float, body: list[str]) -> list[tuple[float, str]]:
        timed = []
        for line in body:
            timed.append((now, line))
            now += self._random.random() * 0.3
        return timed

    def _refused(self, smtpd: str, who: str, name: str, address: str) -> list[str]:
        random_ = self._random
        user = f"user{random_.randrange(2000)}@here.example"
        sender = f"s{random_.randrange(20_000)}@dom{random_.randrange(3000)}.example"
        kind = random_.random()
        if kind < 0.65:
            zone = random_.choice(_ZONES)
            reply = (
                f"554 5.7.1 Service unavailable; Client host [{address}] blocked using {zone}; "
                f"https://www.{zone}/query/ip/{address}"
            )
        elif kind < 0.85:
            reply = (
                f"550 5.1.1 <{user}>: Recipient address rejected: User unknown in virtual mailbox "
                "table"
            )
        elif kind < 0.95:
            reply = f"450 4.7.25 Client host rejected: cannot find your hostname, [{address}]"
        else:
            reply = f"554 5.7.1 <{user}>: Relay access denied"
        line = (
            f"{smtpd}NOQUEUE: reject: RCPT from {who}: {reply}; from=<{sender}> to=<{user}> "
            f"proto=ESMTP helo=<{name}>"
        )
        end = f"{smtpd}disconnect from {who} ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4"
        return [*[line] * random_.choice([1, 1, 1, 2, 5]), end]

    def _screened(self, address: str) -> list[str]:
        port = f"[{address}]:{self._random.randrange(1024, 65_536)}"
        screen = "postfix/postscreen[900]: "
        return [
            f"{screen}CONNECT from {port} to [192.0.2.1]:25",
            f"postfix/dnsblog[901]: addr {address} listed by domain zen.rbl.example as 127.0.0.4",
            f"{screen}PREGREET 14 after 0.05 from {port}: EHLO {address}\\r\\n",
            f"{screen}DNSBL rank 3 for {port}",
            f"{screen}HANGUP after 0.2 from {port} in tests after SMTP handshake",
            f"{screen}DISCONNECT {port}",
        ]

    def _accepted(self, smtpd: str, who: str) -> list[str]:
        random_ = self._random
        self._serial += 1
        queue_id = f"4C{self._serial:06}z9sV".translate(str.maketrans("", "", "aeiou"))
        user = f"user{random_.randrange(2000)}@here.example"
        sender = f"s{random_.randrange(20_000)}@dom{random_.randrange(3000)}.example"
        lines = [
            f"{smtpd}{queue_id}: client={who}",
            f"postfix/cleanup[700]: {queue_id}: message-id=<{self._serial}.x@mail.example>",
            (
                f"postfix/qmgr[701]: {queue_id}: from=<{sender}>, "
                f"size={random_.randrange(9**6)}, nrcpt=1 (queue active)"
            ),
            f"{smtpd}disconnect from {who} ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5",
        ]
        kind = random_.random()
        if kind < 0.75:
            lines.append(
                f"postfix/lmtp[702]: {queue_id}: to=<{user}>, relay=mx1[private/dovecot-lmtp], "
                f"delay=0.2, delays=0.1/0/0/0.02, dsn=2.0.0, status=sent (250 2.0.0 <{user}> Saved)"
            )
        elif kind < 0.95:
            lines.append(
                f"postfix/smtp[703]: {queue_id}: to=<{sender}>, "
                "relay=mx.there.example[192.0.2.9]:25, delay=1.2, delays=0.1/0.01/0.5/0.8, "
                "dsn=2.0.0, status=sent (250 2.0.0 OK)"
            )
        else:
            lines.append(
                f"postfix/smtp[703]: {queue_id}: to=<{sender}>, "
                "relay=mx.there.example[192.0.2.9]:25, delay=5, delays=0.1/0.01/0.5/0.8, "
                "dsn=4.2.0, status=deferred (450 4.2.0 later)"
            )
        lines.append(f"postfix/qmgr[701]: {queue_id}: removed")
        return lines


def read(path: Path, times: int) -> None:
    """Read a log some times over, and print CPU seconds, lines, sightings and memory in MiB."""
    from mailmum.postfix.log.reader import LogReader, Settings

    reader = LogReader(Settings(_NOW, UTC, None))
    begun, sightings = time.process_time(), 0
    for _ in range(times):
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                sightings += len(reader.feed(block).sightings)
    sightings += len(reader.finish().sightings)
    spent = time.process_time() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(spent, reader.lines, sightings, memory, reader.unrecognised)


def run_reader(path: Path, times: int = 1) -> list[float]:
    """The numbers that `read` prints, in a process of its own."""
    command = [sys.executable, __file__, "--read", str(path), "--times", str(times)]
    return [float(word) for word in subprocess.check_output(command, text=True).split()]


def run_pflogsumm(path: Path) -> float:
    """CPU seconds of pflogsumm on a log."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        ["pflogsumm", str(path)],
        env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(path: Path, rounds: int) -> None:
    """Take turns, and tell the ratios."""
    ratios = []
    for _ in range(rounds):
        theirs = run_pflogsumm(path)
        spent, lines, sightings, memory, unknown = run_reader(path)
        ratios.append(theirs / spent)
        print(
            f"pflogsumm {lines / theirs:9,.0f} lines/s   reader {lines / spent:9,.0f} lines/s   "
            f"ratio {ratios[-1]:.2f}   {sightings:,.0f} sightings, {unknown:.0f} not understood, "
            f"{memory:.0f} MiB"
        )
    print(f"ratio: median {statistics.median(ratios):.2f} of {rounds}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stamp", choices=["bsd", "iso"], default="bsd")
    parser.add_argument("--log", type=Path, help="a log of your own instead of a made one")
    parser.add_argument("--memory", action="store_true", help="also read it ten times over")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--times", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(options.read, options.times)
        return
    if shutil.which("pflogsumm") is None:
        raise SystemExit("no pflogsumm here: apt-get install pflogsumm")
    with tempfile.TemporaryDirectory() as folder:
        path = options.log or Path(folder) / "mail.log"
        if not options.log:
            with path.open("w") as file:
                file.writelines(Made(1, options.stamp).lines(options.lines))
        compare(path, options.rounds)
        if options.memory:
            print(f"ten times over: {run_reader(path, 10)[3]:.0f} MiB")


if __name__ == "__main__":
    main()
