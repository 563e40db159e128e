"""Values as the API gives them."""

from typing import Any

BASE = "mailmum.internal"
KEY = "kx0h2m5n8q3r6t9w"


def listing(target: str = "203.0.113.7", **more: Any) -> dict[str, Any]:
    """A listing."""
    return {
        "id": 12,
        "action": "block",
        "target": target,
        "kind": "address",
        "scope": "account",
        "source": "person",
        "origin": "",
        "reason": "",
        "note": "",
        "code": None,
        "expires": None,
        "enabled": True,
        "created": "2026-11-22T10:00:00Z",
        "created_by": "owner@example.net",
        "changed": "2026-11-22T10:00:00Z",
    } | more


def zones(key: str = KEY) -> dict[str, str]:
    """The zones under a key."""
    return {name: f"{key}.{name}.{BASE}" for name in ("bl", "wl", "dbl", "dwl")}


def server(name: str = "mx1", **more: Any) -> dict[str, Any]:
    """A server."""
    key = more.get("key", KEY)
    return {
        "name": name,
        "key": key,
        "zones": zones(key),
        "ref": "r0000000000",
        "addresses": ["192.0.2.25"],
        "askers": [],
        "barred": None,
        "ttl": 60,
        "own": {"ttl": None, "code": None, "text": ""},
        "paused": None,
        "created": "2026-11-22T10:00:00Z",
        "last_query": None,
        "last_logged": None,
        "old_keys": [],
    } | more


def me(**more: Any) -> dict[str, Any]:
    """Who the token speaks for."""
    return {
        "account": {"id": 1, "name": "main"},
        "person": "owner@example.net",
        "role": "owner",
        "token": {"name": "command line", "scopes": ["read", "write"], "expires": None},
        "version": "0.1.0",
        "zone": BASE,
        "dns": ["127.0.0.1:5300"],
        "policy": "127.0.0.1:10053",
        "public_url": "http://127.0.0.1:8053",
    } | more


def sighting(number: int = 7, **more: Any) -> dict[str, Any]:
    """A sighting."""
    return {
        "id": number,
        "server": "mx1",
        "source": "log",
        "count": 1,
        "time": "2026-11-22T14:20:07Z",
        "host": "mx1",
        "service": "smtpd",
        "client": "203.0.113.77",
        "client_name": "vps.cloud.example",
        "helo": "vps.cloud.example",
        "sender": "promo@win.example",
        "recipient": "info@example.net",
        "outcome": "rejected",
        "code": 554,
        "rbl": "zen.rbl.example",
        "queue_id": None,
        "delivery": None,
        "score": None,
        "reason": "blocked",
        "named": [],
        "spam": None,
    } | more


def checked(**more: Any) -> dict[str, Any]:
    """A check."""
    return {
        "target": "198.51.100.0/24",
        "kind": "network",
        "server": None,
        "days": 30,
        "since": "2026-10-23T00:00:00Z",
        "complete": True,
        "verdict": "safe",
        "warnings": [],
        "addresses": 256,
        "contacts": 0,
        "clients": 0,
        "accepted": 0,
        "rejected": 0,
        "kept": 0,
        "unlogged": 0,
        "groups": {},
        "servers": [],
        "hits": [],
        "senders": [],
        "refused_senders": [],
        "reverse": [],
        "names": [],
        "country": None,
        "countries": [],
        "covered_by": [],
        "inside": [],
        "more_inside": 0,
        "better": [],
    } | more
