"""Probes that only confirm need not be made: what is decided is the same, at the same moments."""

from datetime import timedelta
from typing import Any

import pytest
from tests.simulate.scenery import at, build_world, storm, trouble

from providerswitch.api.health import HealthClass
from providerswitch.simulate.weather import Trouble
from providerswitch.simulate.world import World

HOURS = 6
POLICIES: tuple[dict[str, Any], ...] = (
    {},
    {"selection": {"switchOnDegradation": True, "window": "5m"}},
    {"failover": {"blacklistDuration": "60s"}, "healthCheck": {"failureThreshold": 5, "fastInterval": "3s"}},
)


def run(troubles: dict[str, list[Trouble]], hours: float, *, skip: bool, **spec: Any) -> World:
    """Return a world after some hours."""
    world = build_world(troubles, skip=skip, **spec)
    world.run(at(hours * 3600))
    return world


@pytest.mark.parametrize("spec", POLICIES, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_with_and_without_skipping_the_same_is_decided(seed: int, spec: dict[str, Any]) -> None:
    troubles = storm(seed, 2 + seed, HOURS)
    skipping, patient = (run(troubles, HOURS, skip=skip, **spec) for skip in (True, False))

    assert skipping.moves == patient.moves
    assert skipping.turns == patient.turns
    assert skipping.freezes == patient.freezes
    assert skipping.healths == patient.healths
    assert len(patient.moves) > 3, "weather in which nothing is decided proves nothing"
    assert skipping.probes < patient.probes


def test_a_quiet_year_takes_a_handful_of_probes() -> None:
    world = run({"openai": [], "anthropic": []}, 365 * 24, skip=True)

    assert world.probes < 20
    assert world.healths["openai"].last_probe_at is not None
    assert at(365 * 86400) - world.healths["openai"].last_probe_at < timedelta(seconds=31)


def test_a_brownout_is_never_skipped() -> None:
    troubles = {"openai": [trouble(600, 4200, share=0.01)], "anthropic": []}
    world = run(troubles, 2, skip=True)

    assert world.probes > 3600 / 30


def test_a_provider_that_is_down_for_days_is_not_asked_in_vain_and_found_well_at_once() -> None:
    troubles = {"openai": [trouble(100, 3 * 86400, HealthClass.TIMEOUT)], "anthropic": []}
    world = run(troubles, 4 * 24, skip=True)

    back = next(turn for turn in world.turns if turn.provider == "openai" and turn.at > at(1000))
    assert world.probes < 100
    assert timedelta(0) < back.at - at(3 * 86400) < timedelta(seconds=30 * 6)
