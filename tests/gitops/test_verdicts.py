"""Argo CD's health check, its action and Flux's kstatus, over statuses as the operator writes them."""

from datetime import datetime
from typing import Any

import pytest
from tests.gitops.verdicts import act, flux, health, kstatus, offered_actions
from tests.support.policies import build_policy, build_provider
from tests.support.statuses import build_failed_over, build_full, build_refused

from providerswitch.api import meta
from providerswitch.api.drill import DrillStatus
from providerswitch.api.status import PolicyStatus
from providerswitch.controller.reporter import render
from providerswitch.core.case import Reason

from reference.reasons import DECISIONS, PROBLEMS  # isort: skip  # tests.support.repository puts hack/ on the path

Object = dict[str, Any]

BAD_NEWS = {Reason.NO_HEALTHY_PROVIDER, *PROBLEMS}
READY_REASONS = {**DECISIONS, **PROBLEMS}
"""Each reason that Ready can have."""


def policy(status: PolicyStatus | None = None, generation: int = 1) -> Object:
    made = build_policy("assistant", "team", build_provider("openai"), build_provider("anthropic"))
    made["metadata"] |= {"generation": generation, "uid": "1"}
    return made if status is None else {**made, "status": render(status)}


def with_condition(kind: str, status: str, reason: str, base: PolicyStatus | None = None) -> Object:
    """Return a policy one of whose conditions reads so."""
    made = policy(base or build_failed_over())
    found = next(each for each in made["status"]["conditions"] if each["type"] == kind)
    found |= {"status": status, "reason": reason, "message": f"{reason} was told"}
    return made


def ready(reason: str) -> Object:
    return with_condition("Ready", READY_REASONS[reason].status, reason)


def expected_health(reason: str) -> str:
    special = {Reason.FROZEN: "Suspended", Reason.WAITING: "Progressing"}
    return special.get(Reason(reason), "Healthy") if reason in set(Reason) - BAD_NEWS else "Degraded"


@pytest.mark.parametrize("reason", READY_REASONS)
def test_each_reason_of_ready_has_a_health(reason: str) -> None:
    assert health(ready(reason))[0] == expected_health(reason)


def test_the_message_is_that_of_the_condition() -> None:
    assert health(ready("SecretNotFound")) == ("Degraded", "SecretNotFound was told")
    assert health(ready("Frozen")) == ("Suspended", "Frozen was told")


def test_a_new_policy_is_progressing_until_the_operator_has_looked_at_it() -> None:
    assert health(policy()) == ("Progressing", "waiting for the operator to look at the policy")


def test_a_policy_with_an_initial_status_alone_is_progressing() -> None:
    assert health({**policy(), "status": {"observedGeneration": -1}})[0] == "Progressing"


def test_a_change_is_progressing_until_the_operator_has_looked_at_it() -> None:
    changed = policy(build_failed_over(), generation=2)
    assert health(changed) == ("Progressing", "waiting for the operator to look at the last change")


def test_a_successful_failover_is_healthy_and_tells_who_serves_and_why() -> None:
    served = health(policy(build_failed_over()))
    assert served == ("Healthy", "anthropic serves (FailedOver): openai is down: Timeout")


def test_a_spec_that_is_to_be_mended_is_degraded_with_what_to_do() -> None:
    assert health(policy(build_refused())) == ("Degraded", 'Secret "llm-keys" does not exist. Create it.')


@pytest.mark.parametrize("reason", ["SpecInvalid", "LimitExceeded"])
def test_a_refused_spec_is_degraded_until_it_is_edited(reason: str) -> None:
    refused = with_condition("Ready", "False", reason)
    assert health(refused) == ("Degraded", f"{reason} was told")
    refused["metadata"]["generation"] += 1
    assert health(refused)[0] == "Progressing"


def test_a_provider_that_works_badly_is_told_of_in_a_healthy_policy() -> None:
    slow = with_condition("Degraded", "True", "ThresholdExceeded")
    status, message = health(slow)
    assert status == "Healthy"
    assert message.endswith("; Degraded: ThresholdExceeded was told")


