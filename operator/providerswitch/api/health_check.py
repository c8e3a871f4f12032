"""How providers are probed: cadence, billed probes, budget, golden prompts."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, StringConstraints

from providerswitch.api.durations import Duration
from providerswitch.api.fields import DAY, SECOND, Model, Path, Share, duration_field


class Generation(Model):
    """Billed probes: ask for one token now and then."""

    interval: Duration = duration_field("10m", 10 * SECOND, DAY)
    """Time between two billed probes of a provider."""


class Budget(Model):
    """What billed probes and quality checks of this policy may use up in a day (UTC)."""

    probes_per_day: int | None = Field(default=None, ge=0, le=1_000_000)
    """Billed requests a day. Left out: no limit."""
    cost_per_day: float | None = Field(default=None, ge=0, le=1_000_000)
    """Money a day, from each provider's cost and the tokens its answers tell of. Left out: no limit."""


class HealthCheck(Model):
    """How providers are probed, and how many answers make a change."""

    interval: Duration = duration_field("30s", SECOND, DAY)
    """Time between two probes of a provider that works, or that is known to be down."""
    timeout: Duration = duration_field("10s", timedelta(milliseconds=100), 120 * SECOND)
    """Hard deadline of a probe, from name look-up to the last byte."""
    fast_interval: Duration = duration_field("1s", timedelta(milliseconds=100), DAY)
    """Time between two probes after a first failure, until the provider is either well or down."""
    failure_threshold: int = Field(default=3, ge=1, le=100)
    """Consecutive failed probes that take a provider out of the choice."""
    recovery_threshold: int = Field(default=5, ge=1, le=100)
    """Consecutive good probes that bring a provider back, once its blacklist time is over."""
    path: Path | None = None
    """Path that providers of type http are asked; default "/"."""
    generation: Generation | None = None
    """Billed probes. Left out: only unbilled checks are made, which cannot see an outage of generation alone."""
    budget: Budget | None = None
    """What billed probes and quality checks may use up. When it is exhausted, only unbilled checks go on."""


class EmbeddingNear(Model):
    """A text whose vector must be near the prompt's."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    """Text to compare with."""
    similarity: Share = 0.8
    """Least cosine similarity of the two vectors."""


class Expectation(Model):
    """What a good answer looks like; all that is set must hold."""

    contains: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = None
    """Text that must occur in the answer, in upper or lower case."""
    regex: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = None
    """RE2 expression that must match somewhere in the answer."""
    json_object: bool = Field(default=False, alias="json")
    """Whether the answer must be a JSON object; a code fence around it is allowed."""
    embedding_near: EmbeddingNear | None = None
    """For embedding models: a text whose vector must be near the prompt's."""


class GoldenPrompt(Model):
    """A question whose good answer is known."""

    prompt: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    """What is asked."""
    expect: Expectation
    """What a good answer looks like."""


class QualityChecks(Model):
    """Golden prompts: billed requests that measure how good the answers of each provider are."""

    interval: Duration = duration_field("1h", 60 * SECOND, 7 * DAY)
    """Time between two checks of a provider; each check asks one prompt, in turn."""
    prompts: Annotated[list[GoldenPrompt], Field(min_length=1, max_length=8)]
    """The prompts."""
