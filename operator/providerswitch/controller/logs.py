"""Log lines: one JSON object each, or text for people."""

import logging
import sys
from typing import Final

from pythonjsonlogger.json import JsonFormatter

QUIET: Final = ("httpx", "httpcore", "aiohttp.access", "kopf.objects")
"""Libraries whose chatter would drown the decisions; some would log request headers at debug level."""


def set_up_logging(level: str, style: str) -> None:
    """Send all logs to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(style))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _formatter(style: str) -> logging.Formatter:
    if style == "text":
        return logging.Formatter("%(asctime)s %(levelname)-7s %(message)s")
    fields = "%(levelname)s %(name)s %(message)s"
    return JsonFormatter(fields, timestamp=True, rename_fields={"levelname": "level", "name": "logger"})
