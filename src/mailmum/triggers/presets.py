"""Triggers to start from, each of them off until it is chosen.

The numbers are those that a small mail server can live with; the backtest says what they would have
done on one's own traffic.
"""

from dataclasses import dataclass

from mailmum.triggers.rules import DAY, Group, Metric, Rule

HOUR = 3600


@dataclass(frozen=True, slots=True)
class Preset:
    """A ready-made trigger.

    Attributes:
        name: how it is called.
        about: what it stops, in a sentence.
        reason: what the senders that it lists are told.
        rule: its parameters.
        asks: the field that has to be filled in before it can be used, empty for none.
    """

    name: str
    about: str
    reason: str
    rule: Rule
    asks: str = ""


PRESETS = (
    Preset(
        "dictionary-attack",
        "Somebody tries out recipients that do not exist.",
        "Too many messages to recipients that do not exist",
        Rule(Metric.UNKNOWN, threshold=20, window=600),
    ),
    Preset(
        "two-lists",
        "Two public lists or more have rejected it, so it stays out when they forget.",
        "Listed by several public lists",
        Rule(Metric.LISTS, threshold=2, window=DAY, lifetime=7 * DAY),
    ),
    Preset(
        "asked-lists",
        "Two of the public lists that you have chosen list it, asked from here; no log is needed.",
        "Listed by several public lists",
        Rule(Metric.ASKED, threshold=2, window=DAY),
    ),
    Preset(
        "password-guessing",
        "Somebody tries out passwords.",
        "Too many failed logins",
        Rule(Metric.AUTH, threshold=10, window=HOUR, merge=5),
    ),
    Preset(
        "protocol-abuse",
        "Talks before its turn, or does not speak SMTP.",
        "Too many protocol errors",
        Rule(Metric.PROTOCOL, threshold=10, window=HOUR),
    ),
    Preset(
        "spam-score",
        "The spam filter gives several of its messages a high score.",
        "Sent spam",
        Rule(Metric.SCORE, threshold=3, window=DAY, score=15.0),
    ),
    Preset(
        "trap",
        "Writes to an address that nobody uses; put your own in.",
        "Wrote to an address that nobody uses",
        Rule(Metric.TRAP, threshold=1, window=HOUR, traps=("trap@example.net",), lifetime=7 * DAY),
        asks="traps",
    ),
    Preset(
        "network-flood",
        "Very many connections from one /24, or /64 of IPv6.",
        "Too many connections from this network",
        Rule(
            Metric.CONNECTIONS,
            threshold=300,
            window=600,
            group=Group.NETWORK,
            lifetime=6 * HOUR,
            brake=20,
        ),
    ),
)
