"""How long to wait before the next try of something that the API server did not take."""

from typing import Final

RETRY_SECONDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


def pause_after(failures: int, at_least: float = 0.0) -> float:
    """Return the seconds to wait after so many failures before this one, or as long as the API server asks for."""
    return max(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)], at_least)
