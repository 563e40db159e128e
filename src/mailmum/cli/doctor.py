"""`doctor`: what is wrong and how to mend it.

The service says what it sees of account and servers.  This machine adds what only it can see:
whether the service answers, whether DNS does, directly and through the resolver here, and whether
the Postfix here asks the zones.  Each finding is `ok`, `warn` or `fail`; one `fail` is status 1.
"""

from collections.abc import Iterable, Iterator

import click

from mailmum.cli.client import Client, Json, segment
from mailmum.cli.doctor_findings import Finding, fail, ok, warn
from mailmum.cli.endpoints import (
    endpoint,
    here,
    is_loopback,
    is_wildcard,
    postfix_endpoint,
)
from mailmum.cli.failures import Failure
from mailmum.cli.locate import CREDENTIAL, Service
from mailmum.cli.output import print_json
from mailmum.cli.postfix_here import read_if_there
from mailmum.cli.session import Session, common, pass_session
from mailmum.cli.visible import visible
from mailmum.postfix.current import Current

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command(short_help="Show what is wrong and how to mend it.")
@click.option("--server", metavar="NAME", help="Only this server.")
@click.option("--config-dir", metavar="DIR", help="Folder of Postfix's main.cf.")
@common
@pass_session
def doctor(session: Session, server: str | None, config_dir: str | None) -> None:
    """Show what is wrong and how to mend it.

    Run it on the mail server: then it also tries that machine's resolver and reads its Postfix.
    """
    findings = []
    for finding in _examine(session, server, config_dir or ""):
        findings.append(finding)
        if not session.as_json:
            _print(finding)
    if session.as_json:
        print_json({"checks": [finding.as_dict() for finding in findings]})
    if any(finding.state == "fail" for finding in findings):
        raise click.exceptions.Exit(1)


def _print(finding: Finding) -> None:
    state = click.style(f"{finding.state:4}", fg=_COLOURS.get(finding.state))
    click.echo(f"{state} {visible(finding.name)}: {visible(finding.message)}")
    if finding.fix and finding.state != "ok":
        click.echo(f"       fix: {visible(finding.fix)}")


def _examine(session: Session, server: str | None, config_dir: str) -> Iterator[Finding]:
    client = session.client()
    try:
        me = client.get("/me")
        # A server that does not exist is a mistake of the call, not a finding.
        servers = _servers(client, server)
    except Failure as failure:
        if failure.code == "not-found":
            raise
        yield fail("service", failure.problem, failure.fix)
        return
    yield ok("service", f"MailMum {me['version']} answers at {client.service.url}")
    yield from _credential(client.service)
    yield from _token(me)
    current = None
    trouble = None
    try:
        current = read_if_there(config_dir)
    except Failure as failure:
        trouble = fail("Postfix", failure.problem, failure.fix)
    asked = _asked(current, servers)
    yield from _dns(
        client.service,
        me,
        servers,
        postfix_here=bool(trouble) or _asks_dns(current, me["zone"], besides=asked),
    )
    yield from _policy(client.service, me, asked)
    yield from [trouble] if trouble else _postfix(current, me, servers, config_dir)
    for check in client.get("/doctor", server=server)["checks"]:
        yield Finding(check["name"], check["state"], check["message"], check["fix"])


def _servers(client: Client, server: str | None) -> list[Json]:
    if server:
        return [client.get(f"/servers/{segment(server)}")]
    return list(client.get("/servers")["servers"])


def _credential(service: Service) -> Iterator[Finding]:
    if service.data is None:
        return
    path = service.data / CREDENTIAL
    mode = path.stat().st_mode & 0o077
    if mode:
        yield fail(
            "credential",
            f"others on this machine can read {path}",
            f"chmod 600 {path}, then make a new token",
        )


def _token(me: Json) -> Iterator[Finding]:
    scopes = me["token"]["scopes"]
    if "write" not in scopes:
        yield warn("token", "this token can read only", "make one that can write, to change rules")
    else:
        yield ok("token", f"{me['person']} ({me['role']}) in account {me['account']['name']}")


def _dns(
    service: Service, me: Json, servers: list[Json], *, postfix_here: bool
) -> Iterator[Finding]:
    from mailmum.cli import doctor_dns

    name = doctor_dns.question(servers, me["zone"], anybody=True)
    for text in me["dns"]:
        host, port = endpoint(text)
        if is_loopback(host) and not here(service.url):
            yield warn(
                f"DNS {text}",
                "it answers only on the service's own machine, so it was not asked from here",
                "run doctor there too, and have DNS listen at an address that mail servers reach",
            )
            continue
        if is_wildcard(host):
            host = endpoint(_host(service.url))[0]
        yield from doctor_dns.direct(text, host, port, name)
    # Asked as a mail server asks, so by a resolver that has to be let.
    name = doctor_dns.question(servers, me["zone"])
    yield from doctor_dns.through_resolver(name, me["zone"], postfix_here=postfix_here)


def _asked(current: Current | None, servers: list[Json]) -> list[str]:
    """Where the Postfix here asks the policy service for one of the servers."""
    from mailmum.postfix.asking import askings

    keys = {key["key"] for one in servers for key in (one, *one["old_keys"])}
    found = [] if current is None else [one for one in askings(current) if one.key in keys]
    return sorted({one.service.removeprefix("inet:") for one in found})


def _asks_dns(current: Current | None, base: str, *, besides: list[str]) -> bool:
    """Whether the Postfix here asks over DNS, or is to be set up yet, which is mostly for DNS."""
    from mailmum.postfix.asking import over_dns

    return current is not None and (not besides or over_dns(current, base))


def _policy(service: Service, me: Json, asked: list[str]) -> Iterator[Finding]:
    """The policy service where Postfix asks it, else where it says that it listens."""
    from mailmum.cli.doctor_policy import answers

    for text in asked or [me["policy"]]:
        if text.startswith("unix:"):
            continue
        try:
            host, port = postfix_endpoint(text) if asked else endpoint(text)
        except Failure as failure:
            yield fail(f"policy {text}", failure.problem, failure.fix)
            continue
        if not asked:
            if is_loopback(host) and not here(service.url):
                continue
            if is_wildcard(host):
                host = endpoint(_host(service.url))[0]
        yield answers(text, host, port, needed=bool(asked))


def _host(url: str) -> str:
    from urllib.parse import urlsplit

    host = urlsplit(url).hostname or "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _postfix(
    current: Current | None, me: Json, servers: list[Json], config_dir: str
) -> Iterable[Finding]:
    from mailmum.cli.doctor_postfix import examine

    if current is None:
        return [ok("Postfix", "none is configured on this machine, so there was nothing to read")]
    return examine(current, servers, me["zone"], config_dir)
