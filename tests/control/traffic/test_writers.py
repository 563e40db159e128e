"""Several processes keep sightings at once, and one is killed: all or nothing, and each once."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest

from mailmum.traffic.packing import pack_client
from tests.control.traffic.writers import BATCHES, EACH, SERVERS, sightings
from tests.docs.markdown import ROOT
from tests.support.postgres import Cluster


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Mapping[str, str]:
    """An empty data folder and the database of this run, as an environment."""
    environment = {key: v for key, v in os.environ.items() if not key.startswith("MAILMUM_")}
    environment |= {"MAILMUM_DATA": str(tmp_path), "PYTHONPATH": str(ROOT)}
    if os.environ.get("MAILMUM_TEST_DATABASE") == "postgresql":
        cluster: Cluster = request.getfixturevalue("postgres_cluster")
        name = f"writers{time.monotonic_ns()}"
        with psycopg.connect(cluster.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        environment["MAILMUM_DATABASE"] = cluster.url(name)
    return environment


def test_writers_at_once_and_killed(place: Mapping[str, str]) -> None:
    """Every batch is kept once, in sightings and roll-ups, whoever was killed, and when."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.control.traffic.writers", "7"],
        env=dict(place),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["statuses"] == [0, 0, 0, 0]
    assert found["kills"] > 2
    expected = [
        (server, one)
        for server in SERVERS
        for number in range(BATCHES)
        for one in sightings(server, number).sightings
    ]
    times = Counter((server, round(one.time * 1000)) for server, one in expected)
    assert Counter(map(tuple, found["seen"])) == times
    packed = Counter((pack_client(one.client or "") or b"").hex() for _, one in expected)
    assert dict(found["clients"]) == packed
    assert dict(found["totals"]) == dict.fromkeys(SERVERS, EACH * BATCHES)
    assert dict(found["marks"]) == dict.fromkeys(SERVERS, str(BATCHES))
    # Numbers rise in the order of commits: the batches of a stream lie in the order it was read.
    for server in SERVERS:
        kept = [at for one, at in found["seen"] if one == server]
        in_order = [one for who, one in expected if who == server]
        assert kept == [round(one.time * 1000) for one in in_order]