def test_an_exhausted_budget_is_told_of_in_a_healthy_policy() -> None:
    status, message = health(policy(build_full()))
    assert status == "Healthy"
    assert message.endswith("; BudgetExhausted: the budget of the day is used up")


def test_the_return_to_the_primary_can_be_asked_for_while_a_backup_serves() -> None:
    assert offered_actions(policy(build_failed_over())) == {"request-failback": {"disabled": False}}
    served = with_condition("FailedOver", "False", "PrimaryActive")
    assert offered_actions(served) == offered_actions(policy()) == {"request-failback": {"disabled": True}}


def test_the_action_sets_the_annotation_to_the_present_time_and_nothing_else() -> None:
    before = policy(build_failed_over())
    before["metadata"]["annotations"] = {"theirs": "stays"}
    after = act("request-failback", before)
    asked_at = after["metadata"]["annotations"].pop("providerswitch.dev/failback-requested-at")
    assert datetime.fromisoformat(asked_at).utcoffset() is not None
    assert after["metadata"] == before["metadata"]
    assert after["spec"] == before["spec"]


ONLY_AN_EDIT_HELPS = {
    "SpecInvalid", "LimitExceeded", "ScheduleInvalid", "QualityChecksInvalid", "KeyHostNotAllowed", "NotOwned"
}  # fmt: skip


@pytest.mark.parametrize("reason", READY_REASONS)
def test_flux_with_our_expressions_fails_at_once_where_only_an_edit_helps(reason: str) -> None:
    waiting = "Failed" if reason in ONLY_AN_EDIT_HELPS else "InProgress"
    assert flux(ready(reason)) == ("Current" if READY_REASONS[reason].status == "True" else waiting)


def test_flux_with_our_expressions_waits_while_a_generation_is_not_seen() -> None:
    assert flux(policy(build_failed_over(), generation=2)) == "InProgress"
    assert flux({**policy(), "status": {"observedGeneration": -1}}) == "InProgress"
    assert flux({**policy(), "status": {}}) == "InProgress"


def test_flux_with_our_expressions_cannot_tell_yet_of_a_policy_without_a_status() -> None:
    """It polls on after an error, until there is one."""
    with pytest.raises(AssertionError, match="no such attribute"):
        flux(policy())


@pytest.mark.parametrize("reason", READY_REASONS)
def test_flux_waits_for_each_reason_that_is_not_ready(reason: str) -> None:
    expected = "Current" if READY_REASONS[reason].status == "True" else "InProgress"
    assert kstatus(ready(reason))[0] == expected


def test_flux_takes_a_successful_failover_for_current() -> None:
    assert kstatus(policy(build_failed_over()))[0] == "Current"


def test_flux_waits_while_a_generation_is_not_seen() -> None:
    assert kstatus(policy(build_failed_over(), generation=2))[0] == "InProgress"


def test_flux_waits_for_a_policy_with_an_initial_status_alone() -> None:
    assert kstatus({**policy(), "status": {"observedGeneration": -1}})[0] == "InProgress"


def test_flux_sees_that_a_policy_is_being_deleted() -> None:
    going = policy(build_failed_over())
    going["metadata"]["deletionTimestamp"] = "2026-11-02T12:00:00Z"
    assert kstatus(going)[0] == "Terminating"


def drill(state: str, reason: str) -> Object:
    """Return a drill with a status as the operator writes it."""
    finished = {
        "type": "Finished",
        "status": "False" if state == "Refused" else "True",
        "observedGeneration": 1,
        "reason": reason,
        "message": f"{reason} was told",
    }
    said = DrillStatus.model_validate(
        {
            "observedGeneration": 1,
            "state": state,
            "reason": reason,
            "conditions": [{**finished, "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        }
    )
    return {
        "apiVersion": meta.API_VERSION,
        "kind": meta.DRILL_KIND,
        "metadata": {"name": "weekly", "namespace": "team", "generation": 1, "uid": "1"},
        "status": said.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


@pytest.mark.parametrize(("state", "reason"), [("Passed", "Passed"), ("Failed", "NoBackup"), ("Refused", "NotStable")])
def test_a_drill_holds_no_sync_up_whatever_came_of_it(state: str, reason: str) -> None:
    assert kstatus(drill(state, reason))[0] == "Current"
