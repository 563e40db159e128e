"""Spamhaus' DROP lists as JSON: one object a line, each with a network, the last about the list.

    {"cidr":"192.0.2.0/24","sblid":"SBL1","rir":"apnic"}
    {"type":"metadata","timestamp":1700000000,"size":100,"records":1,"copyright":"..."}

The last line says how many records there are: a file that was cut off is told from a whole one.
Nothing but the network is taken over.  The number may stand there as text (`"records":"1"`), as
some programs that pass such lists on write all values; anything else does not tell it.
"""

import json
from collections.abc import Iterable, Iterator

from mailmum.domain.errors import BadInput
from mailmum.domain.targets import parse_target
from mailmum.domain.texts import shown
from mailmum.formats.entries import Entry, Item, ReadOptions, bad_line, cut_off
from mailmum.formats.json_objects import split_objects


def read_drop(chunks: Iterable[bytes], options: ReadOptions) -> Iterator[Item]:
    """Read a list; every entry gets the action of the options."""
    records, line, about = 0, 0, None
    for raw in split_objects(chunks):
        line = raw.line
        if raw.cut:
            yield cut_off(line, raw.problem)
            continue
        text = raw.text.decode("utf-8", "replace")
        # One that cannot be read is there all the same.
        records += text.startswith("{")
        try:
            value = _object(raw.problem, text)
            if value.get("type") == "metadata":
                about = value
                records -= 1
                continue
            yield Entry(line, options.action, parse_target(_network(value)))
        except BadInput as error:
            yield bad_line(line, text, error)
    if trouble := _trouble(about, records):
        yield cut_off(line, trouble)


def _trouble(about: dict[str, object] | None, records: int) -> str:
    """Why the list is not known to be whole; empty where it is."""
    if about is None:
        return "the line about the list itself is missing"
    if "records" not in about:
        return "the line about the list does not say how many networks it has"
    told = about["records"]
    number = str(told).strip() if isinstance(told, int | str) else ""
    if isinstance(told, bool) or not (number.isascii() and number.isdecimal()):
        # As JSON, so that it is what one finds in the file.
        return f"the line about the list says {shown(json.dumps(told))} where its number stands"
    if number.lstrip("0") != str(records).lstrip("0"):
        return f"{records:,} networks stand in it, and {shown(number)} are announced"
    return ""


def _object(problem: str, text: str) -> dict[str, object]:
    if problem:
        raise BadInput(problem)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the object is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadInput("this is no object")
    return value


def _network(value: dict[str, object]) -> str:
    network = value.get("cidr")
    if not isinstance(network, str):
        raise BadInput("there is no network (cidr) in it")
    return network
