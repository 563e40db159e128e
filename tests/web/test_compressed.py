"""Pages go out compressed, streams do not."""

import gzip

import pytest

from tests.web.conftest import Visitors

EXPORT = {"format": "csv"}


def test_a_page(site: Visitors) -> None:
    """For those who take it, the same page in fewer bytes; Vary says that it depends."""
    plain = site.viewer.get("journal")
    path = site.viewer.path("journal")
    packed = site.viewer.client.get(path, headers={"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed["Vary"]
    assert len(packed.content) < len(plain.content) / 2
    assert gzip.decompress(packed.content).startswith(b"<!doctype html>")
    assert "Content-Encoding" not in plain


@pytest.mark.parametrize(("page", "query"), [("live-stream", {}), ("listings-file", EXPORT)])
def test_streams(site: Visitors, page: str, query: dict[str, str]) -> None:
    """Each event goes out at once, so as it is."""
    path = site.viewer.path(page)
    response = site.viewer.client.get(path, query, headers={"Accept-Encoding": "gzip"})
    assert response.streaming
    assert "Content-Encoding" not in response
