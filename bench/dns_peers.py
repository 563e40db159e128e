"""Peers in measurements: rbldnsd; NSD and Knot as ordinary name servers with the same listings."""

import shutil
import sys
from collections.abc import Collection
from pathlib import Path

from bench.dns_data import Sizes, write_zone_files

_NSD = """\
server:
    ip-address: 127.0.0.1@{port}
    username: ""
    zonesdir: "{folder}"
    database: ""
    pidfile: ""
    logfile: "/dev/null"
    xfrdfile: "{folder}/xfrd"
    zonelistfile: "{folder}/zones"
    server-count: {threads}
    rrl-ratelimit: 0
remote-control:
    control-enable: no
"""
_KNOT = """\
server:
    listen: 127.0.0.1@{port}
    rundir: {folder}
    udp-workers: {threads}
    tcp-workers: 1
    background-workers: 1
database:
    storage: {folder}
template:
  - id: default
    zonefile-load: whole
    journal-content: none
    zonefile-sync: -1
zone:
"""
# What each is told once and for each zone, its program, and how it stays in the foreground.
PEERS = {
    "nsd": (_NSD, "zone:\n    name: {zone}\n    zonefile: {file}\n", "nsd", ("-d",)),
    "knot": (_KNOT, "  - domain: {zone}\n    file: {file}\n", "knotd", ()),
}
RBLDNSD = {"rbldnsd": "ip4trie", "rbldnsd-set": "ip4set"}
"""Data types that it can keep listings in."""

# What has to be there for a server or a generator, and the Debian package that brings it.
_PROGRAMS = {
    "echo": ("cc", "gcc"),
    "blast": ("cc", "gcc"),
    "dnsperf": ("dnsperf", "dnsperf"),
    "rbldnsd": ("rbldnsd", "rbldnsd"),
    "rbldnsd-set": ("rbldnsd", "rbldnsd"),
    "nsd": ("nsd", "nsd"),
    "knot": ("knotd", "knot"),
}


def check_programs(names: Collection[str], known: Collection[str], generator: str) -> None:
    """End with a word on what is unknown or missing, before anything is made."""
    if unknown := set(names) - set(known):
        sys.exit(f"no such server: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    needed = dict(_PROGRAMS[name] for name in (*names, generator, "blast") if name in _PROGRAMS)
    missing = {package for program, package in needed.items() if not _path_of(program)}
    if missing:
        words = " ".join(sorted(missing))
        sys.exit(f"missing: {words}; apt-get install {words}, or leave it out of --servers")


def _path_of(program: str) -> str:
    return shutil.which(program, path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin") or ""


def rbldnsd(port: int, folder: Path, zones: list[str], *more: str) -> list[str]:
    """How to start rbldnsd with zones of a folder."""
    bind = ["-b", f"127.0.0.1/{port}", "-w", str(folder)]
    return [_path_of("rbldnsd"), "-n", "-a", "-c", "0", "-u", "nobody", *more, *bind, *zones]


def peer(name: str, port: int, threads: int, folder: Path, sizes: Sizes) -> list[str]:
    """How to start one of them with the listings of a world."""
    head, zone, program, options = PEERS[name]
    found = _path_of(program)
    zones = "".join(
        zone.format(zone=zone_name, file=folder / f"file{at}")
        for at, zone_name in enumerate(write_zone_files(folder, sizes))
    )
    config = folder / f"{name}.conf"
    config.write_text(head.format(folder=folder, port=port, threads=threads) + zones)
    return [found, "-c", str(config), *options]
