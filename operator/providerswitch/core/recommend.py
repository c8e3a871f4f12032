"""Which provider has the best score, and what would be gained by it? Said whatever mode, dwell and strategy are."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from providerswitch.core.measures import Measures, tell_price, tell_quality, tell_seconds, tell_share
from providerswitch.core.score import Score


@dataclass(frozen=True, slots=True)
class Advice:
    """A provider that is better than the active one.

    Attributes:
        gain: its score minus that of the active provider, > 0.
        why: phrase for users that compares it with the active provider.
    """

    provider: str
    gain: float
    why: str


@dataclass(frozen=True, slots=True)
class _Value:
    """One of the values that two providers are compared by.

    Attributes:
        unit: said once, after both values.
        is_share: a change of it in percent would be confused with the value itself.
    """

    name: str
    of: Callable[[Measures], float | None]
    tell: Callable[[float], str]
    lower_is_better: bool = False
    unit: str = ""
    is_share: bool = False


def _p95(measures: Measures) -> float | None:
    return measures.latency.p95 if measures.latency else None


COMPARED: Final = (
    _Value("p95 response time", _p95, tell_seconds, lower_is_better=True),
    _Value("quality", lambda each: each.quality, tell_quality),
    _Value("cost", lambda each: each.cost, tell_price, lower_is_better=True, unit=" per million tokens"),
    _Value("availability", lambda each: each.availability, tell_share, is_share=True),
)


def recommend(
    scores: Mapping[str, Score | None],
    measures: Mapping[str, Measures],
    *,
    active: str | None,
    candidates: tuple[str, ...],
    at_least: float = 0,
) -> Advice | None:
    """Return the best candidate; None where it is the active provider, or too little is known.

    The candidates are those that may be chosen, in the user's order, which decides between equal scores; the active
    provider need not be one. A gain that is not above `at_least` is not worth telling.
    """
    current = scores.get(active) if active else None
    known = {name: score for name in candidates if (score := scores.get(name))}
    if active is None or current is None or not known:
        return None
    best = max(known, key=lambda name: known[name].total)
    gain = known[best].total - current.total
    if best == active or gain <= at_least:
        return None
    return Advice(best, gain, _why((current, known[best]), (measures[active], measures[best])))


def _why(scores: tuple[Score, Score], measures: tuple[Measures, Measures]) -> str:
    """Compare the present values with those of the other, the drawbacks last."""
    gains = list(_changes(*measures, for_the_better=True))
    losses = list(_changes(*measures, for_the_better=False))
    if not gains:
        gains = [f"score {scores[1].total:.3f} instead of {scores[0].total:.3f}"]
    return ", ".join(gains) + (f"; but {', '.join(losses)}" if losses else "")


def _changes(present: Measures, other: Measures, *, for_the_better: bool) -> Iterator[str]:
    """Values that look the same to people are no change."""
    for value in COMPARED:
        now, then = value.of(present), value.of(other)
        if now is None or then is None or value.tell(now) == value.tell(then):
            continue
        if ((then < now) is value.lower_is_better) is for_the_better:
            told = f"{value.name} {value.tell(then)} instead of {value.tell(now)}{value.unit}"
            yield told + _percent(value, now, then)


def _percent(value: _Value, now: float, then: float) -> str:
    return "" if value.is_share or not now else f" ({100 * (then - now) / now:+.0f} %)"
