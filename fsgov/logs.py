"""Logs for operators: one line an event on standard error, a stable dotted key, facts as keys.

journald adds host and unit. No number, name, login or secret of anybody belongs into a fact.
"""

from __future__ import annotations

import logging
import sys
from functools import partial

import structlog
from structlog.typing import EventDict

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def set_up(part: str, level: str) -> None:
    """From now on log as `part`, from `level` (debug, info, warning, error) upwards."""
    structlog.configure(
        processors=[
            partial(_named, part),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(
                key_order=["timestamp", "level", "event"], bool_as_flag=False
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS.get(level, logging.INFO)),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def _named(part: str, _logger: object, _method: str, event: EventDict) -> EventDict:
    event["part"] = part
    return event
