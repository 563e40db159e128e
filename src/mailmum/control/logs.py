"""Structured logs for every process: one event a line, to standard error.

JSON for machines, columns for a terminal; both carry the same fields.  Libraries that use the
standard library's logging come out in the same form.
"""

import logging
import sys
from typing import Any

import structlog

from mailmum.control.config import Config

# A refused request is its sender's matter: the answer says why, and the log is for our own faults.
_QUIET = {"asyncio": logging.WARNING, "django.request": logging.ERROR, "uvicorn": logging.WARNING}
# Here rather than in what is configured: loggers keep that from their first line on, in a fork too.
_named: dict[str, str] = {}


def set_up(config: Config, part: str) -> None:
    """Set logging up for this process.

    Args:
        config: says which level and form.
        part: name of the process, in every line.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _without_colours,
        _naming,
    ]
    _named["process"] = part
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(_level(config)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderer(config),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_level(config))
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)


def _level(config: Config) -> int:
    return int(getattr(logging, config.log_level.upper()))


def _naming(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    event.update(_named)
    return event


def _without_colours(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    event.pop("color_message", None)  # uvicorn's text once more, with escape codes
    return event


def _renderer(config: Config) -> list[Any]:
    as_json = config.log_format == "json" or (
        config.log_format == "auto" and not sys.stderr.isatty()
    )
    if as_json:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # By default it shows what every variable holds, keys and passwords among it.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
