"""Cases of the alert rules as data/README.md tells them, and promtool, which judges them."""

import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template
from typing import Any, Final

import yaml
from tests.support.prometheus import require
from tests.support.repository import ROOT

RULES: Final = ROOT / "charts" / "providerswitch" / "files" / "alerts.yaml"
DATA: Final = Path(__file__).parent / "data"
EVERYTHING: Final = "everything"

LABELS: Final = {
    **{name: f'instance="{name}:8080",pod="operator-{name}"' for name in "abcd"},
    "policy": 'job="providerswitch",namespace="team-a",policy="assistant"',
    "operator": 'job="providerswitch",namespace="providerswitch-system"',
}
RECORDED: Final = re.compile(r"providerswitch:\w+:\w+")

Rule = dict[str, Any]
Case = dict[str, Any]


def rules() -> list[Rule]:
    """Return all rules, recording ones too."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> dict[str, Rule]:
    """Return the alerts by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def cases(name: str) -> list[Case]:
    """Return the cases of an alert, or of everything; all scalars are text, since YAML takes 0x20 for a number."""
    return list(yaml.load((DATA / f"{name}.yaml").read_text(), Loader=yaml.BaseLoader))


def judge(name: str, found: Sequence[Case], wanted: Iterable[Rule], folder: Path) -> str:
    """Let promtool run cases; return what it complains about, nothing where all is as expected.

    Args:
        name: of the alert the cases are about.
        found: the cases.
        wanted: the rules to evaluate.
        folder: where files may be written.
    """
    interval = found[0].get("interval", "1m")
    assert {case.get("interval", "1m") for case in found} == {interval}, "cases of one file share their interval"
    groups = [{"name": "all", "rules": list(wanted)}]
    tests = [_as_promtool_wants(name, interval, case) for case in found]
    (folder / "rules.json").write_text(json.dumps({"groups": groups}))
    test = {"rule_files": ["rules.json"], "evaluation_interval": interval, "tests": tests}
    (folder / "test.json").write_text(json.dumps(test))
    done = run("test", "rules", str(folder / "test.json"))
    return "" if done.returncode == 0 else done.stdout + done.stderr


def needed_by(alert: Rule) -> list[Rule]:
    """Return an alert and the recording rules that it reads, in an order in which they can be evaluated."""
    read = set(RECORDED.findall(alert["expr"]))
    return [*(rule for rule in rules() if rule.get("record") in read), alert]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run promtool."""
    command = [str(require("promtool")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def _as_promtool_wants(alert: str, interval: str, case: Case) -> dict[str, Any]:
    series = case["series"].items()
    return {
        "name": case["name"],
        "interval": interval,
        "input_series": [{"series": Template(key).substitute(LABELS), "values": value} for key, value in series],
        "promql_expr_test": [_check(alert, check) for check in case["checks"]],
    }


def _check(alert: str, check: dict[str, str]) -> dict[str, Any]:
    name = "" if alert == EVERYTHING else f',alertname="{alert}"'
    where = f",{check['where']}" if "where" in check else ""
    query = f'sum(ALERTS{{alertstate="firing"{name}{where}}}) or vector(0)'
    return {"expr": query, "eval_time": check["at"], "exp_samples": [{"labels": "{}", "value": int(check["firing"])}]}
