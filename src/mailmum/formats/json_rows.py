"""JSON: an array of objects, or one object a line (NDJSON), with the fields of `fields`.

An array is read object by object, so its length does not matter.  Objects are small and flat; other
fields are ignored with a remark.  Exports are an array with one object a line, in ASCII, so that no
text can break a line or reorder what a terminal shows.
"""

import json
from collections.abc import Iterable, Iterator

from mailmum.domain.errors import BadInput
from mailmum.domain.texts import shown
from mailmum.formats.entries import Item, ReadOptions, bad_line, cut_off, remark
from mailmum.formats.fields import NAMES, entry_from, fields_of
from mailmum.formats.json_objects import Raw, split_objects
from mailmum.formats.rows import ExportRow, WriteOptions

_NUMBERS = ("id", "expires", "created")
_UNKNOWN_LIMIT = 20


def read_json(chunks: Iterable[bytes], options: ReadOptions) -> Iterator[Item]:
    """Read an array of objects, or objects line by line."""
    unknown: set[str] = set()
    for raw in split_objects(chunks):
        text = raw.text.decode("utf-8", "replace")
        if raw.problem:
            cut = cut_off(raw.line, raw.problem)
            yield cut if raw.cut else bad_line(raw.line, text, raw.problem)
            continue
        try:
            fields = _fields(raw)
            new = [name for name in fields if name not in NAMES and name not in unknown]
            if new and len(unknown) < _UNKNOWN_LIMIT:
                unknown.update(new[:_UNKNOWN_LIMIT])
                names = ", ".join(shown(name) for name in new[:_UNKNOWN_LIMIT])
                yield remark(raw.line, text, f"fields that are not known and ignored: {names}")
            known = {name: _text(name, fields[name]) for name in NAMES if name in fields}
            yield entry_from(raw.line, known, options)
        except BadInput as error:
            yield bad_line(raw.line, text, error)


def write_json(rows: Iterable[ExportRow], options: WriteOptions) -> Iterator[str]:
    """Write all rows as they are, in force or not."""
    del options
    before = "[\n"
    for row in rows:
        yield before + json.dumps(fields_of(row))
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _fields(raw: Raw) -> dict[str, object]:
    try:
        value = json.loads(raw.text.decode("utf-8"))
    except UnicodeDecodeError:
        raise BadInput("the object is not UTF-8", fix="save the file as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the object is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadInput("this is no object", fix='write {"target": ...}')
    return value


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        if name == "enabled":
            return "true" if value else "false"
    elif isinstance(value, int) and name in _NUMBERS:
        return str(value)
    raise BadInput(f"{name} has the wrong type", fix="write it as a text in quotes", field=name)
