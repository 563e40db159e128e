"""A REST client of the service's API: one request at a time, every error with cause and fix.

Redirects are not followed (the token would go to wherever they lead) and nothing is tried twice
(a change could then be made twice).  Answers of any length are read as they come.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from mailmum import __version__
from mailmum.cli.failures import Failure
from mailmum.cli.locate import Service
from mailmum.cli.output import warn
from mailmum.cli.visible import visible

Json = dict[str, Any]

_ORDINARY = urllib3.Timeout(connect=5, read=60)
# An import of a million lines is checked and stored before its report comes.
_PATIENT = urllib3.Timeout(connect=60, read=1800)
_CHUNK = 65536
_NOTICE = "MailMum-Notice"
_LONGEST_LINE = 64 * 1024 * 1024


class Client:
    """A client of one service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._noticed = ""
        self._pool = urllib3.PoolManager(retries=False)
        self._headers = {
            "Authorization": f"Bearer {service.token}",
            "Accept": "application/json",
            "User-Agent": f"mailmum/{__version__}",
        }

    def get(self, path: str, **query: Any) -> Json:
        """Read a resource; queries that are None or empty are left out.

        Raises:
            Failure: the service cannot be reached or refuses.
        """
        return self._whole("GET", path, query)

    def send(
        self, method: str, path: str, body: Json | None = None, *, patient: bool = False
    ) -> Json:
        """Change a resource; patiently where the service itself waits for others.

        Raises:
            Failure: the service cannot be reached or refuses.
        """
        timeout = _PATIENT if patient else None
        return self._whole(method, path, {}, body if body is not None else {}, timeout)

    def pages(self, path: str, member: str, **query: Any) -> Iterator[Json]:
        """All items of a list that comes in pages.

        Raises:
            Failure: the service cannot be reached or refuses.
        """
        cursor: object = None
        while True:
            page = self.get(path, **query, cursor=cursor)
            yield from page[member]
            cursor = page.get("next")
            if cursor is None:
                return

    def upload(
        self, path: str, chunks: Iterable[bytes], size: int | None, **query: Any
    ) -> Iterator[Json]:
        """Send a file and read the objects, one a line, with which the service answers.

        Args:
            path: the resource.
            chunks: the file's bytes.
            size: how many there are, or None when that is not known before.
            query: parameters.

        Raises:
            Failure: the service cannot be reached, refuses, or breaks off.
        """
        headers = {"Content-Type": "application/octet-stream"}
        if size is not None:
            headers["Content-Length"] = str(size)
        with self._request("POST", path, query, chunks, headers, _PATIENT) as response:
            for line in _lines(response):
                answer = _parsed(line, self.service, response.status)
                if "error" in answer:
                    raise _refusal(answer["error"], self.service)
                yield answer

    def watch(self, path: str, body: Json) -> Iterator[Json]:
        """Ask for something that takes a while; the objects, one a line, of the answer.

        Raises:
            Failure: the service cannot be reached, refuses, or breaks off.
        """
        headers = {"Content-Type": "application/json"}
        with self._request("POST", path, {}, _encoded(body), headers, _PATIENT) as response:
            for line in _lines(response):
                answer = _parsed(line, self.service, response.status)
                if "error" in answer:
                    raise _refusal(answer["error"], self.service)
                yield answer

    def hand_in(self, path: str, body: bytes, **query: Any) -> Json:
        """Send a piece of a log, compressed with gzip.

        Raises:
            Failure: the service cannot be reached or refuses.
        """
        headers = {"Content-Type": "application/octet-stream", "Content-Encoding": "gzip"}
        with self._request("POST", path, query, body, headers, _ORDINARY) as response:
            return _parsed(response.read(), self.service, response.status)

    def download(self, path: str, **query: Any) -> Iterator[bytes]:
        """Read a text of any length.

        Raises:
            Failure: the service cannot be reached, refuses, or breaks off.
        """
        with self._request("GET", path, query, None, {"Accept": "*/*"}, _PATIENT) as response:
            yield from response.stream(_CHUNK)

    def follow(self, path: str, **query: Any) -> Iterator[bytes]:
        """Read lines as they come; the answer ends when the service ends it.

        Raises:
            Failure: the service cannot be reached, refuses, or breaks off.
        """
        with self._request("GET", path, query, None, {"Accept": "*/*"}, _ORDINARY) as response:
            yield from _lines(response)

    def healthy(self) -> bool:
        """Whether the service says it is well (this needs no token).

        Raises:
            Failure: it cannot be reached.
        """
        with self._errors():
            answer = self._pool.request("GET", f"{self.service.url}/healthz", timeout=_ORDINARY)
        return answer.status == 200 and answer.data.strip() == b"ok"

    def _whole(
        self,
        method: str,
        path: str,
        query: Json,
        body: Json | None = None,
        timeout: urllib3.Timeout | None = None,
    ) -> Json:
        headers = {} if body is None else {"Content-Type": "application/json"}
        data = None if body is None else _encoded(body)
        with self._request(method, path, query, data, headers, timeout or _ORDINARY) as response:
            content = response.read()
        return _parsed(content, self.service, response.status) if content else {}

    @contextmanager
    def _request(
        self,
        method: str,
        path: str,
        query: Json,
        body: bytes | Iterable[bytes] | None,
        headers: dict[str, str],
        timeout: urllib3.Timeout,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        url = f"{self.service.url}/api/v1{path}{_query(query)}"
        with self._errors():
            response = self._pool.request(
                method,
                url,
                body=body,
                headers=self._headers | headers,
                timeout=timeout,
                preload_content=False,
                redirect=False,
            )
            self._pass_on(response.headers.get(_NOTICE, ""))
            try:
                if response.status >= 300:
                    raise _rejection(response, self.service)
                yield response
            finally:
                response.close()

    def _pass_on(self, notice: str) -> None:
        """Print what every answer says of the service, once."""
        if notice and notice != self._noticed:
            self._noticed = notice
            warn(f"note: {notice}")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except HTTPError as error:
            raise _unreachable(error, self.service) from error


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def server_path(name: str) -> str:
    """The path of a mail server.

    Raises:
        Failure: no server has such a name; it would name another resource.
    """
    if not name or name.strip(".") == "" or "/" in name:
        raise Failure(
            f"there is no server {visible(name)!r}", "see: mailmum server list", code="not-found"
        )
    return f"/servers/{segment(name)}"


def trigger_path(name: str) -> str:
    """The path of a trigger.

    Raises:
        Failure: no trigger has such a name; it would name another resource.
    """
    if not name or name.strip(".") == "" or "/" in name or name in {"presets", "backtest"}:
        raise Failure(
            f"there is no trigger {visible(name)!r}", "see: mailmum trigger list", code="not-found"
        )
    return f"/triggers/{segment(name)}"


def _query(query: Json) -> str:
    given = {
        name.rstrip("_"): int(value) if isinstance(value, bool) else value
        for name, value in query.items()
        if value is not False and value not in (None, "", (), [])
    }
    try:
        return f"?{urlencode(given, doseq=True)}" if given else ""
    except UnicodeEncodeError as error:
        raise _not_text(error) from None


def _encoded(body: Json) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise _not_text(error) from None


def _not_text(error: UnicodeEncodeError) -> Failure:
    start = max(0, error.start - 20)
    return Failure(
        f"the input is not UTF-8 text, near {error.object[start : error.end + 20]!r}",
        "convert it, for example with iconv",
        code="bad-input",
    )


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in response.stream(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line.strip())
        if len(rest) > _LONGEST_LINE:
            raise HTTPError("a line of the answer is too long")
    if rest.strip():
        yield rest


def _parsed(content: bytes, service: Service, status: int) -> Json:
    try:
        answer = json.loads(content)
    except ValueError:
        raise _stranger(service, status) from None
    if not isinstance(answer, dict):
        raise _stranger(service, status)
    return answer


def _rejection(response: urllib3.BaseHTTPResponse, service: Service) -> Failure:
    """What a status of 300 and above means."""
    if response.status < 400:
        return Failure(
            f"{service.url} redirects to {response.headers.get('Location', 'elsewhere')}",
            f"use that address in {service.source}",
            code="no-service",
        )
    if response.status in (502, 503, 504) and "json" not in response.headers.get(
        "Content-Type", ""
    ):
        return Failure(
            f"the proxy at {service.url} does not reach the service (HTTP {response.status})",
            "check that the service runs",
            code="unavailable",
        )
    if response.status >= 500 and "json" not in response.headers.get("Content-Type", ""):
        return Failure(
            f"the service at {service.url} failed (HTTP {response.status})",
            "its log says why",
            code="service-failed",
        )
    answer = _parsed(response.read(), service, response.status)
    if not isinstance(answer.get("error"), dict):
        return _stranger(service, response.status)
    return _refusal(answer["error"], service)


def _refusal(error: Json, service: Service) -> Failure:
    code = str(error.get("code", "failed"))
    fix = str(error.get("fix", ""))
    if code == "unauthenticated":
        fix = (
            f"it comes from {service.source}: check that this belongs to the service at "
            f"{service.url}, or make a new token"
        )
    return Failure(
        str(error.get("problem") or error.get("message") or "the service refuses"),
        fix,
        code=code,
        field=str(error.get("field", "")),
        items=error.get("items") or (),
    )


def _stranger(service: Service, status: int) -> Failure:
    return Failure(
        f"what answers at {service.url} is not MailMum's API (HTTP {status})",
        f"check the address in {service.source}, and that no other program has the port",
        code="no-service",
    )


def _unreachable(error: HTTPError, service: Service) -> Failure:
    start = f"start it (mailmum up --data {service.data})" if service.data else "check that it runs"
    address = f"the address in {service.source}"
    if isinstance(error, NameResolutionError):
        problem, fix = f"the host of {service.url} is not known", f"check {address}"
    elif isinstance(error, NewConnectionError):
        problem = f"no service answers at {service.url}"
        fix = f"{start}, or check {address}"
    elif isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        problem = f"the service at {service.url} does not answer in time"
        fix = "try again; if it stays so its log says why, or a firewall drops the packets"
    elif isinstance(error, SSLError):
        problem = f"no trusted connection to {service.url}: {error.args[0]}"
        fix = "install the certificate's authority on this machine, or correct the host name"
    elif isinstance(error, LocationParseError):
        problem, fix = f"{service.url} is not a usable address", f"correct {address}"
    else:
        problem = f"the connection to {service.url} broke off"
        fix = "see whether a change was made before repeating it; the service's log says why"
    return Failure(problem, fix, code="unavailable")
