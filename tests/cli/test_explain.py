"""`providerswitch explain`, as a user gives it what kubectl prints."""

import argparse
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.support.policies import build_policy, build_provider
from tests.support.statuses import build_failed_over

from providerswitch.cli import explain
from providerswitch.cli.explain import Output
from providerswitch.cli.terminal import WIDTH, render
from providerswitch.core.sections import Section, Table

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOW = 'Give it what "kubectl get pswitch NAME -o yaml" prints.'


@dataclass(frozen=True, slots=True)
class Done:
    """What a run of the command left behind."""

    code: int
    out: str
    err: str


def run(text: str, *, path: str = "-", output: Output = Output.TEXT) -> Done:
    out, err = io.StringIO(), io.StringIO()
    code = explain.run(io.StringIO(text), out, err, now=NOON, path=path, output=output)
    return Done(code, out.getvalue(), err.getvalue())


def stored(name: str = "chat", **changes: Any) -> dict[str, Any]:
    """Return a policy as the API server gives it back."""
    providers = [build_provider(each) for each in ("openai", "anthropic", "google")]
    policy = build_policy(name, "team-a", *providers)
    policy["metadata"] |= {"uid": "u-1", "generation": 1, "resourceVersion": "7"}
    status = build_failed_over().model_dump(mode="json", by_alias=True, exclude_none=True)
    return {**policy, "status": status, **changes}


def listed(*items: object) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}


def test_what_kubectl_prints_as_yaml_is_explained_answers_first() -> None:
    done = run(yaml.safe_dump(stored()))
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(
        'Policy "chat" in namespace "team-a"\n'
        "\n"
        "Active\n"
        '  "anthropic" is active since 12:00:00 UTC (now), revision 2: FailedOver.\n'
    )
    lines = done.out.splitlines()
    refused = lines[lines.index("May not be chosen") :]
    assert any(line.split()[:3] == ["openai", "Down", "(Timeout)"] for line in refused)
    assert max(map(len, lines)) <= WIDTH


def test_json_says_the_same_as_yaml() -> None:
    assert run(json.dumps(stored(), indent="\t")) == run(yaml.safe_dump(stored()))


def test_each_policy_of_a_list_is_explained() -> None:
    done = run(yaml.safe_dump(listed(stored("chat"), stored("search"))))
    assert [line for line in done.out.splitlines() if line.startswith("Policy")] == [
        'Policy "chat" in namespace "team-a"',
        'Policy "search" in namespace "team-a"',
    ]


def test_several_documents_are_read_one_after_the_other() -> None:
    both = run(yaml.safe_dump_all([stored("chat"), None, stored("search")]))
    assert both == run(yaml.safe_dump(listed(stored("chat"), stored("search"))))


def test_a_file_is_read_like_standard_input(tmp_path: Path) -> None:
    file = tmp_path / "chat.yaml"
    file.write_text(yaml.safe_dump(stored()))
    assert run("", path=str(file)) == run(yaml.safe_dump(stored()))


def test_the_view_is_printed_as_json_for_programs() -> None:
    (policy,) = json.loads(run(yaml.safe_dump(stored()), output=Output.JSON).out)["policies"]
    assert (policy["name"], policy["namespace"]) == ("chat", "team-a")
    sections = {section["key"]: section for section in policy["sections"]}
    assert sections["active"]["lines"][0].startswith('"anthropic" is active')
    columns, rows = sections["rejected"]["table"]["columns"], sections["rejected"]["table"]["rows"]
    assert all(len(row) == len(columns) for row in rows)


def test_the_arguments_default_to_text_from_standard_input() -> None:
    parser = argparse.ArgumentParser()
    explain.add_flags(parser)
    default, chosen = parser.parse_args([]), parser.parse_args(["chat.yaml", "-o", "json"])
    assert (default.file, default.output) == ("-", Output.TEXT)
    assert (chosen.file, chosen.output) == ("chat.yaml", Output.JSON)


