"""Pages that come in pieces, as over a slow line: the browser may paint after each.

    with pieces(running.url) as url:
        page.goto(f"{url}/a/1/")

What stands on a page then shows whether it depends on what comes after it.
"""

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

COUNT = 12
PAUSE = 0.03
_OWN = {"host", "connection", "accept-encoding"}
_HOP = {"content-length", "transfer-encoding", "connection", "date", "server"}


class _Passing(BaseHTTPRequestHandler):
    """Hands requests on to the site, and its pages back in pieces; other things whole."""

    protocol_version = "HTTP/1.1"
    site = ""

    def do_GET(self) -> None:
        site = http.client.HTTPConnection(self.site, timeout=30)
        given = {name: value for name, value in self.headers.items() if name.lower() not in _OWN}
        with contextlib.closing(site), contextlib.suppress(ConnectionError):
            site.request("GET", self.path, headers=given)
            got = site.getresponse()
            self.send_response(got.status)
            for name, value in got.getheaders():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._deliver(got)

    def _deliver(self, got: http.client.HTTPResponse) -> None:
        kind = got.headers.get_content_type()
        if kind == "text/html":
            body = got.read()
            size = len(body) // COUNT + 1
            for at in range(0, len(body), size):
                self._piece(body[at : at + size])
                time.sleep(PAUSE)
        else:
            while part := got.read1(65_536):
                self._piece(part)
        self._piece(b"")

    def _piece(self, part: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name it has there)
        """Nothing: tests look at the pages."""


@contextlib.contextmanager
def pieces(url: str) -> Iterator[str]:
    """An address under which the site at another is seen so."""
    handler = type("Passing", (_Passing,), {"site": urlsplit(url).netloc})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as made:
        made.daemon_threads, made.block_on_close = True, False
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{made.server_port}"
        finally:
            made.shutdown()
            thread.join()
