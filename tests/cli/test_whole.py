"""The command line against the whole service: what scripts of administrators depend on.

One service for the file; each test has a server or targets of its own.
"""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.postconf import apply, make_postfix
from tests.support.service import MAILMUM, Service, service

pytestmark = [pytest.mark.both, pytest.mark.xdist_group("whole-command-line")]

LISTING = {"id", "action", "target", "scope", "source", "reason", "expires"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service with a server mx1."""
    with service(tmp_path_factory.mktemp("whole"), "--zone", "rbl.example.net") as made:
        made.run("server", "add", "mx1", "--address", "192.0.2.25")
        yield made


def refusal(whole: Service, *words: str, given: str | None = None) -> dict[str, Any]:
    """The error of a call that must fail, the same on both outputs."""
    done = whole.run(*words, "--json", given=given, status=1)
    error: dict[str, Any] = json.loads(done.stdout)["error"]
    assert done.stderr.startswith(f"mailmum: {error['message']}")
    return error


def verdict(whole: Service, client: str, *words: str) -> str:
    """The verdict on a client."""
    found = whole.json("explain", client, *words)
    assert set(found) >= {"verdict", "because", "overruled"}
    return str(found["verdict"])


def test_server_add_gives_key_and_zones(whole: Service) -> None:
    """`name`, `key`, `zones` with full names."""
    made = whole.json("server", "add", "mx2")
    assert made["name"] == "mx2"
    for name in ("bl", "wl", "dbl", "dwl"):
        assert made["zones"][name] == f"{made['key']}.{name}.rbl.example.net"
    assert made in whole.json("server", "list")
    assert whole.json("server", "show", "mx2") == made
    assert refusal(whole, "server", "add", "mx2")["code"] == "conflict"


def test_a_server_is_edited_rotated_and_removed(whole: Service) -> None:
    """The old key lives on for as long as was said; removing takes its listings along."""
    made = whole.json("server", "add", "mx3")
    edited = whole.json("server", "edit", "mx3", "--name", "mx4", "--address", "192.0.2.44")
    assert (edited["name"], edited["addresses"]) == ("mx4", ["192.0.2.44"])
    rotated = whole.json("server", "rotate-key", "mx4", "--keep", "1h")
    assert rotated["key"] != made["key"]
    assert rotated["old_keys"][0]["key"] == made["key"]
    whole.run("block", "198.51.100.44", "--server", "mx4")
    assert whole.json("server", "remove", "mx4")["listings"] == 1
    assert refusal(whole, "server", "show", "mx4")["code"] == "not-found"


def test_block_allow_explain_unlist(whole: Service) -> None:
    """A person's exception in a network, told with what it overruled, and answered over DNS."""
    zones = whole.json("server", "show", "mx1")["zones"]
    whole.run("block", "203.0.113.0/24", "--reason", "spam run")
    whole.run("allow", "203.0.113.7", "--server", "mx1", "--for", "7d")
    found = whole.json("explain", "203.0.113.7", "--server", "mx1")
    assert found["verdict"] == "allow"
    assert set(found["because"]) >= LISTING
    assert (found["because"]["scope"], found["because"]["target"]) == ("mx1", "203.0.113.7")
    assert [one["target"] for one in found["overruled"]] == ["203.0.113.0/24"]
    assert verdict(whole, "203.0.113.7") == "block"
    assert verdict(whole, "203.0.113.8", "--server", "mx1") == "block"
    assert verdict(whole, "198.51.100.200") == "none"
    whole.eventually(lambda: whole.lookup(f"8.113.0.203.{zones['bl']}") == ["127.0.0.3"])
    whole.eventually(lambda: whole.lookup(f"7.113.0.203.{zones['wl']}") == ["127.0.0.2"])
    whole.run("unlist", "203.0.113.0/24")
    whole.eventually(lambda: whole.lookup(f"8.113.0.203.{zones['bl']}") == [])


def test_every_field_of_a_listing_comes_back(whole: Service) -> None:
    """As `listings --json` tells it; options left out keep their value, `never` clears the end."""
    words = ["--reason", 'say "no"', "--note", "private", "--code", "127.0.0.9", "--for", "1d12h"]
    whole.run("block", "198.51.100.1", *words)
    [found] = whole.json("listings", "--covering", "198.51.100.1")
    assert set(found) >= LISTING
    assert (found["action"], found["scope"], found["source"]) == ("block", "account", "person")
    assert (found["reason"], found["note"], found["code"]) == ('say "no"', "private", "127.0.0.9")
    assert found["expires"]
    told = whole.json("block", "198.51.100.1", "--for", "never")["listings"][0]
    assert (told["outcome"], told["was"]["expires"]) == ("changed", found["expires"])
    assert (told["expires"], told["reason"], told["code"]) == (None, 'say "no"', "127.0.0.9")
    assert whole.json("block", "198.51.100.1")["listings"][0]["outcome"] == "unchanged"


def test_listing_with_the_other_action_says_what_it_was(whole: Service) -> None:
    """One listing for a target in a scope."""
    whole.run("block", "198.51.100.2", "--reason", "spam")
    out = whole.run("allow", "198.51.100.2").stdout
    assert out == (
        'changed: allow 198.51.100.2 (all servers); was: block 198.51.100.2 (all servers), "spam"\n'
    )
    assert len(whole.json("listings", "--covering", "198.51.100.2")) == 1


def test_names_hosts_domains_and_top_level_domains(whole: Service) -> None:
    """A host outranks the domain of the same name; a TLD is a domain."""
    whole.run("block", ".spam.example", ".zip")
    whole.run("allow", "good.spam.example")
    assert verdict(whole, "mail.spam.example") == "block"
    assert verdict(whole, "good.spam.example") == "allow"
    assert verdict(whole, "x.y.zip") == "block"


def test_several_targets_are_one_change_all_or_nothing(whole: Service) -> None:
    """One bad target: none is listed, and each bad one is named."""
    lines = "198.51.100.10\n# a comment\n198.51.100.11/24\nnot_a..name\n"
    error = refusal(whole, "block", "-", given=lines)
    assert [item["target"] for item in error["items"]] == ["198.51.100.11/24", "not_a..name"]
    assert "198.51.100.0/24" in error["items"][0]["fix"]
    assert whole.json("listings", "--covering", "198.51.100.10") == []
    told = whole.json("block", "-", given="198.51.100.10\n198.51.100.12 # both\n")
    assert [one["target"] for one in told["listings"]] == ["198.51.100.10", "198.51.100.12"]
    assert isinstance(told["change"], int)


@pytest.mark.parametrize("target", ["10.0.0.1", "192.0.2.25", "203.0.0.0/8", "2001::/16"])
def test_guarded_targets_need_force(whole: Service, target: str) -> None:
    """Private space, the own server, and what is very wide."""
    assert refusal(whole, "block", target)["code"] == "needs-confirmation"
    whole.run("block", target, "--force")
    whole.run("unlist", target)


def test_loopback_is_refused_even_with_force(whole: Service) -> None:
    """It can never be listed."""
    assert refusal(whole, "block", "127.0.0.1", "--force")["code"] == "bad-input"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("block", "198.51.100.20", "--for", "soon"), "soon is no length of time"),
        (("block", "198.51.100.20", "--code", "192.0.2.1"), "code"),
        (("block", "198.51.100.20", "--reason", "a\x1b[2Jb"), "control character"),
        (("block", "198.51.100.20", "--server", "mx99"), "there is no server mx99"),
        (("block", "a" * 300), "too long"),
        (("explain", "203.0.113.0/24"), "is a network"),
        (("listings", "--server", "mx99"), "there is no server mx99"),
        (("export", "--format", "rpz", "-o", "/tmp/never"), "rpz"),
    ],
)
def test_bad_input_says_what_why_and_how_to_mend_it(
    whole: Service, words: tuple[str, ...], said: str
) -> None:
    """Exit status 1, and nothing is half done."""
    assert said in refusal(whole, *words)["message"]
    assert whole.json("listings", "--covering", "198.51.100.20") == []


