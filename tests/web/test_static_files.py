"""Styles and scripts of a package that is upgraded under a running service."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from asgiref.sync import async_to_sync
from django.http import FileResponse, HttpRequest, HttpResponse
from django.test import AsyncRequestFactory, override_settings

from mailmum.web.static_files import AsTheyAre


async def _nothing() -> AsyncIterator[bytes]:
    nothing: tuple[bytes, ...] = ()
    for piece in nothing:
        yield piece


async def _no_page(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=404)


@async_to_sync
async def _ask(served: AsTheyAre, tag: str = "") -> tuple[int, str, str, bytes]:
    """Status, tag and promised length of the answer to whoever has another tag; what is sent."""
    headers = {"If-None-Match": tag} if tag else {}
    request = AsyncRequestFactory().get("/static/style.css", headers=headers)
    response = await served(request)
    pieces = cast(FileResponse, response) if response.streaming else _nothing()
    sent = b"".join([piece async for piece in pieces])
    return response.status_code, response.get("ETag", ""), response.get("Content-Length", ""), sent


@pytest.mark.once
def test_each_file_is_served_as_it_is_now(tmp_path: Path) -> None:
    """Longer, shorter, gone and back: length and tag are those of what is sent."""
    file = tmp_path / "style.css"
    file.write_text("a")
    with override_settings(STATICFILES_DIRS=[tmp_path]):
        served = AsTheyAre(_no_page)
    tag = '"none"'
    for content in ("a", "a{}" * 5000, "b{}"):
        file.write_text(content)
        # Whoever has the one before is not told that it is still the same.
        status, tag, length, sent = _ask(served, tag)
        assert (status, length, sent) == (200, str(len(content)), content.encode())
        assert _ask(served, tag)[0] == 304
    # Of the same second and the same length.
    before = file.stat().st_mtime_ns
    file.write_text("c{}")
    os.utime(file, ns=(before, before + (1 if before % 10**9 < 5 * 10**8 else -1)))
    assert _ask(served, tag)[::3] == (200, b"c{}")
    file.unlink()
    assert _ask(served)[0] == 404
    file.write_text("back")
    assert _ask(served)[::3] == (200, b"back")
