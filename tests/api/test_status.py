"""The status: what is written is read back, to the microsecond where it decides something."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.support.statuses import build_failed_over, build_refused

from providerswitch.api.health import HealthClass
from providerswitch.api.status import (
    HISTORY_LIMIT,
    Condition,
    HealthState,
    PolicyStatus,
    ProviderStatus,
    Switch,
)

moments = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # the strategy adds the zone
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def written(status: PolicyStatus) -> str:
    return status.model_dump_json(by_alias=True, exclude_none=True)


def build_provider_status(**fields: object) -> ProviderStatus:
    known = {"name": "openai", "state": HealthState.DOWN, "healthClass": HealthClass.TIMEOUT, "eligible": False}
    return ProviderStatus.model_validate({**known, **fields})


def build_switch(**fields: object) -> Switch:
    known = {"time": NOON, "to": "openai", "revision": 1, "trigger": "Initial", "reason": "first choice"}
    return Switch.model_validate({**known, "switchMillis": 40, "outcome": "Succeeded", **fields})


@pytest.mark.parametrize("status", [PolicyStatus(), build_refused(), build_failed_over()])
def test_what_is_written_is_read_back_whole(status: PolicyStatus) -> None:
    assert PolicyStatus.model_validate_json(written(status)) == status


@given(moments, moments)
def test_times_that_decide_keep_their_microseconds(until: datetime, limited: datetime) -> None:
    status = PolicyStatus(
        providers=[build_provider_status(blacklistedUntil=until, rateLimitedUntil=limited)],
        history=[build_switch(time=until)],
    )
    read = PolicyStatus.model_validate_json(written(status))
    assert read == status
    assert read.providers[0].blacklisted_until == until


@given(moments)
def test_times_for_people_are_cut_to_seconds_and_never_later(moment: datetime) -> None:
    read = PolicyStatus.model_validate_json(written(PolicyStatus(active_since=moment)))
    assert read.active_since == moment.replace(microsecond=0)


def test_times_are_written_as_kubernetes_writes_them() -> None:
    moment = NOON + timedelta(microseconds=7)
    status = PolicyStatus(active_since=moment, providers=[build_provider_status(since=moment, blacklistedUntil=moment)])
    found = json.loads(written(status))
    assert found["activeSince"] == "2026-11-02T12:00:00Z"
    assert found["providers"][0]["since"] == "2026-11-02T12:00:00Z"
    assert found["providers"][0]["blacklistedUntil"] == "2026-11-02T12:00:00.000007Z"


def test_a_time_of_another_zone_stays_the_same_moment() -> None:
    moment = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    read = PolicyStatus.model_validate_json(written(PolicyStatus(active_since=moment)))
    assert read.active_since == NOON


def test_what_is_not_known_is_left_out_and_not_null() -> None:
    assert "null" not in written(PolicyStatus(providers=[build_provider_status()], history=[build_switch()]))


def test_from_is_written_under_its_yaml_name() -> None:
    switch = build_switch(**{"from": "jina"})
    assert switch.from_provider == "jina"
    assert json.loads(written(PolicyStatus(history=[switch])))["history"][0]["from"] == "jina"


def test_a_status_of_a_newer_release_is_read() -> None:
    read = PolicyStatus.model_validate({"activeProvider": "openai", "drills": [{"name": "embed"}]})
    assert read.active_provider == "openai"


@pytest.mark.parametrize(
    "status",
    [
        {"history": [json.loads(build_switch().model_dump_json(by_alias=True))] * (HISTORY_LIMIT + 1)},
        {"activeProvider": "x" * 254},
        {"providers": [{"name": "a", "state": "Well", "healthClass": "Healthy", "eligible": True}]},
        {"providers": [{"name": "a", "state": "Healthy", "healthClass": "Sick", "eligible": True}]},
        {"activeSince": "yesterday"},
        {"conditions": [{"type": "Ready", "status": "Maybe"}]},
    ],
)
def test_a_status_that_no_release_writes_is_refused(status: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PolicyStatus.model_validate(status)


def test_a_condition_has_all_fields_of_metav1() -> None:
    names = {field.alias or name for name, field in Condition.model_fields.items()}
    assert names == {"type", "status", "reason", "message", "lastTransitionTime", "observedGeneration"}
