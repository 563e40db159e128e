"""Reading our own documents: fenced blocks, the commands in them, links and headings.

Blocks are told apart by the word behind the fence:

    console     run by the tests, in order, every line of output compared
    sh          commands that need an administrator and a real machine; only their syntax is checked
    unbound, dnsmasq, toml, nginx, rsyslog, unit, json, log, text
                given to the program they are for, or compared with what it writes

In a console block a command begins with `$ ` and goes on with `> `, as in a shell.  In the output
`...` stands for anything in a line, alone for any number of lines, and white space of any length
for white space of any length.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^( *)```(\S*) *$")
_LINK = re.compile(r"(?<!!)\[[^]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`[^`\n]*`")
_HEADING = re.compile(r"^#{1,6} +(.*?) *#*$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the word behind the fence, the text, and where it begins."""

    language: str
    text: str
    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a console block and the output that the document shows."""

    command: str
    output: str
    block: Block

    @property
    def may_fail(self) -> bool:
        """Whether the document shows a refusal."""
        return any(line.startswith("mailmum: ") for line in self.output.splitlines())


def documents() -> list[Path]:
    """Every document of the project."""
    tops = (ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING"))
    return [*tops, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a document, in order; their indentation is taken off."""
    found = []
    fence: re.Match[str] | None = None
    held: list[str] = []
    begins = 0
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        met = _FENCE.match(line)
        if fence is None:
            fence, held, begins = met, [], number
        elif met and not met[2]:
            found.append(Block(fence[2], "\n".join(held) + "\n", path, begins))
            fence = None
        else:
            held.append(line.removeprefix(fence[1]))
    assert fence is None, f"{path}:{begins}: the fence is never closed"
    return found


def steps(block: Block) -> Iterator[Step]:
    """The commands of a console block."""
    command: list[str] = []
    output: list[str] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if command:
                yield _step(command, output, block)
            command, output = [line[2:]], []
        elif line == ">" or line.startswith("> "):
            assert command, f"{block}: {line!r} continues no command"
            assert not output, f"{block}: {line!r} comes after output"
            command.append(line[2:])
        else:
            assert command, f"{block}: output before the first command"
            output.append(line)
    assert command, f"{block}: a console block without a command"
    yield _step(command, output, block)


def _step(command: list[str], output: list[str], block: Block) -> Step:
    return Step("\n".join(command), "\n".join(output).strip("\n"), block)


def matches(expected: str, said: str) -> bool:
    r"""Whether output is what a document shows.

    >>> matches("added: block ...\n...\ndone", "added:  block x\n1\n2\ndone\n")
    True
    >>> matches("added", "added\nand more\n")
    False
    """
    pattern = "".join(_line_pattern(line) for line in _lines(expected))
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(said))) is not None


def _lines(text: str) -> list[str]:
    squeezed = (re.sub(r"\s+", " ", line).strip() for line in text.splitlines())
    return [line for line in squeezed if line]


def _line_pattern(line: str) -> str:
    if line == "...":
        return r"(?:.*\n)*?"
    return ".*?".join(re.escape(part) for part in line.split("...")) + r"\n"


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a document outside fenced blocks, with their numbers; code spans blanked."""
    fenced = False
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            yield number, line


def links(path: Path) -> Iterator[tuple[int, str]]:
    """The targets of all links, with the lines they stand in."""
    for number, line in prose(path):
        for target in _LINK.findall(_CODE.sub("", line)):
            yield number, target


def anchors(path: Path) -> set[str]:
    """The anchors of all headings, as GitHub and GitLab make them."""
    made = set()
    for _, line in prose(path):
        if heading := _HEADING.match(line):
            words = re.sub(r"[^\w\- ]", "", heading[1].lower())
            made.add(words.replace(" ", "-"))
    return made