def test_unlist_of_what_is_not_listed_exits_0(whole: Service) -> None:
    """And says so."""
    told = whole.json("unlist", "198.51.100.99")
    assert (told["change"], told["removed"], told["not_listed"]) == (None, [], ["198.51.100.99"])
    assert "not listed: 198.51.100.99" in whole.run("unlist", "198.51.100.99").stdout


def test_import_reports_changes_and_forgets_what_left(whole: Service, tmp_path: Path) -> None:
    """A dry run changes nothing; the same file again changes nothing; what left is removed."""
    path = tmp_path / "drop.txt"
    path.write_text("198.18.0.1\n198.18.0.2 # why\n")
    words = ("import", str(path), "--format", "plain")
    assert whole.json(*words, "--dry-run")["applied"] is False
    assert verdict(whole, "198.18.0.1") == "none"
    assert whole.json(*words)["added"] == 2
    assert whole.json(*words)["unchanged"] == 2
    [found] = whole.json("listings", "--covering", "198.18.0.1")
    assert (found["source"], found["origin"]) == ("feed", "drop.txt")
    path.write_text("198.18.0.2\n198.18.0.3\n")
    report = whole.json(*words, "--remove-missing")
    assert (report["added"], report["unchanged"], report["removed"]) == (1, 1, 1)
    assert verdict(whole, "198.18.0.1") == "none"


