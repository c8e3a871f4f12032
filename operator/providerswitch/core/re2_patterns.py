"""RE2 expressions of policies, behind a few typed lines. Pure.

Whoever may write a policy writes them, and a hostile provider may write what they are matched against. RE2 takes time
in proportion to the length of the text, whatever the expression (Python's `re` can take years). Source: RE2's syntax
page and re2.h, read 2026-11.
"""

from typing import Final

import re2

MEMORY_BYTES: Final = 1 << 20
"""For one expression and what RE2 remembers while it matches. The library keeps the last 128 expressions."""


class UnreadablePatternError(ValueError):
    """RE2 cannot read an expression; the text says why, in RE2's own words."""


def check_pattern(pattern: str) -> None:
    """Make sure that an expression can be used.

    Raises:
        UnreadablePatternError: RE2 cannot read it.
    """
    try:
        re2.compile(pattern.encode(), _options())
    except re2.error as error:
        raise UnreadablePatternError(_readable(error)) from error
    except UnicodeEncodeError as error:
        raise UnreadablePatternError("half a character") from error


def matches(pattern: str, text: str) -> bool:
    """Tell whether an expression matches somewhere in a text.

    Raises:
        UnreadablePatternError: RE2 cannot read it.
    """
    check_pattern(pattern)
    # JSON can carry half a character, which UTF-8 cannot.
    return re2.compile(pattern.encode(), _options()).search(text.encode(errors="replace")) is not None


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = MEMORY_BYTES
    return options


def _readable(error: Exception) -> str:
    told = error.args[0] if error.args else b""
    text = told.decode(errors="replace") if isinstance(told, bytes) else str(told)
    return "".join(character if character.isprintable() else "?" for character in text)
