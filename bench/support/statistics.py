"""Many chapters in one: shares, times, and how far apart the seeds are."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from support.chapters import Account, Trace
from support.figures import Figure, percentile
from support.incidents import PARTIAL
from support.verdicts import Episode, Toll, Verdict

JUDGED: Final = (Verdict.SUCCEEDED, Verdict.MISSED)
REQUESTS: Final = 100_000
LOST: Final = "of 100,000"
YEAR_SECONDS: Final = 365 * 86400.0


@dataclass(frozen=True, slots=True)
class Miss:
    """A failover that did not come in time, and where to look at it."""

    trace: Trace
    episode: Episode


@dataclass(slots=True)
class Summary:
    """What came of many chapters of one setup.

    Attributes:
        verdicts: by whether all requests failed, and how it ended.
        elsewhere: seconds until consumers were with a provider that works, of those that succeeded.
    """

    toll: Toll = field(default_factory=Toll)
    verdicts: Counter[tuple[bool, Verdict]] = field(default_factory=Counter)
    misses: list[Miss] = field(default_factory=list)
    elsewhere: list[float] = field(default_factory=list)
    reacting: list[float] = field(default_factory=list)
    publishing: list[float] = field(default_factory=list)
    moves: Counter[str] = field(default_factory=Counter)
    needless: Counter[str] = field(default_factory=Counter)
    chapters: int = 0

    def add(self, account: Account) -> None:
        """Take in a chapter."""
        self.chapters += 1
        for name in ("total", "policy", "primary", "oracle"):
            setattr(self.toll, name, getattr(self.toll, name) + getattr(account.toll, name))
        for episode in account.episodes:
            self._take(account.trace, episode)
        self.reacting += account.reacting
        self.publishing += account.publishing
        self.moves += account.moves
        self.needless += account.needless

    def _take(self, trace: Trace, episode: Episode) -> None:
        self.verdicts[is_whole(episode), episode.verdict] += 1
        if episode.verdict is Verdict.MISSED:
            self.misses.append(Miss(trace, episode))
        elif episode.verdict is Verdict.SUCCEEDED:
            self.elsewhere.append(episode.seconds)

    def count(self, verdict: Verdict, *, whole: bool | None = None) -> int:
        """Return how many episodes ended so; of outages, of brownouts, or of both."""
        return sum(found for (each, how), found in self.verdicts.items() if how is verdict and whole in {None, each})

    def judged(self, *, whole: bool | None = None) -> int:
        """Return how many failovers there should have been, and could have been."""
        return sum(self.count(verdict, whole=whole) for verdict in JUDGED)

    def missed_percent(self, *, whole: bool) -> float:
        """Return the share of them that were missed."""
        return 100 * self.count(Verdict.MISSED, whole=whole) / max(1, self.judged(whole=whole))

    def lost(self, who: str) -> float:
        """Return how many of 100,000 requests failed under `policy`, `primary` or `oracle`."""
        return REQUESTS * float(getattr(self.toll, who)) / max(1.0, self.toll.total)


def is_whole(episode: Episode) -> bool:
    """Tell an outage, in which all requests fail, from a brownout."""
    return episode.kind != PARTIAL


@dataclass(slots=True)
class Result:
    """One setup over all its seeds."""

    setup: str
    seeds: dict[int, Summary] = field(default_factory=dict)
    whole: Summary = field(default_factory=Summary)

    def add(self, account: Account) -> None:
        """Take in a chapter."""
        self.seeds.setdefault(account.trace.seed, Summary()).add(account)
        self.whole.add(account)


def headline(result: Result, *, missed: float | None = None, lost: float | None = None) -> list[Figure]:
    """Return what matters of a setup.

    Args:
        result: of the setup.
        missed: percent of the outages that may be missed at most; None where it is only told.
        lost: requests of 100,000 that may be lost at most.
    """
    name, whole = result.setup, result.whole
    return [
        Figure(f"{name}: outages with a candidate", whole.judged(whole=True), ""),
        Figure(f"{name}: outages missed", whole.missed_percent(whole=True), "%", missed),
        Figure(f"{name}: brownouts missed", whole.missed_percent(whole=False), "%"),
        Figure(f"{name}: outages in which nobody worked", whole.count(Verdict.NO_CANDIDATE), ""),
        Figure(f"{name}: requests lost, policy", whole.lost("policy"), LOST, lost),
        Figure(f"{name}: requests lost, primary alone", whole.lost("primary"), LOST),
        Figure(f"{name}: requests lost, oracle", whole.lost("oracle"), LOST),
    ]


def spread(result: Result) -> list[Figure]:
    """Return how far apart the seeds are."""
    measures: tuple[tuple[str, Callable[[Summary], float], str], ...] = (
        ("outages missed", lambda each: each.missed_percent(whole=True), "%"),
        ("requests lost, policy", lambda each: each.lost("policy"), LOST),
        ("requests lost, primary alone", lambda each: each.lost("primary"), LOST),
    )
    figures: list[Figure] = []
    for what, measure, unit in measures:
        values = [measure(each) for each in result.seeds.values()]
        figures += [
            Figure(f"{result.setup}: {what}, best seed", min(values), unit),
            Figure(f"{result.setup}: {what}, worst seed", max(values), unit),
        ]
    return figures


def details(result: Result) -> list[Figure]:
    """Return the rest: how long things took, what else happened, why failovers were missed."""
    name, whole = result.setup, result.whole
    times = {
        "from the outage to a working provider": (whole.elsewhere, 1, "s"),
        "from the first failed probe to the decision": (whole.reacting, 1, "s"),
        "from the decision to the publication": (whole.publishing, 1000, "ms"),
    }
    figures = [
        Figure(f"{name}: years", whole.toll.total / YEAR_SECONDS, ""),
        Figure(f"{name}: brownouts of half the requests or more, with a candidate", whole.judged(whole=False), ""),
    ]
    for what, (seconds, factor, unit) in times.items():
        figures += _times(f"{name}: {what}", seconds, factor, unit)
    figures += [
        Figure(f"{name}: {verdict}", whole.count(verdict), "") for verdict in (Verdict.PASSED, Verdict.INTERRUPTED)
    ]
    figures += [Figure(f"{name}: switches, {trigger}", count, "") for trigger, count in sorted(whole.moves.items())]
    figures += [Figure(f"{name}: left although {why}", count, "") for why, count in sorted(whole.needless.items())]
    return [*figures, *causes(result)]


def _times(name: str, seconds: Sequence[float], factor: float, unit: str) -> list[Figure]:
    if not seconds:
        return []
    found = {f"p{percent}": percentile(seconds, percent) for percent in (50, 95, 99)} | {"max": max(seconds)}
    return [Figure(f"{name}, {which}", value * factor, unit) for which, value in found.items()]


def causes(result: Result) -> list[Figure]:
    """Return how often each cause of a miss occurred, by kind of incident; the most frequent first."""
    counted = Counter((miss.episode.cause, miss.episode.kind) for miss in result.whole.misses)
    name = result.setup
    return [Figure(f"{name}: missed, {kind}: {cause}", count, "") for (cause, kind), count in counted.most_common()]