def test_an_import_with_a_bad_line_changes_nothing(whole: Service) -> None:
    """Number, text and reason of the line; standard input, whose length nobody knows."""
    done = whole.run(
        "import", "-", "--format", "plain", "--json", given="198.18.1.1\nnot_a..name\n", status=1
    )
    report = json.loads(done.stdout)
    assert (report["bad"], report["applied"]) == (1, False)
    assert report["bad_lines"][0]["line"] == 2
    assert report["bad_lines"][0]["problem"]
    assert verdict(whole, "198.18.1.1") == "none"


@pytest.mark.parametrize("form", ["json", "csv"])
def test_what_is_exported_can_be_imported_again(whole: Service, tmp_path: Path, form: str) -> None:
    """Removed and imported, a listing is as it was."""
    whole.run("server", "add", f"back-{form}")
    target = {"json": "198.18.2.1", "csv": "198.18.2.2"}[form]
    scope = ("--server", f"back-{form}")
    whole.run("block", target, *scope, "--reason", 'a, "b"', "--note", "n", "--for", "30d")
    [before] = whole.json("listings", "--covering", target, *scope)
    path = tmp_path / f"out.{form}"
    whole.run("export", "--format", form, "-o", str(path), *scope)
    whole.run("unlist", target, *scope)
    whole.run("import", str(path), "--format", form, "--force")
    [after] = whole.json("listings", "--covering", target, *scope)
    kept = ("action", "target", "scope", "source", "reason", "note", "code", "expires", "enabled")
    assert [after[word] for word in kept] == [before[word] for word in kept]


@pytest.mark.parametrize(
    "form",
    [
        "rbldnsd",
        "ip4set",
        "ip4trie",
        "ip6trie",
        "dnset",
        "postfix-cidr",
        "postfix-access",
        "csv",
        "json",
        "plain",
    ],
)
def test_every_format_is_written(whole: Service, form: str) -> None:
    """With a listing of each kind in it; `--json` stands for the format json."""
    whole.run("block", "198.18.3.1", "198.18.4.0/24", "2001:db8:3::/48", ".written.example")
    kinds = {"ip6trie": ["2001:db8:3"], "dnset": ["written.example"]}
    addresses = ["198.18.3.1", "198.18.4.0/24"]
    if form in ("ip4set", "postfix-access"):
        # These formats write a network of whole octets as its first octets.
        addresses = ["198.18.3.1", "198.18.4"]
    text = whole.run("export", "--format", form).stdout
    for wanted in kinds.get(form, addresses):
        assert wanted in text
    assert isinstance(whole.json("export"), list)


def test_a_large_import_shows_no_progress_in_a_pipe(whole: Service, tmp_path: Path) -> None:
    """Ten thousand lines in one change; progress is for terminals only."""
    path = tmp_path / "many.txt"
    path.write_text("".join(f"198.19.{n >> 8}.{n & 255}\n" for n in range(10_000)))
    done = whole.run("import", str(path), "--format", "plain")
    assert "10000 added" in done.stdout
    assert done.stderr == ""
    assert len(whole.json("listings", "--action", "block")) >= 10_000
    path.write_text("")
    emptied = (*("import", str(path), "--format", "plain"), "--remove-missing")
    assert refusal(whole, *emptied)["code"] == "needs-confirmation"
    assert whole.json(*emptied, "--force")["removed"] == 10_000


def test_a_read_only_token_changes_nothing(whole: Service) -> None:
    """It reads; what it may not do is told, before a large file has been sent for nothing."""
    made = whole.json("account", "token", "owner@localhost", "--account", "main", "--name", "ro")
    environment = {
        **{name: value for name, value in whole.environment.items() if name != "MAILMUM_DATA"},
        "MAILMUM_URL": whole.url,
        "MAILMUM_TOKEN": made["token"],
    }
    reader = Service(whole.data, whole.web, whole.dns, environment)
    assert verdict(reader, "198.51.100.77") == "none"
    for words in (("block", "198.51.100.77"), ("server", "add", "mx8")):
        assert refusal(reader, *words)["code"] == "forbidden"
    assert refusal(reader, "import", "-", "--format", "plain", given="198.51.100.77\n")
    assert verdict(reader, "198.51.100.77") == "none"


