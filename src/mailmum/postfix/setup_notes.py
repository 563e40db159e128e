"""What an administrator has to know: the known limits, said at setup, each in whole sentences."""

from collections.abc import Iterator

from mailmum.postfix.current import Current
from mailmum.postfix.setup_zones import ServerZones

_TRIAL = (
    "Trial: blocks are only logged (reject_warning), allows act. Run the setup again without "
    "--trial to enforce."
)
_HELO = (
    "While smtpd_helo_required is `no`, a client that sends no HELO is not asked about by that "
    "name. To require it: postconf -e 'smtpd_helo_required = yes'"
)
_KEPT = (
    "Each smtpd process keeps the answers of DNS lists for as long as it lives, whatever their "
    "TTL: up to 100 sessions (max_use) or 100 s without one (max_idle). To make it ask anew at "
    "once: postfix reload"
)
_STOPPED = (
    "While the service does not answer, mail flows and nothing of yours is blocked. What something "
    "else in the same list would reject (an unknown recipient too, where the allow stands in "
    "smtpd_recipient_restrictions) is told to try again instead, 450 rather than 5xx: Postfix "
    "cannot know whether you allow that client."
)
_KEY = (
    "Replies and their log lines show the list without its key. Warnings about failed lookups and, "
    "with postscreen, the hits that dnsblog logs still show it: keep logs and main.cf to yourself, "
    "and give the server a new key if it gets about."
)
_LAYOUT = (
    "A value set by postconf stands on one line. The way back restores every value, not line "
    "breaks or comments inside one: keep a copy of main.cf if those matter."
)
_SCREEN_KEPT = (
    "With postscreen, a client's result is kept for the TTL of the answer, at least "
    "postscreen_dnsbl_min_ttl (60 s) and at most postscreen_dnsbl_max_ttl (1 h). The smtpd behind "
    "it asks again, so a new block holds all the same."
)
_SCREEN_TRIAL = "In the trial postscreen gives a block no weight; dnsblog logs it as a hit."
_SCREEN_IGNORES = (
    "As postscreen_dnsbl_action is `ignore`, postscreen logs what it finds and lets smtpd reject "
    "it. To turn clients away there: postconf -e 'postscreen_dnsbl_action = enforce'"
)
_RESOLVED = (
    "With systemd-resolved: it routes domains to the servers of a network link, not one domain to "
    "one server and port. Run unbound or dnsmasq on the mail server and name it in "
    "/etc/resolv.conf."
)
_CHROOT = (
    "Debian's smtpd runs in a chroot with a copy of /etc/resolv.conf that is made when Postfix "
    "starts: after a change there restart Postfix."
)
_CLOSE = (
    "Keep the service close: with no server answering, every connection waits for the resolver's "
    "timeouts."
)


def general(current: Current | None, *, trial: bool, over_dns: bool) -> Iterator[str]:
    """Notes for every setup; `over_dns` when Postfix asks DNS lists of ours."""
    if trial:
        yield _TRIAL
    if over_dns:
        yield _KEPT
        yield _STOPPED
        yield _KEY
    if current is None or current.value("smtpd_helo_required").strip().lower() != "yes":
        yield _HELO
    if current is not None:
        yield _LAYOUT


def screening(current: Current, *, trial: bool) -> Iterator[str]:
    """Notes for a setup with postscreen."""
    yield _SCREEN_KEPT
    if trial:
        yield _SCREEN_TRIAL
    elif current.value("postscreen_dnsbl_action").strip().lower() in ("", "ignore"):
        yield _SCREEN_IGNORES


def resolving(zones: ServerZones) -> tuple[str, ...]:
    """What to know about the resolver, and how to see that it works."""
    check = f"To check, on the mail server (it prints 127.0.0.2): dig +short {zones.test_entry}"
    return check, _RESOLVED, _CHROOT, _CLOSE
