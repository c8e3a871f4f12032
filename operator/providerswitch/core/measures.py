"""What is known of a provider in numbers, for one policy: the input of scores, strategies and thresholds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from providerswitch.core.outcome import Allowance

FEW: Final = 3
"""Significant digits that people read."""
MANY: Final = 9
"""Significant digits that tell two numbers apart."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Response times of successful answers, in seconds.

    Attributes:
        first_byte_p95: None where no probe saw a first byte apart.
    """

    p50: float
    p95: float
    mean: float
    first_byte_p95: float | None = None


@dataclass(frozen=True, slots=True)
class Measures:
    """One provider in numbers. None means unknown, never zero.

    Attributes:
        samples: probes in the window, failed ones included.
        failures: failed probes in the window; None where error rate or availability come from elsewhere.
        latency: of successful answers; None with fewer of them than `selection.minSamples`.
        error_rate: share of failed probes, 0..1; None with too few samples.
        availability: share of the window in which it worked, 0..1; None with too few samples.
        quality: declared or measured, 0..1.
        quality_confidence: 0 where the quality is only declared or unknown, towards 1 with every answer judged.
        cost: price of a million tokens, three of four being input.
        requests_per_second: from a metrics source.
    """

    samples: int = 0
    latency: Latency | None = None
    error_rate: float | None = None
    availability: float | None = None
    quality: float | None = None
    quality_confidence: float = 0
    cost: float | None = None
    allowance: Allowance = field(default_factory=Allowance)
    requests_per_second: float | None = None
    failures: int | None = None


def tell_seconds(seconds: float, digits: int = FEW) -> str:
    """Write a time with so many significant digits: `0.85 s`, `12.5 s`."""
    return f"{_plain(seconds, digits)} s"


def tell_share(share: float, digits: int = FEW) -> str:
    """Write a share in percent with so many significant digits: `5.2 %`."""
    return f"{_plain(100 * share, digits)} %"


def tell_quality(quality: float, digits: int = FEW) -> str:
    """Write a quality with so many significant digits: `0.82`."""
    return _plain(quality, digits)


def tell_price(price: float) -> str:
    """Write a price with two decimals, or up to four where it needs them: `0.30`, `0.2625`."""
    whole, _, decimals = f"{price:.4f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def tell_apart(tell: Callable[[float, int], str], one: float, other: float) -> tuple[str, str]:
    """Write two different numbers so that they look different: nobody understands that 5 s is over 5 s."""
    digits = FEW if tell(one, FEW) != tell(other, FEW) else MANY
    return tell(one, digits), tell(other, digits)


def _plain(number: float, digits: int) -> str:
    """Never in powers of ten: of a large number, no digit before the point is dropped."""
    return f"{number:.{digits}g}" if abs(number) < 10**digits - 0.5 else f"{number:.0f}"