def test_a_wrong_token_says_where_it_came_from(whole: Service) -> None:
    """So that the right one can be put there."""
    environment = {
        **{name: value for name, value in whole.environment.items() if name != "MAILMUM_DATA"},
        "MAILMUM_URL": whole.url,
        "MAILMUM_TOKEN": "mm_wrong",
    }
    error = refusal(Service(whole.data, whole.web, whole.dns, environment), "server", "list")
    assert error["code"] == "unauthenticated"
    assert "MAILMUM_TOKEN" in error["fix"]


def test_another_account_sees_nothing_of_this_one(whole: Service) -> None:
    """Made by the operator, with a token of its owner."""
    link = whole.json("account", "add", "acme", "--owner", "owner@example.net")["link"]
    assert link.startswith(f"{whole.url}/enter/")
    again = ("account", "add", "further", "--owner", "owner@example.net")
    assert "is in acme already" in refusal(whole, *again)["message"]
    assert whole.json(*again, "--known")["account"] == "further"
    words = ("account", "token", "owner@example.net", "--account", "acme", "--name", "x")
    token = whole.json(*words, "--scope", "write")["token"]
    environment = {
        **{name: value for name, value in whole.environment.items() if name != "MAILMUM_DATA"},
        "MAILMUM_URL": whole.url,
        "MAILMUM_TOKEN": token,
    }
    acme = Service(whole.data, whole.web, whole.dns, environment)
    assert acme.json("server", "list") == []
    whole.run("block", "198.18.7.1")
    assert verdict(acme, "198.18.7.1") == "none"
    assert acme.json("listings") == []
    assert refusal(acme, "server", "show", "mx1")["code"] == "not-found"
    names = {one["name"] for one in whole.json("account", "list")}
    assert names == {"main", "acme", "further"}


def test_postfix_setup_and_doctor_agree(whole: Service, tmp_path: Path) -> None:
    """After the printed lines were run the doctor finds that Postfix well, and DNS too."""
    folder = str(make_postfix(tmp_path / "postfix"))
    script = whole.run("postfix", "setup", "--server", "mx1", "--config-dir", folder).stdout
    apply(script, Path(folder))
    done = subprocess.run(
        [MAILMUM, "doctor", "--server", "mx1", "--config-dir", folder, "--json"],
        env=whole.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    checks = json.loads(done.stdout)["checks"]
    by_name: dict[str, set[str]] = {}
    for check in checks:
        by_name.setdefault(check["name"], set()).add(check["state"])
    dns = f"DNS {whole.dns[0]}:{whole.dns[1]}"
    for name in ("service", "token", dns, "Postfix"):
        assert by_name[name] == {"ok"}, checks
    # This machine's resolver knows nothing of the zone, and a Postfix would depend on it.
    assert by_name["resolver"] == {"fail"}
    assert done.returncode == 1


def test_the_doctors_own_questions_are_not_the_mail_servers(whole: Service) -> None:
    """Else asking would look like a mail server that asks."""
    whole.run("server", "add", "mx7")
    subprocess.run(
        [MAILMUM, "doctor", "--server", "mx7"],
        env=whole.environment,
        capture_output=True,
        check=False,
    )
    time.sleep(2)
    assert whole.json("server", "show", "mx7")["last_query"] is None


def test_an_interrupted_import_changes_nothing(whole: Service, tmp_path: Path) -> None:
    """Ctrl-C while the file is being sent: the service drops what it has."""
    process = subprocess.Popen(
        [MAILMUM, "import", "-", "--format", "plain", "--label", "cut"],
        env=whole.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    under_way = threading.Event()
    writer = threading.Thread(target=_write_slowly, args=(process, under_way), daemon=True)
    writer.start()
    try:
        assert under_way.wait(60)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) != 0
    finally:
        # Left running it would fail whatever test comes next.
        process.kill()
        writer.join(5)
        _, stderr = process.communicate()
    assert b"Traceback" not in stderr
    time.sleep(0.5)
    assert verdict(whole, "198.18.8.1") == "none"
    assert list(tmp_path.iterdir()) == []


def _write_slowly(process: "subprocess.Popen[bytes]", under_way: threading.Event) -> None:
    """Write the file; say so when more is gone than a pipe holds, for then it is being read."""
    assert process.stdin is not None
    written = 0
    try:
        for number in range(200):
            written += process.stdin.write(b"198.18.8.%d\n" % (number + 1) * 500)
            process.stdin.flush()
            if written > 256 * 1024:
                under_way.set()
            time.sleep(0.02)
    except BrokenPipeError:
        return
