"""Reads Prometheus metrics as they are exposed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a metric."""

    name: str
    labels: dict[str, str]
    value: float


Samples = Sequence[Sample]


def parse_samples(text: str) -> Samples:
    """Return all samples of an exposition."""
    families = text_string_to_metric_families(text)
    return [Sample(each.name, dict(each.labels), each.value) for family in families for each in family.samples]


def total(samples: Samples, name: str, **labels: str | Collection[str]) -> float:
    """Return the sum of a metric's samples whose labels have these values, or one of them."""
    wanted = {label: {value} if isinstance(value, str) else set(value) for label, value in labels.items()}
    return sum(
        sample.value
        for sample in samples
        if sample.name == name and all(sample.labels.get(label) in values for label, values in wanted.items())
    )
