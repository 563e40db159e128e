"""Styles and scripts, served as they are now.

ServeStatic looks at each file once, at the start, and promises its length ever after: of a package
that is upgraded under a running service, whatever has grown would be sent cut off.  So each is
looked at again when it is asked for, which takes some microseconds, and taken up anew where it is
another by now.  One that is gone is found again when it is back.

Its tag is made of the same look: ServeStatic's own knows whole seconds only, by which a file that
changes twice in one, and keeps its length, is the same.
"""

from hashlib import blake2b
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from servestatic.middleware import ServeStaticMiddleware
from servestatic.responders import NotARegularFileError, StaticFile

Look = tuple[tuple[int, int, int] | None, ...]
_VARIANTS = ("", ".gz", ".br", ".zstd")
"""A file, and compressed ones beside it that are sent instead."""


class AsTheyAre(ServeStaticMiddleware):  # type: ignore[misc]  # it has no types
    """Serves static files, none by what it was at the start."""

    def __init__(self, get_response: Any) -> None:
        self._looks: dict[str, tuple[str, Look]] = {}
        super().__init__(get_response)

    def get_static_file(self, path: str, url: str, stat_cache: Any = None) -> StaticFile:
        """What is known of a file; it is looked at before that is found out, never after."""
        self._looks[url] = path, _look(path)
        return super().get_static_file(path, url)

    def add_cache_headers(self, headers: Any, path: str, url: str) -> None:
        """Those of all files, and the tag."""
        super().add_cache_headers(headers, path, url)
        headers["ETag"] = _tag(self._looks[url][1])

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve a file, or pass the request on."""
        url = request.path_info
        if url in self._looks:
            self._look_again(url)
        response: HttpResponseBase = await super().__call__(request)
        return response

    def _look_again(self, url: str) -> None:
        path, before = self._looks[url]
        if _look(path) == before:
            return
        try:
            self.files[url] = self.get_static_file(path, url)
        except NotARegularFileError:
            # In the midst of an upgrade, or no more.
            self.files.pop(url, None)


def _look(path: str) -> Look:
    return tuple(_glance(path + ending) for ending in _VARIANTS)


def _tag(look: Look) -> str:
    """Tells one state of a file from any other; where files are copied it may be another."""
    return f'"{blake2b(repr(look).encode(), digest_size=12).hexdigest()}"'


def _glance(path: str) -> tuple[int, int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
