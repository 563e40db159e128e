"""Answers that take long: lines of JSON, as they come; the last may be the error that ends them."""

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

from django.db import Error as AnyDatabaseError

from mailmum.api.errors import as_json, unavailable
from mailmum.domain.errors import Refusal


def lines_of(told: Generator[dict[str, Any], None, None], path: str) -> Iterator[bytes]:
    """Each thing that is told as a line; `path` was asked for, and is named in the log."""
    try:
        with closing(told):
            yield from map(_line, told)
    except Refusal as refusal:
        yield _line(as_json(refusal))
    except AnyDatabaseError as error:
        yield _line(as_json(unavailable(error, path)))


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"
