"""The rules for choosing among the providers that may serve: strategy, weights, thresholds, requirements, schedule."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from providerswitch.api.durations import Duration
from providerswitch.api.fields import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    CronLine,
    Label,
    Model,
    ProviderRef,
    Query,
    Share,
    Text,
    TimeZone,
    Url,
    duration_field,
    optional_duration_field,
)
from providerswitch.api.provider import Capabilities, Embedding


class Strategy(StrEnum):
    """How the best of the providers that may serve is found."""

    PRIORITY = "Priority"
    PERFORMANCE = "Performance"
    COST = "Cost"
    WEIGHTED = "Weighted"
    ROUND_ROBIN = "RoundRobin"


Weight = Annotated[float, Field(ge=0, le=100)]


class ScoreWeights(Model):
    """How much each part counts in a provider's score; only their proportions matter."""

    latency: Weight = 0.4
    """Of the response time."""
    accuracy: Weight = 0.3
    """Of the quality of answers."""
    cost: Weight = 0.2
    """Of the price."""
    availability: Weight = 0.1
    """Of the share of time in which it worked."""


class Thresholds(Model):
    """Beyond one of these a provider is degraded: it works, but badly."""

    response_time: Duration = duration_field("5s", SECOND / 1000, HOUR)
    """Longest response time (p95 of successful answers)."""
    error_rate: Share = 0.05
    """Largest share of failed answers."""
    availability: Share = 0.95
    """Least share of time in which it worked."""
    quality: Share | None = None
    """Least quality of answers, where quality is measured. Left out: no limit."""


class Requirements(Model):
    """What a provider must be able to do to be chosen at all. What the primary is for is required without saying."""

    capabilities: Capabilities = Field(default=[])
    """Capabilities that are needed."""
    min_context_window: int | None = Field(default=None, ge=1, le=100_000_000)
    """Tokens that must fit into one request."""
    regions: list[Text] = Field(default=[], max_length=16)
    """Regions that are allowed. Empty: all."""
    min_quality: Share | None = None
    """Least declared quality: keeps a weaker model from serving. A provider of unknown quality is refused then."""
    embedding: Embedding | None = None
    """The embedding space that stored vectors are in. Default: the primary's."""
    protocols: list[Text] = Field(default=[], max_length=8)
    """Wire protocols that consumers can speak under protocol native. Default: the primary's."""


class MetricQueries(Model):
    """One PromQL query for each signal; each gives one value per provider."""

    response_time: Query | None = None
    """Response time, in seconds."""
    error_rate: Query | None = None
    """Share of failed requests, 0 to 1."""
    availability: Query | None = None
    """Share of time, 0 to 1."""
    throughput: Query | None = None
    """Requests a second."""


class PrometheusSource(Model):
    """A Prometheus server that knows the traffic users really see."""

    url: Url
    """Base URL, such as http://prometheus.monitoring:9090."""
    queries: MetricQueries
    """What is asked."""
    provider_label: Text = "provider"
    """Label of the results that holds the provider's name."""
    interval: Duration = duration_field("1m", 5 * SECOND, DAY)
    """Time between two rounds of queries; values older than three rounds are forgotten."""


class MetricsSource(Model):
    """Where measured values come from, besides the probes."""

    prometheus: PrometheusSource
    """A Prometheus server. A signal it answers for takes the place of what probes measured."""


class Selection(Model):
    """How the best provider is found."""

    strategy: Strategy = Strategy.PRIORITY
    """Priority (primary, then backups in order), Performance (best score), Cost (cheapest within the thresholds),
    Weighted (by weight, with a ramp for one that comes back) or RoundRobin (each in turn)."""
    weights: ScoreWeights = ScoreWeights()
    """How much each part counts in the score."""
    thresholds: Thresholds = Thresholds()
    """Beyond one of these a provider is degraded."""
    switch_on_degradation: bool | None = None
    """Whether a degraded provider is left for one that is not. Default: true under Performance and Cost."""
    window: Duration = duration_field("15m", 10 * SECOND, DAY)
    """How far back measured values go."""
    min_samples: int = Field(default=5, ge=1, le=500)
    """Measured values of fewer samples than this are not used."""
    hysteresis: Share = 0.1
    """How much better another provider's score must be before it takes over, and how far a degraded provider must
    come back within a threshold."""
    requirements: Requirements = Requirements()
    """What a provider must be able to do."""
    rotation_period: Duration = duration_field("24h", MINUTE, 31 * DAY)
    """How long each provider's turn is under RoundRobin, counted from 1970-01-01 UTC."""
    ramp_interval: Duration = duration_field("5m", SECOND, DAY)
    """Under Weighted, how long a provider that comes back stays at each of 10, 25 and 50 % of its weight."""
    metrics_source: MetricsSource | None = None
    """Measured values from elsewhere."""

    @property
    def leaves_degraded(self) -> bool:
        """Whether a degraded provider is left for one that is not."""
        if self.switch_on_degradation is not None:
            return self.switch_on_degradation
        return self.strategy in {Strategy.PERFORMANCE, Strategy.COST}


class ScheduleEntry(Model):
    """Another rule for a time of the day or week."""

    name: Label
    """Name, shown in the status."""
    cron: CronLine
    """When it begins: minute, hour, day of month, month, day of week."""
    duration: Duration | None = optional_duration_field(MINUTE, 7 * DAY)
    """How long it lasts, in elapsed time, whatever clocks do meanwhile. Not for rotate, which lasts until its next
    turn."""
    time_zone: TimeZone = "UTC"
    """IANA name of the time zone of cron, such as Europe/Berlin."""
    primary: ProviderRef | None = None
    """The provider that is preferred meanwhile."""
    strategy: Strategy | None = None
    """The strategy that holds meanwhile."""
    rotate: bool = False
    """Whether the next provider in order takes over each time it begins."""

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        if sum((self.primary is not None, self.strategy is not None, self.rotate)) != 1:
            raise ValueError(f'schedule "{self.name}": set exactly one of primary, strategy and rotate: true')
        if self.rotate is not (self.duration is None):
            raise ValueError(f'schedule "{self.name}": duration is needed, but not beside rotate')
        return self


class Task(Model):
    """One use of the models that has its own active provider, published beside the policy's."""

    name: Label
    """Name, such as embed; published as LLM_<NAME>_PROVIDER and so on."""
    requirements: Requirements = Requirements()
    """What a provider must be able to do for this task; what is left out here is as in selection.requirements."""
    primary: ProviderRef | None = None
    """The provider that is preferred. Default: the first in order that fulfils the requirements."""
    strategy: Strategy | None = None
    """Default: the policy's."""
    weights: ScoreWeights | None = None
    """Default: the policy's."""
