"""Keep the values of metrics sources fresh: each source is asked round by round for as long as a policy names it.

A query that fails leaves what it gave before, until that is too old: one lost answer does not move a choice from the
traffic users see back to what probes see. What failed is kept as a sentence for the status.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from providerswitch.api.selection import MetricQueries, PrometheusSource
from providerswitch.core.metrics_source import Signal, SourceValues, find_implausible, longest_age
from providerswitch.probes.exchange import Reply
from providerswitch.probes.prometheus import explain, query_request, read_vector
from providerswitch.probes.rounds import Rounds
from providerswitch.probes.transport import Answer, Transport

LONGEST_ANSWER: Final = timedelta(seconds=10)
FIRST_ROUND_WITHIN: Final = timedelta(seconds=10)
"""However long the interval is: until then a choice rests on probes alone."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one query gave: a value for each provider."""

    at: datetime
    by_provider: Mapping[str, float]


@dataclass(slots=True)
class _Source:
    transport: Transport
    readings: dict[Signal, _Reading] = field(default_factory=dict)
    failures: dict[Signal, str] = field(default_factory=dict)
    asked: bool = False


class MetricsSources:
    """The metrics sources of all policies.

    Args:
        open_transport: opens a connection to a base URL; each source has its own.
        on_values: hears of every round that is done, failed ones too.
        clock: wall clock.
        jitter: returns a random share of a span, from nothing to all of it.
    """

    def __init__(
        self,
        open_transport: Callable[[str], Transport],
        on_values: Callable[[PrometheusSource], None],
        *,
        clock: Callable[[], datetime],
        jitter: Callable[[timedelta], timedelta],
    ) -> None:
        self._open_transport = open_transport
        self._on_values = on_values
        self._clock = clock
        self._sources: dict[PrometheusSource, _Source] = {}
        self._rounds: Rounds[PrometheusSource] = Rounds(
            self._ask_all, jitter=lambda interval: jitter(min(interval, FIRST_ROUND_WITHIN))
        )
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def alive(self) -> bool:
        """Whether every source still has its task."""
        return self._rounds.alive

    def subscribe(self, subscriber: Hashable, source: PrometheusSource | None) -> None:
        """Ask this source for a subscriber, and no other; None asks none. What nobody wants any more is forgotten."""
        if source is not None and source not in self._sources:
            self._sources[source] = _Source(self._open_transport(source.url))
        self._rounds.subscribe(subscriber, {} if source is None else {source: source.interval})
        for gone in self._sources.keys() - self._rounds.items:
            self._close_later(self._sources.pop(gone).transport.aclose())

    def values(self, source: PrometheusSource) -> Mapping[str, SourceValues]:
        """Return what a source says of each provider, without what is too old."""
        known = self._sources.get(source)
        if known is None:
            return {}
        oldest = self._clock() - longest_age(source.interval)
        fresh = {signal: reading for signal, reading in known.readings.items() if reading.at >= oldest}
        names = {name for reading in fresh.values() for name in reading.by_provider}
        return {name: _compose(name, fresh) for name in sorted(names)}

    def problem(self, source: PrometheusSource, providers: Collection[str]) -> str | None:
        """Say what is wrong with the last round of a source, and what to do; None before it, and where all is well.

        The providers are those of the policy that asks: a source without a value for any of them is of no use to it.
        """
        known = self._sources.get(source)
        if known is None or not known.asked:
            return None
        found = [*_failed(source, known), *_implausible(source, known, providers)]
        if not found and not _covers(known, providers):
            found = [_useless(source)]
        return " ".join(found) or None

    async def aclose(self) -> None:
        """Stop asking, and close all connections."""
        await self._rounds.aclose()
        for known in self._sources.values():
            self._close_later(known.transport.aclose())
        self._sources.clear()
        await asyncio.gather(*self._closing)

    def _close_later(self, closing: Awaitable[None]) -> None:
        task = asyncio.ensure_future(closing)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _ask_all(self, source: PrometheusSource) -> None:
        known = self._sources[source]
        # At most a third of the interval: however slow all answers are, each value is renewed before it is too old.
        deadline = min(LONGEST_ANSWER, source.interval / 3)
        for signal, query in queries_of(source.queries).items():
            answer = await known.transport.ask(query_request(query), deadline_seconds=deadline.total_seconds())
            self._note(known, signal, _read(answer, source.provider_label))
        known.asked = True
        self._on_values(source)

    def _note(self, known: _Source, signal: Signal, found: dict[str, float] | str) -> None:
        if isinstance(found, str):
            known.failures[signal] = found
            return
        known.failures.pop(signal, None)
        known.readings[signal] = _Reading(self._clock(), found)


def queries_of(queries: MetricQueries) -> dict[Signal, str]:
    """Return the queries that are set, in the order of asking."""
    each = {
        Signal.RESPONSE_TIME: queries.response_time,
        Signal.ERROR_RATE: queries.error_rate,
        Signal.AVAILABILITY: queries.availability,
        Signal.THROUGHPUT: queries.throughput,
    }
    return {signal: query for signal, query in each.items() if query is not None}


def _read(answer: Answer, label: str) -> dict[str, float] | str:
    if isinstance(answer.result, Reply):
        return read_vector(answer.result, label)
    return explain(answer.result)


def _compose(name: str, readings: Mapping[Signal, _Reading]) -> SourceValues:
    said = {signal: reading for signal, reading in readings.items() if name in reading.by_provider}
    values = {signal: reading.by_provider[name] for signal, reading in said.items()}
    return SourceValues(
        min(reading.at for reading in said.values()),
        values.get(Signal.RESPONSE_TIME),
        values.get(Signal.ERROR_RATE),
        values.get(Signal.AVAILABILITY),
        values.get(Signal.THROUGHPUT),
    )


def _failed(source: PrometheusSource, known: _Source) -> list[str]:
    """Return a sentence for each reason why queries failed."""
    reasons = dict.fromkeys(known.failures.values())
    by_reason = {why: [signal for signal in known.failures if known.failures[signal] == why] for why in reasons}
    return [f"The metrics source {source.url} gave no {_either(signals)}: {why}." for why, signals in by_reason.items()]


def _either(signals: list[Signal]) -> str:
    return " or ".join([", ".join(signals[:-1]), signals[-1]] if signals[1:] else signals)


def _implausible(source: PrometheusSource, known: _Source, providers: Collection[str]) -> list[str]:
    theirs = {
        signal: {name: value for name, value in reading.by_provider.items() if name in providers}
        for signal, reading in known.readings.items()
    }
    found = (find_implausible(signal, values) for signal, values in theirs.items())
    return [f"A value of the metrics source {source.url} is passed over: {why}." for why in found if why]


def _covers(known: _Source, providers: Collection[str]) -> bool:
    """Tell whether there is a value for any of the providers."""
    return any(not reading.by_provider.keys().isdisjoint(providers) for reading in known.readings.values())


def _useless(source: PrometheusSource) -> str:
    return (
        f"The metrics source {source.url} has no value for any provider of this policy: there was no traffic, or the "
        f"queries fit no series; compare their metrics, and the label {source.provider_label}, which must hold the "
        "names in spec.providers."
    )
