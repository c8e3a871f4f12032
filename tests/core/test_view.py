"""What a policy's explanation says, section by section."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.policies import build_policy, build_provider
from tests.support.statuses import build_failed_over

from providerswitch.api.policy import PolicySpec
from providerswitch.api.status import PolicyStatus
from providerswitch.core.sections import Section, Seen, build_table
from providerswitch.core.view import build_view

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
PROVIDERS = (
    build_provider("openai", quality=0.82, cost={"inputPerMillionTokens": 0.15, "outputPerMillionTokens": 0.6}),
    build_provider("anthropic"),
    build_provider("google"),
)
DOWN = {
    "name": "openai",
    "state": "Down",
    "healthClass": "Timeout",
    "since": "2026-11-02T11:57:00Z",
    "blacklistedUntil": "2026-11-02T12:05:00Z",
    "eligible": False,
    "why": "no answer within 10 s",
}
WELL = {"name": "anthropic", "state": "Healthy", "healthClass": "Healthy", "eligible": True, "why": "200", "rank": 1}
UNKNOWN = {"name": "google", "state": "Unknown", "healthClass": "Unknown", "eligible": False, "why": "not probed yet"}
SERVING = {
    "observedGeneration": 1,
    "activeProvider": "anthropic",
    "activeSince": "2026-11-02T11:57:02Z",
    "reason": "FailedOver",
    "revision": 2,
    "providers": [DOWN, WELL, UNKNOWN],
}


def explain(status: dict[str, Any], *, generation: int = 1, **spec: Any) -> dict[str, Section]:
    """Return the sections of a policy by their keys."""
    policy = PolicySpec.model_validate(build_policy("chat", "team-a", *PROVIDERS, **spec)["spec"])
    seen = Seen(policy, PolicyStatus.model_validate({**SERVING, **status}), NOON, generation)
    return {section.key: section for section in build_view(seen)}


def rows(section: Section) -> dict[str, dict[str, str]]:
    """Return the rows of a table by their first cell, each with its cells by their column."""
    assert section.table
    return {row[0]: dict(zip(section.table.columns, row, strict=True)) for row in section.table.rows}


def condition(kind: str, status: str, message: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": "Because",
        "message": message,
        "lastTransitionTime": "2026-11-02T11:00:00Z",
        "observedGeneration": 1,
    }


def test_the_first_sentence_says_who_serves_since_when_and_why() -> None:
    first = next(iter(explain({}).values()))
    assert first.lines == ('"anthropic" is active since 11:57:02 UTC (2 min ago), revision 2: FailedOver.',)


def test_shadow_mode_says_who_would_serve() -> None:
    told = explain({"shadow": {"since": "2026-11-02T11:00:00Z", "publishedProvider": "openai"}})["active"].lines[0]
    assert told.startswith('Shadow mode: "anthropic" would be active since')
    assert told.endswith("Nothing is published.")


def test_a_policy_that_published_nothing_says_so() -> None:
    assert explain({"activeProvider": None})["active"].lines == ("Nothing is published yet.",)


def test_a_sentence_that_several_conditions_hold_is_shown_once() -> None:
    why = "openai is down"
    told = explain({"conditions": [condition("Ready", "True", f"{why}; more"), condition("FailedOver", "True", why)]})
    assert told["active"].lines[1:] == (f"Ready True (Because) since 11:00:00 UTC (60 min ago): {why}; more",)


def test_conditions_that_need_a_look_are_shown_and_those_that_are_well_are_not() -> None:
    conditions = [
        condition("Ready", "False", "no provider works"),
        condition("Frozen", "False", "no sign"),
        condition("Degraded", "True", "openai is slow"),
    ]
    lines = explain({"conditions": conditions})["active"].lines
    assert [line.partition(" (")[0] for line in lines[1:]] == ["Ready False", "Degraded True"]


@pytest.mark.parametrize(("generation", "warned"), [(1, False), (2, True), (0, False)])
def test_a_status_of_an_older_spec_is_told_to_be_one(generation: int, warned: bool) -> None:  # noqa: FBT001  # a column of the table
    lines = explain({}, generation=generation)["active"].lines
    assert any("generation 2 was not acted upon yet" in line for line in lines) is warned


def test_an_initial_status_tells_of_no_generation() -> None:
    lines = explain({"observedGeneration": -1})["active"].lines
    assert any(line.startswith("This tells of generation 0 of the spec") for line in lines)


def test_who_may_not_be_chosen_is_listed_with_the_reason_and_until_when() -> None:
    told = rows(explain({})["rejected"])
    assert told["openai"] == {
        "PROVIDER": "openai",
        "STATE": "Down (Timeout)",
        "SINCE": "11:57:00 UTC (3 min ago)",
        "UNTIL": "12:05:00 UTC (in 5 min)",
        "WHY": "no answer within 10 s",
    }
    assert (told["google"]["STATE"], told["google"]["WHY"]) == ("Unknown", "not probed yet")
    assert "anthropic" not in told


def test_a_rate_limit_is_told_until_its_end_and_a_blacklist_that_is_over_is_not() -> None:
    limited = {**DOWN, "state": "RateLimited", "rateLimitedUntil": "2026-11-02T12:00:30Z"}
    over = {**DOWN, "name": "google", "blacklistedUntil": "2026-11-02T11:59:00Z", "ejections": 3}
    told = rows(explain({"providers": [limited, over]})["rejected"])
    assert told["openai"]["UNTIL"] == "12:00:30 UTC (in 30 s)"
    assert (told["google"]["UNTIL"], told["google"]["TIMES DOWN"]) == ("", "3")


def test_who_is_no_backup_is_told_to_be_none_whatever_its_health() -> None:
    told = explain({}, backups=["anthropic"])["rejected"]
    assert told.lines == ('"google" is neither the primary nor one of the backups.',)
    assert list(rows(told)) == ["openai"]


def test_a_new_provider_that_the_status_does_not_know_is_told_to_be_unprobed() -> None:
    assert explain({"providers": [DOWN, WELL]})["rejected"].lines == ('"google" was not probed yet.',)


SCORED = {
    **WELL,
    "score": 0.615,
    "scoreParts": {"latency": 0.5, "accuracy": 0.85, "cost": 0.1, "availability": 1},
    "weight": 60,
    "degraded": "response time p95 6.1 s is over 5 s",
}


def test_candidates_stand_by_rank_with_their_score_and_its_parts() -> None:
    told = explain({"providers": [DOWN, UNKNOWN, SCORED]})["candidates"]
    assert list(rows(told)) == ["anthropic", "openai", "google"]
    assert rows(told)["anthropic"] == {
        "PROVIDER": "anthropic",
        "RANK": "1",
        "ROLE": "active",
        "STATE": "Healthy",
        "SCORE": "0.61",
        "LATENCY": "0.50",
        "ACCURACY": "0.85",
        "COST": "0.10",
        "AVAILABILITY": "1.00",
        "WEIGHT": "60 %",
    }
    assert rows(told)["openai"]["ROLE"] == "primary"


def test_the_lines_above_the_candidates_say_strategy_weights_and_who_is_degraded() -> None:
    weights = {"latency": 1, "accuracy": 0, "cost": 0.5, "availability": 0}
    told = explain({"providers": [SCORED]}, selection={"strategy": "Performance", "weights": weights})["candidates"]
    assert told.lines == (
        "Strategy Performance.",
        "Score = 1 latency + 0 accuracy + 0.5 cost + 0 availability, divided by the sum of these weights.",
        '"anthropic" is degraded: response time p95 6.1 s is over 5 s',
    )


def test_a_strategy_that_the_schedule_brings_is_told_with_its_entry() -> None:
    entry = {"name": "nights", "cron": "0 22 * * *", "duration": "8h", "strategy": "Cost"}
    told = explain({"schedule": {"active": "nights"}}, schedule=[entry])
    assert told["candidates"].lines == ('Strategy Cost, by "nights" of the schedule.',)


def test_measured_values_have_units_and_say_what_is_only_declared() -> None:
    measured = {
        **WELL,
        "samples": 30,
        "responseTime": {"p50Millis": 820, "p95Millis": 6100, "meanMillis": 1000, "firstByteP95Millis": 300},
        "errorRate": 0.052,
        "availability": 0.95,
        "quality": 0.85,
        "qualityConfidence": 0.4,
        "throughput": {"requestsLimit": 500, "requestsRemaining": 480, "tokensRemaining": 7, "requestsPerSecond": 3.25},
    }
    told = rows(explain({"providers": [measured, DOWN]})["measured"])
    assert told["anthropic"] == {
        "PROVIDER": "anthropic",
        "P50": "0.82 s",
        "P95": "6.1 s",
        "FIRST BYTE P95": "0.3 s",
        "ERRORS": "5.2 %",
        "AVAILABLE": "95 %",
        "PRICE": "",
        "QUALITY": "0.85 (40 % measured)",
        "PROBES": "30",
        "REQUESTS LEFT": "480 of 500",
        "TOKENS LEFT": "7",
        "REQUESTS/S": "3.25",
    }
    assert (told["openai"]["PRICE"], told["openai"]["QUALITY"], told["openai"]["P95"]) == ("0.2625", "0.82", "")


def test_what_flap_control_holds_back_is_told_as_it_is() -> None:
    held = 'the switch to "google" (Performance) waits: failover.minDwell holds it back until 12:01:00 UTC'
    assert explain({"held": held})["held"].lines == (held,)


def test_an_override_in_force_says_who_wants_what_why_and_until_when() -> None:
    calm = {
        "name": "calm",
        "uid": "1",
        "provider": "google",
        "requestedBy": "alice",
        "reason": "INC-7",
        "until": "2026-11-02T12:30:00.000000Z",
    }
    embed = {**calm, "name": "embeddings", "requestedBy": None, "task": "embed", "force": True}
    assert explain({"overrides": [calm, embed]})["overrides"].lines == (
        '"calm" of alice asks for "google" until 12:30:00 UTC (in 30 min): INC-7',
        '"embeddings" asks for "google" for task "embed", whatever its health, until 12:30:00 UTC (in 30 min): INC-7',
    )


def test_a_drill_says_what_is_only_played() -> None:
    monday = {
        "name": "monday",
        "uid": "1",
        "provider": "openai",
        "fault": "Outage",
        "origin": "openai",
        "startedAt": "2026-11-02T11:58:00.000000Z",
    }
    (line,) = explain({"drill": monday})["drill"].lines
    assert line.startswith('"monday" plays Outage of "openai" since 11:58:00 UTC (2 min ago). Nothing of it is real.')
    assert line.endswith(' "openai" served when it began.')
    without = explain({"drill": {**monday, "origin": None}})["drill"].lines
    assert without[0].endswith("Nothing of it is real.")


def test_override_and_drill_are_among_the_first_answers_and_left_out_where_there_is_none() -> None:
    order = {"name": "calm", "uid": "1", "provider": "google", "reason": "x", "until": "2026-11-02T13:00:00.000000Z"}
    drill = {
        "name": "d",
        "uid": "1",
        "provider": "openai",
        "fault": "Outage",
        "startedAt": "2026-11-02T11:58:00.000000Z",
    }
    assert list(explain({"overrides": [order], "drill": drill}))[:3] == ["active", "overrides", "drill"]
    assert not {"overrides", "drill"} & explain({}).keys()


def test_each_task_says_who_serves_it_and_why_and_who_would_be_better() -> None:
    advice = {"provider": "google", "gain": 0.12, "why": "cost 0.10 instead of 0.20"}
    task = {"name": "embed", "activeProvider": "openai", "reason": "BestScore", "why": "it is best"}
    told = explain({"tasks": [{**task, "recommendation": advice}], "recommendation": advice})
    assert rows(told["tasks"])["embed"] == {
        "TASK": "embed",
        "ACTIVE": "openai",
        "REASON": "BestScore",
        "WHY": "it is best",
    }
    assert list(rows(told["recommendation"])) == ["policy", "task embed"]
    assert rows(told["recommendation"])["policy"]["GAIN"] == "+0.12"


def test_the_schedule_says_what_is_in_force_and_what_comes_next() -> None:
    schedule = {
        "active": "nights",
        "nextChangeAt": "2026-11-02T21:00:00Z",
        "nextChange": "days begins",
        "rotatedTo": "google",
        "rotatedAt": "2026-11-02T00:00:00Z",
    }
    assert explain({"schedule": schedule})["schedule"].lines == (
        '"nights" is in force.',
        "Next change 21:00:00 UTC (in 9 h): days begins",
        'It is the turn of "google" since 00:00:00 UTC (12 h ago).',
    )
    assert explain({"schedule": {}})["schedule"].lines == ("No entry is in force.",)


def test_the_budget_says_what_was_used_of_how_much() -> None:
    used = {"budget": {"day": "2026-11-02", "probes": 12, "cost": 0.0231}}
    limits = {"budget": {"probesPerDay": 100, "costPerDay": 1}}
    assert explain(used)["budget"].lines == ("On 2026-11-02 (UTC): 12 billed requests, 0.0231 spent.",)
    told = explain(used, healthCheck=limits)["budget"]
    assert told.lines == ("On 2026-11-02 (UTC): 12 of 100 billed requests, 0.0231 of 1.00 spent.",)


def test_resilience_is_told_for_the_policy_and_each_provider() -> None:
    lived = {
        "observedSeconds": 86_400,
        "downSeconds": 360,
        "failures": 2,
        "mtbfSeconds": 43_020,
        "mttrSeconds": 180,
        "availability": 0.995833,
    }
    resilience = {
        "redundancy": 1,
        "faultTolerance": 1,
        "observed": {"observedSeconds": 86_400, "downSeconds": 2, "failures": 1, "availability": 0.999976},
        "detectMillis": 2000,
        "switchMillis": 35,
        "configLoadMillis": 12,
    }
    switching = {"total": 4, "succeeded": 3, "rolledBack": 1}
    told = explain({"resilience": resilience, "switching": switching, "providers": [{**WELL, "reliability": lived}]})
    assert told["resilience"].lines == (
        "Redundancy 1, fault tolerance 1.",
        "Mean times: detection 2000 ms, switch 35 ms.",
        "The last change of the spec was in force after 12 ms.",
        "Switches: 4 tried, 3 succeeded (75 %), 1 undone.",
    )
    assert rows(told["resilience"])["policy"]["AVAILABILITY"] == "99.9976 %"
    assert rows(told["resilience"])["anthropic"] == {
        "OF": "anthropic",
        "AVAILABILITY": "99.5833 %",
        "FAILURES": "2",
        "MTBF": "11 h 57 min",
        "MTTR": "3 min",
        "DOWN": "6 min",
        "OBSERVED": "1 d",
    }


def test_a_policy_that_was_not_observed_yet_has_no_figures() -> None:
    told = explain({"resilience": {"redundancy": 2, "faultTolerance": 1}})["resilience"]
    assert (told.lines, told.table) == (("Redundancy 2, fault tolerance 1.",), None)


def test_the_last_switches_say_what_was_passed_over() -> None:
    switch = {
        "time": "2026-11-02T11:57:02.000000Z",
        "from": "openai",
        "to": "anthropic",
        "revision": 2,
        "trigger": "Failover",
        "reason": "openai is down",
        "detectMillis": 2000,
        "switchMillis": 40,
        "outcome": "Succeeded",
        "task": "embed",
        "rejected": [{"provider": "google", "why": "rate limited."}],
    }
    told = explain({"history": [switch]})["history"].table
    assert told is not None
    assert told.rows == (
        (
            "11:57:02 UTC (2 min ago)",
            "openai -> anthropic (embed)",
            "Failover",
            "Succeeded",
            "2000 ms",
            "40 ms",
            'openai is down. Passed over: "google": rate limited',
        ),
    )


def test_a_status_of_an_older_operator_is_explained_as_far_as_it_goes() -> None:
    policy = PolicySpec.model_validate(build_policy("chat", "team-a", *PROVIDERS)["spec"])
    old = PolicyStatus.model_validate({"observedGeneration": 1, "activeProvider": "openai"})
    view = build_view(Seen(policy, old, NOON))
    assert [section.key for section in view] == ["active", "rejected"]


def test_the_status_that_the_operator_writes_is_explained() -> None:
    policy = PolicySpec.model_validate(build_policy("chat", "team-a", *PROVIDERS)["spec"])
    view = {section.key: section for section in build_view(Seen(policy, build_failed_over(), NOON))}
    assert {"active", "rejected", "candidates", "history"} <= view.keys()
    assert rows(view["rejected"])["google"]["UNTIL"] == "12:00:30 UTC (in 30 s)"


def test_a_column_that_nothing_is_known_for_is_left_out() -> None:
    table = build_table(("A", "B", "C"), [("1", "", "2"), ("3", "", "")])
    assert table is not None
    assert (table.columns, table.rows) == (("A", "C"), (("1", "2"), ("3", "")))
    assert build_table(("A",), []) is None