@pytest.mark.parametrize("status", [{}, {"observedGeneration": -1}])
def test_a_policy_without_a_status_is_told_to_have_none(status: dict[str, Any]) -> None:
    done = run(yaml.safe_dump(stored(status=status)))
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        'standard input: ProviderSwitchPolicy "chat" in namespace "team-a" has no status yet. If that lasts, the '
        "operator does not run, or does not serve its namespace: see the operator's log.\n"
    )


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "llm-keys"}, "data": {"openai": "c2VjcmV0"}}
CHAT = 'ProviderSwitchPolicy "chat" in namespace "team-a"'
KIND = "ProviderSwitchPolicy of providerswitch.dev"
SERVING = {"observedGeneration": 1, "activeProvider": "openai"}
UNREADABLE = {
    "nothing": ("", "holds no policy."),
    "an empty list": (json.dumps(listed()), "holds no policy."),
    "a table, because -o yaml is missing": ("NAME   PRIMARY\nchat   openai\n", "is not a Kubernetes object."),
    "no YAML": ("kind: [\nstatus: }", "line 2 is neither YAML nor JSON."),
    "a date that does not exist": ("at: 2026-13-45", "is neither YAML nor JSON."),
    "much too deep": ("[" * 5000, "is neither YAML nor JSON."),
    "a Secret": (json.dumps(SECRET), f'Secret "llm-keys" is not a {KIND}.'),
    "another group's policy": (json.dumps(stored(apiVersion="other.dev/v1")), f"{CHAT} is not a {KIND}."),
    "a name that steers a terminal": (
        json.dumps({"kind": "Pod", "metadata": {"name": "a\x1b[2J"}}),
        f'Pod "a [2J" is not a {KIND}.',
    ),
    "a list without items": ('{"kind": "List"}', 'the List has no "items".'),
    "a status of another shape": (
        json.dumps(stored(status={"observedGeneration": 1, "providers": [{"state": "Down"}]})),
        f"{CHAT} has a status that cannot be read, at status.providers.0.name.",
    ),
    "an impossible time": (
        json.dumps(stored(status={**SERVING, "activeSince": "0001-01-01T00:00:00+05:00"})),
        f"{CHAT} has a status with an impossible time or number.",
    ),
    "an impossible number": (
        json.dumps(stored(status={**SERVING, "resilience": {"observed": {"observedSeconds": 10**20}}})),
        f"{CHAT} has a status with an impossible time or number.",
    ),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_cannot_be_explained_is_named_with_what_to_do(case: str) -> None:
    text, complaint = UNREADABLE[case]
    done = run(text)
    assert (done.code, done.err) == (2, f"standard input: {complaint} {HOW}\n")


def test_a_complaint_shows_nothing_of_what_was_read() -> None:
    assert "c2VjcmV0" not in run(yaml.safe_dump(SECRET) + "\nx: [").err
    assert "c2VjcmV0" not in run(yaml.safe_dump(SECRET)).err


def test_a_spec_that_cannot_be_read_is_told_where() -> None:
    done = run(yaml.safe_dump(stored(spec={"primary": "openai", "providers": [{"name": "openai"}]})))
    assert done.code == 2
    assert "has a spec that cannot be read: spec.providers[0].type: Field required." in done.err


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "none.yaml")
    assert run("", path=path).err == f"{path}: cannot be read (No such file or directory). {HOW}\n"


def test_a_file_that_is_no_text_is_told_to_be_none(tmp_path: Path) -> None:
    file = tmp_path / "chat.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    assert run("", path=str(file)).err == f"{file}: is not UTF-8 text. {HOW}\n"


def test_a_number_that_is_none_is_not_known() -> None:
    resilience = {"observed": {"observedSeconds": 60, "mttrSeconds": float("nan")}}
    done = run(json.dumps(stored(status={**SERVING, "resilience": resilience})))
    assert (done.code, "nan" in done.out) == (0, False)


def test_one_bad_item_of_a_list_does_not_hide_the_others() -> None:
    done = run(yaml.safe_dump(listed(SECRET, stored(), stored("new", status={}))))
    assert done.code == 2
    assert len(done.err.splitlines()) == 2
    assert 'Policy "chat" in namespace "team-a"' in done.out


