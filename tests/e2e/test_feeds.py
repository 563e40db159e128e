"""A feed from a list on the web to the answers of DNS."""

from pathlib import Path

import pytest

from tests.support.https import https_site, text
from tests.support.service import service


def test_a_feed_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses of both kinds and names, a person's allow inside it, and its end."""
    with https_site(tmp_path) as site:
        monkeypatch.setenv("SSL_CERT_FILE", str(site.authority))
        site.answers["/list"] = text(b"203.0.113.0/24\n2001:db8::/32\n.spam.example\n")
        with service(tmp_path, reach="localhost") as running:
            zones = running.json("server", "add", "mx1")["zones"]
            running.run("feed", "add", "drop", site.url("/list"), "--reason", "In a list")
            nibbles = ".".join("2001:0db8".replace(":", "")[::-1])
            asked = {
                f"7.113.0.203.{zones['bl']}": ["127.0.0.5"],
                f"{'0.' * 24}{nibbles}.{zones['bl']}": ["127.0.0.5"],
                f"a.spam.example.{zones['dbl']}": ["127.0.1.5"],
                f"7.114.0.203.{zones['bl']}": [],
            }
            running.eventually(lambda: {one: running.lookup(one) for one in asked} == asked)
            (told,) = running.lookup(f"7.113.0.203.{zones['bl']}", "TXT")
            assert told.startswith('"In a list')
            running.run("allow", "203.0.113.7")
            running.eventually(lambda: running.lookup(f"7.113.0.203.{zones['bl']}") == [])
            assert running.lookup(f"8.113.0.203.{zones['bl']}") == ["127.0.0.5"]
            running.run("feed", "remove", "drop")
            running.eventually(lambda: running.lookup(f"8.113.0.203.{zones['bl']}") == [])
