"""The README's pictures are those that script/screenshots takes, and small."""

import re
import struct
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from typing import Any

import pytest
from django.urls import resolve

from tests.docs.markdown import ROOT

IMAGES = ROOT / "docs" / "images"
LARGEST = 200_000


def script() -> Any:
    """script/screenshots as a module."""
    loader = SourceFileLoader("screenshots", str(ROOT / "script" / "screenshots"))
    spec = spec_from_loader("screenshots", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_every_picture_of_the_readme_is_taken_by_the_script_and_no_other_lies_around() -> None:
    """The list of pages is current."""
    shown = re.findall(
        r"!\[([^]]+)\]\(docs/images/([a-z]+)\.png\)", (ROOT / "README.md").read_text()
    )
    pages = script().PAGES
    assert {name for _, name in shown} == set(pages)
    assert {path.stem for path in IMAGES.iterdir()} == set(pages)
    # What a picture shows is told to those who cannot see it.
    assert all(len(words) > 20 for words, _ in shown)


@pytest.mark.parametrize("path", [path for path, _ in script().PAGES.values()])
def test_every_page_is_one_of_ours(path: str) -> None:
    """An address that has moved would give a picture of an error."""
    assert resolve(path.partition("?")[0]).url_name


@pytest.mark.parametrize("name", script().PAGES)
def test_pictures_are_of_the_size_that_the_script_takes_and_small(name: str) -> None:
    """Whoever clones the project loads them."""
    data = (IMAGES / f"{name}.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (script().WIDTH, script().PAGES[name][1])
    assert len(data) < LARGEST