def test_a_file_from_which_names_of_the_cluster_were_taken_out_is_explained_all_the_same() -> None:
    assert 'Policy "chat"\n' in run(yaml.safe_dump(stored(metadata={"name": "chat"}))).out
    strange = {"name": "chat", "namespace": None, "generation": "?"}
    assert 'Policy "chat"\n' in run(yaml.safe_dump(stored(metadata=strange))).out


def test_text_of_a_provider_cannot_steer_the_terminal() -> None:
    status = stored()["status"]
    status["providers"][0]["why"] = "bad\x1b[2J\r\nworse\u202e"
    assert "bad [2J" in run(json.dumps(stored(status=status))).out
    assert not {"\x1b", "\r", "\u202e"} & set(run(json.dumps(stored(status=status))).out)


def test_sentences_stand_beside_their_row_where_there_is_room_and_below_it_where_there_is_not() -> None:
    beside = Table(("TASK", "WHY"), (("embed", "good " * 30), ("a", "bad")))
    below = Table(("TASK", "WHY"), (("e" * 70, "good " * 30), ("a", "bad")))
    first = list(render([Section("tasks", "Tasks", table=beside)]))
    assert first[2:4] == ["  TASK   WHY", "  embed  " + "good " * 17 + "good"]
    assert first[-1] == "  a      bad"
    assert list(render([Section("tasks", "Tasks", table=below)]))[2:5] == [
        "  TASK",
        "  " + "e" * 70,
        "      " + "good " * 18 + "good",
    ]


def test_a_table_that_is_too_wide_goes_on_below_with_its_first_column() -> None:
    columns = ("NAME", *(f"COLUMN{place:02}" for place in range(12)))
    table = Table(columns, (("openai", *map(str, range(11)), ""),))
    lines = list(render([Section("wide", "Wide", table=table)]))[2:]
    assert [line.split()[0] for line in lines] == ["NAME", "openai", "NAME", "openai"]
    assert " ".join(lines).split().count("COLUMN11") == 1
    assert lines[-1].split()[-1] == "-"
    assert max(map(len, lines)) <= WIDTH


def test_a_column_too_wide_for_any_line_stands_there_all_the_same() -> None:
    table = Table(("NAME", "VALUE"), (("n" * 98, "7"),))
    assert list(render([Section("wide", "Wide", table=table)]))[2:] == [
        f"  {'NAME':98}  VALUE",
        f"  {'n' * 98}  7",
    ]


CELLS = st.text(max_size=30)


@given(st.lists(st.lists(CELLS, min_size=4, max_size=4), min_size=1, max_size=4), st.booleans())
def test_any_table_is_rendered_with_no_cell_lost(rows: list[list[str]], sentences: bool) -> None:  # noqa: FBT001  # drawn
    columns = ("A", "B", "C", "WHY" if sentences else "D")
    text = "\n".join(render([Section("any", "Any", table=Table(columns, tuple(map(tuple, rows))))]))
    words = text.split()
    for cell in (cell for row in rows for cell in row):
        assert set("".join(each if each.isprintable() else " " for each in cell).split()) <= set(words)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
FIELDS = st.sampled_from(["providers", "history", "resilience", "tasks", "budget", "activeSince", "schedule", "held"])


@given(VALUES, st.dictionaries(FIELDS, VALUES, max_size=3), st.sampled_from(["metadata", "spec", "status", "kind"]))
def test_whatever_an_object_holds_it_is_explained_or_complained_of(
    anything: object, status: dict[str, object], field: str
) -> None:
    for changes in ({field: anything}, {"status": {"observedGeneration": 1, **status}}):
        done = run(json.dumps({**stored(), **changes}))
        assert done.err if done.code else done.out


@given(st.text())
def test_whatever_text_is_read_there_is_an_answer(text: str) -> None:
    done = run(text)
    assert (done.code, done.err.endswith(f"{HOW}\n")) == (2, True)
