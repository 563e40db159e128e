"""The values that a setup is made of."""

from dataclasses import dataclass

from mailmum.postfix.setup_resolver import Recipe
from mailmum.postfix.setup_ways import Way


@dataclass(frozen=True, slots=True)
class Options:
    """How to set up.

    Attributes:
        dns_host: address at which the service answers DNS.
        dns_port: its port.
        trial: blocks only log what they would reject; allows act.
        postscreen: whether to set up postscreen; None does when it is in use.
        config_dir: folder of main.cf when it is not Postfix's default; given to every command.
        way: how it asks.
        policy: the policy service as Postfix names it.
    """

    dns_host: str = "127.0.0.1"
    dns_port: int = 5300
    trial: bool = False
    postscreen: bool | None = None
    config_dir: str = ""
    way: Way = Way.DNS
    policy: str = "inet:127.0.0.1:10053"


@dataclass(frozen=True, slots=True)
class Insertion:
    """What to insert by hand into a parameter that is set, where that cannot be read.

    Attributes:
        parameter: the parameter of main.cf.
        text: what to insert there.
        where: the place in it.
    """

    parameter: str
    text: str
    where: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A setup.

    Attributes:
        server: the server's name.
        merged: whether it was merged into a configuration that stands.
        changes: parameters of main.cf that change; empty when all is set up already.
        lines: shell commands, in order; a command may span several lines.
        undo: shell commands that take MailMum out again.
        insertions: what is left to insert by hand.
        notes: what to know.
        resolvers: how to make a resolver reach the service.
        advice: what to know about resolvers.
    """

    server: str
    merged: bool
    changes: tuple[str, ...]
    lines: tuple[str, ...]
    undo: tuple[str, ...]
    insertions: tuple[Insertion, ...]
    notes: tuple[str, ...]
    resolvers: tuple[Recipe, ...]
    advice: tuple[str, ...]
