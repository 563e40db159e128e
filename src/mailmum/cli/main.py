"""The command `mailmum`: finds the verb and loads only what that verb needs.

Starting must be quick (under 0.3 s for `--help`), since scripts call the command in loops: the
verbs stand here by name with one line of help each, and their modules are imported when one is
called.  A test holds these lines against the verbs' own.
"""

import importlib
import sys
from dataclasses import dataclass
from typing import IO, Any

import click

from mailmum import __version__
from mailmum.cli.failures import Failure
from mailmum.cli.session import Session, common
from mailmum.domain.errors import Refusal


@dataclass(frozen=True, slots=True)
class Verb:
    """Where a verb is implemented, and what it does in a line."""

    module: str
    attribute: str
    help: str


SECTIONS: dict[str, dict[str, Verb]] = {
    "Rules": {
        "block": Verb("listings", "block", "Block addresses, networks, hosts or domains."),
        "allow": Verb("listings", "allow", "Allow addresses, networks, hosts or domains."),
        "unlist": Verb("listings", "unlist", "Remove listings of exactly these targets."),
        "listings": Verb("listings", "listings", "Show listings."),
        "pause": Verb("pauses", "pause", "Block nothing for a while: the panic switch."),
        "resume": Verb("pauses", "resume", "End the pause of the account."),
        "explain": Verb("explain", "explain", "Show the verdict on a client, and why."),
        "journal": Verb("journal", "journal", "Show changes, and undo them."),
        "requests": Verb("requests", "requests", "Answer rejected senders who ask for removal."),
        "trigger": Verb("triggers", "trigger", "Have offenders listed by parameters."),
        "import": Verb("imports", "import_", "List what a file holds, as one change."),
        "feed": Verb("feeds", "feed", "Subscribe to lists of others."),
        "provider": Verb("providers", "provider", "Know the networks of mail providers."),
        "export": Verb("exports", "export", "Write listings in a format of other programs."),
    },
    "Traffic": {
        "check": Verb("check", "check", "Before you list: whom would a block hit?"),
        "sightings": Verb("sightings", "sightings", "Search what reached your mail servers."),
        "tail": Verb("tail", "tail", "Follow what reaches your mail servers, live."),
        "suggestions": Verb("suggestions", "suggestions", "Proposals from what was seen."),
        "rbl": Verb("rbls", "rbl", "Ask public RBLs, and compare what they catch."),
        "alerts": Verb("alerts", "alerts", "Show alerts, and say whom to tell."),
    },
    "Mail servers": {
        "server": Verb("servers", "server", "Add, show and remove mail servers."),
        "postfix": Verb("postfix", "postfix", "Set Postfix up to ask this service."),
        "ship": Verb("ship", "ship", "Hand in the mail logs of this machine."),
        "doctor": Verb("doctor", "doctor", "Show what is wrong and how to mend it."),
    },
    "Mail logs": {
        "analyze": Verb("analyze", "analyze", "Read Postfix logs and report on them."),
    },
    "The service": {
        "up": Verb("local", "up", "Run the whole service."),
        "web": Verb("local", "web", "Run only pages and API."),
        "dns": Verb("local", "dns", "Run only the DNS server."),
        "policy": Verb("local", "policy", "Run only the policy service."),
        "collect": Verb("local", "collect", "Run only what follows mail logs."),
        "worker": Verb("local", "worker", "Run only the worker."),
        "migrate": Verb("local", "migrate", "Make or upgrade the database, then end."),
        "account": Verb("local", "account", "Add accounts, sign-in links and tokens."),
    },
}
VERBS = {name: verb for section in SECTIONS.values() for name, verb in section.items()}


class LazyGroup(click.Group):
    """A group whose members are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every verb."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb."""
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        module = importlib.import_module(f"mailmum.cli.{verb.module}")
        command: click.Command = getattr(module, verb.attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; a mistyped one is answered with those that look like it."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            raise click.UsageError(_no_verb(args[0]), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs by section without importing them."""
        for title, verbs in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, verb.help) for name, verb in verbs.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; refusals become failures, told as JSON too where that is wanted."""
        try:
            return _invoke(super().invoke, ctx)
        except Failure as failure:
            if ctx.ensure_object(Session).as_json and not failure.midway:
                click.echo(failure.as_json())
            raise


def _invoke(call: Any, context: click.Context) -> Any:
    try:
        return call(context)
    except Refusal as refusal:
        raise Failure(
            refusal.problem, refusal.fix, code=refusal.code, field=refusal.field
        ) from refusal


def _no_verb(name: str) -> str:
    import difflib

    from mailmum.cli.visible import visible

    near = difflib.get_close_matches(name, VERBS, n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"There is no command {visible(name)}.{hint}"


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="mailmum %(version)s")
@common
def cli() -> None:
    """Run a Real-time Blackhole List of your own for every mail server you run.

    TARGET is an address (203.0.113.7), a network (203.0.113.0/24, 2001:db8::/32), a host
    (mail.spam.example), or a domain with all under it (.spam.example, .top). With - targets are
    read from standard input, one a line. Several targets are one change, all or nothing.
    """


def main() -> None:
    """Run the command and end the process: 0 done, 1 refused or failed, 2 usage."""
    for stream in (sys.stdout, sys.stderr):
        _never_fail_to_print(stream)
    cli(prog_name="mailmum")


def _never_fail_to_print(stream: IO[str]) -> None:
    # A terminal that cannot show a name in another script gets escapes, not a traceback.
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
