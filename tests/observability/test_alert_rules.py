"""Each alert fires where it must, stays silent where it must not, and says what to do; promtool is the judge."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.observability.promtool import DATA, EVERYTHING, RULES, alerts, cases, judge, needed_by, rules, run

ALERTS = alerts()
SEVERITIES = {"critical", "warning", "info"}
LINK = "__RUNBOOK_BASE__/{name}.md"


@pytest.mark.e2e
def test_the_rules_are_such_as_prometheus_reads() -> None:
    done = run("check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.e2e
@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_fires_when_it_must_and_only_then(name: str, tmp_path: Path) -> None:
    assert judge(name, cases(name), needed_by(ALERTS[name]), tmp_path) == ""


@pytest.mark.e2e
def test_nothing_fires_where_all_is_well(tmp_path: Path) -> None:
    assert judge(EVERYTHING, cases(EVERYTHING), rules(), tmp_path) == ""


@pytest.mark.e2e
@pytest.mark.parametrize("expression", ["vector(0) > 1", "max(providerswitch_frozen) >= 0"])
def test_the_judge_notices_an_alert_that_never_or_always_fires(expression: str, tmp_path: Path) -> None:
    name = "ProviderSwitchFrozen"
    broken = {**ALERTS[name], "expr": expression}
    assert "FAILED" in judge(name, cases(name), [broken], tmp_path)


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_has_cases_in_which_it_fires_and_in_which_it_does_not(name: str) -> None:
    fired = {case["name"]: any(check["firing"] != "0" for check in case["checks"]) for case in cases(name)}
    assert set(fired.values()) == {True, False}


def test_there_are_cases_of_alerts_that_exist_and_of_no_others() -> None:
    assert {path.stem for path in DATA.glob("*.yaml")} == {*ALERTS, EVERYTHING}


@pytest.mark.parametrize(("name", "alert"), ALERTS.items(), ids=list(ALERTS))
def test_each_alert_says_how_bad_it_is_what_it_is_and_where_to_read_more(name: str, alert: dict[str, Any]) -> None:
    assert name.startswith("ProviderSwitch")
    assert alert["labels"]["severity"] in SEVERITIES
    annotations = alert["annotations"]
    assert annotations.keys() == {"summary", "description", "runbook_url"}
    assert annotations["runbook_url"] == LINK.format(name=name)
    assert len(annotations["summary"]) <= 120
    assert annotations["description"].endswith(".")


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_no_rule_counts_replicas_one_by_one(rule: dict[str, Any]) -> None:
    outer = re.match(r"\s*\(?\s*(?:max|sum) without \(instance, pod\b|absent\(|\(?providerswitch:", rule["expr"])
    assert outer, rule["expr"]


def test_people_are_woken_for_these_and_nothing_else() -> None:
    critical = {name for name, alert in ALERTS.items() if alert["labels"]["severity"] == "critical"}
    assert critical == {
        "ProviderSwitchAbsent",
        "ProviderSwitchAvailabilityBurnFast",
        "ProviderSwitchFrozen",
        "ProviderSwitchNoHealthyProvider",
        "ProviderSwitchNoLeader",
        "ProviderSwitchProbesStalled",
        "ProviderSwitchSeveralLeaders",
        "ProviderSwitchTaskNotServed",
    }
