"""An import over the API that is only looked at: whom it would have hit."""

import json
from typing import Any

import pytest
from django.http import HttpResponse

from tests.api.conftest import Caller, Callers
from tests.api.test_ending import lines_of
from tests.control.monitor.kit import Traffic, traffic

__all__ = ["traffic"]

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
"""It is done in a thread of its own."""

BODY = b"198.51.100.0/24\n.pool.example\n"


def _report(caller: Caller, **query: str) -> Any:
    return lines_of(caller.raw("POST", "/import", BODY, format="plain", **query))[-1]["report"]


def test_a_look_at_an_import_tells_the_same(api: Callers, traffic: Traffic) -> None:
    """Of the same list whom it would hit, under the same name; an import that is done tells not."""
    traffic.log(*traffic.mail("198.51.100.201", 12, "out1.news.example"))
    answer = api.admin.raw("POST", "/feeds/preview/upload", BODY, format="plain")
    assert isinstance(answer, HttpResponse)
    feed = json.loads(answer.content)["impact"]
    done = _report(api.admin, dry_run="1")
    assert (done["applied"], done["impact"]) == (False, feed)
    assert (feed["verdict"], feed["accepted"]) == ("dangerous", 12)
    allows = _report(api.admin, dry_run="1", action="allow")
    assert (allows["added"], allows["impact"]) == (2, None)
    other = _report(api.outsider, dry_run="1")["impact"]
    assert (other["contacts"], other["hits"]) == (0, [])
    real = _report(api.admin)
    assert (real["applied"], real["impact"]) == (True, None)
