"""All documents: links lead somewhere, commands parse, nothing goes unchecked."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.guide import reader
from tests.docs.markdown import ROOT, anchors, blocks, documents, links, prose, steps
from tests.support.service import make_service

LANGUAGES = {
    "console", "sh", "unbound", "dnsmasq", "toml", "nginx", "rsyslog", "log", "text",
}  # fmt: skip
DOCUMENTS = [str(path.relative_to(ROOT)) for path in documents()]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    """Files and headings that links name are there; nothing is fetched."""
    path = ROOT / name
    for line, target in links(path):
        file, _, anchor = target.partition("#")
        assert "://" not in file, f"{name}:{line}: {target} cannot be checked"
        meant = (path.parent / file).resolve() if file else path
        assert meant.exists(), f"{name}:{line}: {target} is not there"
        assert meant.is_relative_to(ROOT)
        if anchor:
            assert anchor in anchors(meant), f"{name}:{line}: no heading for {target}"


def test_every_document_can_be_reached() -> None:
    """From the README, by links."""
    seen: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        path = ahead.pop()
        if path in seen or path.suffix != ".md":
            continue
        seen.add(path)
        targets = (target.partition("#")[0] for _, target in links(path))
        ahead += [(path.parent / target).resolve() for target in targets if target]
    assert seen == set(documents())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_blocks_say_what_they_are(name: str) -> None:
    """A block of an unknown kind would be checked by nobody."""
    for block in blocks(ROOT / name):
        assert block.language in LANGUAGES, f"{block}: {block.language!r}"


def test_scripts_parse() -> None:
    """Commands that only an administrator can run are at least those of a shell."""
    scripts = [block for path in documents() for block in blocks(path) if block.language == "sh"]
    assert scripts
    for block in scripts:
        checked = subprocess.run(
            ["bash", "-n"], input=block.text, capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, f"{block}: {checked.stderr}"


def test_what_scripts_name_is_in_the_checkout() -> None:
    """Scripts and units, and the paths below /opt/mailmum."""
    text = "\n".join(
        block.text for path in documents() for block in blocks(path) if block.language == "sh"
    )
    named = set(re.findall(r"(?:/opt/mailmum/|(?<![\w/]))((?:script|contrib)/[\w/.-]+)", text))
    assert {"script/bootstrap", "script/test", "contrib/systemd/"} <= named
    for path in named:
        assert (ROOT / path).exists(), path
    units = set(re.findall(r"\bmailmum[a-z-]*\.(?:service|target)\b", text))
    assert units
    for unit in units:
        assert (ROOT / "contrib/systemd" / unit).exists(), unit


def test_console_blocks_are_read() -> None:
    """Every one of them has commands."""
    found = [block for path in documents() for block in blocks(path) if block.language == "console"]
    assert len(found) > 40
    assert all(list(steps(block)) for block in found)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_examples_use_documentation_addresses(name: str) -> None:
    """Nobody's real address stands in an example; private, loopback and reserved ones may."""
    allowed = re.compile(
        r"(?:192\.0\.2|198\.51\.100|203\.0\.113|127|10|0)(?:\.|$)|203\.0\.0|99\.100\.51\.198"
        r"|7\.113\.0\.203|2\.0\.0\.127"
    )
    for found in re.findall(
        r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])", (ROOT / name).read_text()
    ):
        assert allowed.match(found), f"{name}: {found}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_lines_are_prose(name: str) -> None:
    """No tabs or blanks at the end of a line, which editors and readers trip over."""
    for line, text in prose(ROOT / name):
        assert text == text.rstrip(), f"{name}:{line}"
        assert "\t" not in text, f"{name}:{line}"


def test_contributing(tmp_path: Path) -> None:
    """The steps for a migration, which also shows that no model lacks one."""
    service = make_service(tmp_path, sqlite=True)
    with reader(ROOT / "CONTRIBUTING.md", service, tmp_path, folder=ROOT) as guide:
        assert guide.follow() == 3
