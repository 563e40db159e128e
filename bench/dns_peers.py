"""NSD and Knot as peers in measurements: ordinary name servers with the same listings as zones."""

import shutil
import sys
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


def peer(name: str, port: int, threads: int, folder: Path, sizes: Sizes) -> list[str]:
    """How to start one of them with the listings of a world."""
    head, zone, program, options = PEERS[name]
    found = shutil.which(program, path="/usr/sbin:/usr/bin") or sys.exit(f"{program} is missing")
    zones = "".join(
        zone.format(zone=zone_name, file=folder / f"file{at}")
        for at, zone_name in enumerate(write_zone_files(folder, sizes))
    )
    config = folder / f"{name}.conf"
    config.write_text(head.format(folder=folder, port=port, threads=threads) + zones)
    return [found, "-c", str(config), *options]
