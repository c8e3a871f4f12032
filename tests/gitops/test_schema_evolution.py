"""Each kind of change that would break users is found, and each that would not is let through."""

import sys
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.support.repository import ROOT

from providerswitch.api.crd import build_crd

import schema_evolution  # isort: skip  # tests.support.repository puts hack/ on the path

Schema = dict[str, Any]

BASE: Schema = {
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {
            "kind": "Thing",
            "plural": "things",
            "singular": "thing",
            "shortNames": ["th"],
            "categories": ["all"],
        },
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "selectableFields": [{"jsonPath": ".spec.mode"}],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "status": {"type": "object", "properties": {"seen": {"type": "integer"}}},
                            "spec": {
                                "type": "object",
                                "required": ["mode"],
                                "x-kubernetes-validations": [{"rule": "self.mode != ''", "message": "say one"}],
                                "properties": {
                                    "mode": {"type": "string", "enum": ["On", "Off"], "default": "On", "maxLength": 9},
                                    "size": {"type": "integer", "minimum": 1, "maximum": 5, "nullable": True},
                                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                    "names": {
                                        "type": "array",
                                        "maxItems": 3,
                                        "x-kubernetes-list-type": "atomic",
                                        "items": {"type": "string", "minLength": 1, "pattern": "^a"},
                                    },
                                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                                },
                            },
                        },
                    }
                },
            }
        ],
    }
}


def version(crd: Schema) -> Any:
    return crd["spec"]["versions"][0]


def spec(crd: Schema) -> Any:
    return version(crd)["schema"]["openAPIV3Schema"]["properties"]["spec"]


def fields(crd: Schema) -> Any:
    return spec(crd)["properties"]


def told(change: Callable[[Schema], object], *, backwards: bool = False) -> list[str]:
    """Return what is found when BASE is changed so; backwards, when the change is taken back."""
    changed = deepcopy(BASE)
    change(changed)
    before, after = (changed, BASE) if backwards else (BASE, changed)
    return [str(found) for found in schema_evolution.compare(before, after)]


def add_rule(crd: Schema, rule: str) -> object:
    return spec(crd)["x-kubernetes-validations"].append({"rule": rule, "message": "no"})


BREAKING: dict[str, tuple[Callable[[Schema], object], str]] = {
    "a field is gone": (lambda c: fields(c).pop("size"), "spec.size: is gone: stored values would be dropped"),
    "the items of a list are gone": (lambda c: fields(c)["names"].pop("items"), "spec.names: is no list"),
    "a map is none any more": (
        lambda c: fields(c)["labels"].pop("additionalProperties"),
        "spec.labels: is no map",
    ),
    "a field is required": (lambda c: spec(c)["required"].append("size"), "spec.size: is required now"),
    "a new field is required": (
        lambda c: (spec(c)["required"].append("extra"), fields(c).update(extra={"type": "string"})),
        "spec.extra: is required now",
    ),
    "another type": (lambda c: fields(c)["size"].update(type="string"), "spec.size: type changed from integer"),
    "another format": (lambda c: fields(c)["mode"].update(format="uri"), "spec.mode: format changed from None to uri"),
    "a pattern": (lambda c: fields(c)["mode"].update(pattern="^O"), "spec.mode: pattern changed from None to ^O"),
    "another pattern": (
        lambda c: fields(c)["names"]["items"].update(pattern="^b"),
        "spec.names[]: pattern changed from ^a to ^b",
    ),
    "a list merges in another way": (
        lambda c: fields(c)["names"].update({"x-kubernetes-list-type": "set"}),
        "spec.names: x-kubernetes-list-type changed from atomic to set",
    ),
    "a value is no longer taken": (lambda c: fields(c)["mode"]["enum"].remove("Off"), "spec.mode: no longer takes Off"),
    "values come from a list now": (
        lambda c: fields(c)["labels"]["additionalProperties"].update(enum=["a"]),
        "spec.labels.*: takes only a now",
    ),
    "a higher minimum": (lambda c: fields(c)["size"].update(minimum=2), "spec.size: minimum is 2 now, was 1"),
    "a lower maximum": (lambda c: fields(c)["size"].update(maximum=4), "spec.size: maximum is 4 now, was 5"),
    "a first bound": (lambda c: fields(c)["names"].update(minItems=1), "spec.names: minItems is 1 now, was not set"),
    "a shorter text": (lambda c: fields(c)["mode"].update(maxLength=3), "spec.mode: maxLength is 3 now, was 9"),
    "fewer items": (lambda c: fields(c)["names"].update(maxItems=2), "spec.names: maxItems is 2 now, was 3"),
    "no null": (lambda c: fields(c)["size"].pop("nullable"), "spec.size: nullable is no longer allowed"),
    "no unknown fields": (
        lambda c: fields(c)["free"].pop("x-kubernetes-preserve-unknown-fields"),
        "spec.free: x-kubernetes-preserve-unknown-fields is no longer allowed",
    ),
    "another default": (
        lambda c: fields(c)["mode"].update(default="Off"),
        "spec.mode: default changed from 'On' to 'Off'",
    ),
    "a default is gone": (lambda c: fields(c)["mode"].pop("default"), "default changed from 'On' to nothing"),
    "a first default": (lambda c: fields(c)["size"].update(default=0), "spec.size: default changed from nothing to 0"),
    "a new rule": (lambda c: add_rule(c, "self.size > 1"), "spec: has a rule that it had not: self.size > 1"),
    "a rule about a field that was there": (
        lambda c: add_rule(c, "!has(self.size) || self.size > 1"),
        "spec: has a rule that it had not: !has(self.size)",
    ),
    "another rule": (
        lambda c: spec(c)["x-kubernetes-validations"][0].update(rule="self.mode == 'On'"),
        "spec: has a rule that it had not: self.mode == 'On'",
    ),
    "a rule about a new field that is filled in": (
        lambda c: (add_rule(c, "!has(self.x) || self.x > 1"), fields(c).update(x={"type": "integer", "default": 1})),
        "spec: has a rule that it had not: !has(self.x)",
    ),
    "a rule that only looks as if a field mattered": (
        lambda c: (add_rule(c, "!has(self.x) || self.size > 1 ? 1 : 2"), fields(c).update(x={"type": "string"})),
        "spec: has a rule that it had not: !has(self.x)",
    ),
    "a rule about a field that was there of an object that was there": (
        lambda c: add_rule(c, "!has(self.names) || !has(self.size) || self.size > 1"),
        "spec: has a rule that it had not: !has(self.names)",
    ),
    "another kind": (lambda c: c["spec"]["names"].update(kind="Other"), "names.kind changed from Thing to Other"),
    "another scope": (lambda c: c["spec"].update(scope="Cluster"), "scope changed from Namespaced to Cluster"),
    "a short name is gone": (lambda c: c["spec"]["names"]["shortNames"].clear(), "names.shortNames lost th"),
    "a version is not served": (lambda c: version(c).update(served=False), "version v1alpha1 is no longer served"),
    "no status subresource": (lambda c: version(c)["subresources"].clear(), "the subresource status is gone"),
    "no field to select by": (lambda c: version(c)["selectableFields"].clear(), "spec.mode: is no longer selectable"),
}  # fmt: skip


@pytest.mark.parametrize("change", BREAKING)
def test_a_change_that_breaks_users_is_found(change: str) -> None:
    make, expected = BREAKING[change]
    (found,) = told(make)
    assert expected in found


HARMLESS: dict[str, Callable[[Schema], object]] = {
    "a new field": lambda c: fields(c).update(extra={"type": "string", "maxLength": 3, "default": "x"}),
    "a required field with a default": lambda c: (
        spec(c)["required"].append("extra"),
        fields(c).update(extra={"type": "string", "default": "x"}),
    ),
    "a field is no longer required": lambda c: spec(c)["required"].clear(),
    "one more value": lambda c: fields(c)["mode"]["enum"].append("Auto"),
    "any value": lambda c: fields(c)["mode"].pop("enum"),
    "wider bounds": lambda c: fields(c)["size"].update(minimum=0, maximum=9),
    "no bounds": lambda c: (fields(c)["size"].pop("minimum"), fields(c)["size"].pop("maximum")),
    "no pattern": lambda c: fields(c)["names"]["items"].pop("pattern"),
    "a rule is gone": lambda c: spec(c)["x-kubernetes-validations"].clear(),
    "another message": lambda c: spec(c)["x-kubernetes-validations"][0].update(message="say something"),
    "another description": lambda c: fields(c)["mode"].update(description="whether it works"),
    "a rule about a new field": lambda c: (
        add_rule(c, "!has(self.x) || self.x.all(y, y != self.mode)"),
        fields(c).update(x={"type": "array", "default": []}),
    ),
    "a rule about a new field of an object that was there": lambda c: (
        add_rule(c, "!has(self.box) || !has(self.box.y) || self.box.y != self.mode"),
        fields(c).update(box={"type": "object", "properties": {"y": {"type": "string", "maxLength": 3}}}),
    ),
    "a status that new objects have": lambda c: version(c)["schema"]["openAPIV3Schema"]["properties"]["status"].update(
        default={"seen": -1}
    ),
    "one more version": lambda c: c["spec"]["versions"].append({**deepcopy(version(c)), "name": "v1beta1"}),
    "one more short name": lambda c: c["spec"]["names"]["shortNames"].append("thing"),
}


@pytest.mark.parametrize("change", HARMLESS)
def test_a_change_that_breaks_nobody_is_let_through(change: str) -> None:
    assert told(HARMLESS[change]) == []


@pytest.mark.parametrize("change", ["a new field", "one more value", "wider bounds", "one more short name"])
def test_a_change_that_breaks_nobody_cannot_be_taken_back(change: str) -> None:
    assert told(HARMLESS[change], backwards=True)


def test_a_version_that_was_not_served_may_go() -> None:
    unserved = deepcopy(BASE)
    unserved["spec"]["versions"].append({**deepcopy(version(BASE)), "name": "v0", "served": False})
    assert schema_evolution.compare(unserved, BASE) == []


@given(st.sampled_from([*BREAKING]), st.sampled_from([*HARMLESS]))
def test_a_breaking_change_shows_beside_a_harmless_one(breaking: str, harmless: str) -> None:
    changed = deepcopy(BASE)
    HARMLESS[harmless](changed)
    after = deepcopy(changed)
    with suppress(LookupError, ValueError):  # the harmless one may have taken away what the other changes
        BREAKING[breaking][0](after)
    assume(after != changed)
    assert schema_evolution.compare(changed, after)


def test_this_release_takes_all_that_the_last_one_took() -> None:
    assert [str(each) for each in schema_evolution.compare(newest(), build_crd())] == []


def test_versions_sort_by_age() -> None:
    by_age = ["0.1.0-pre.1", "0.1.0-pre.10", "0.1.0", "0.9.0", "0.10.0-pre.1", "0.10.0"]
    assert sorted(sorted(by_age), key=schema_evolution.age) == by_age


def newest() -> Schema:
    return dict(schema_evolution.read_definition(schema_evolution.newest_release()))


def test_the_command_says_what_breaks_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    changed = deepcopy(BASE)
    fields(changed).pop("size")
    old.write_text(yaml.safe_dump(BASE))
    new.write_text(yaml.safe_dump(changed))
    monkeypatch.setattr(sys, "argv", ["schema_evolution.py", str(old), str(new)])
    assert schema_evolution.main() == 1
    assert capsys.readouterr().out == "spec.size: is gone: stored values would be dropped\n"


def test_the_command_compares_the_last_release_with_what_stands_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["schema_evolution.py"])
    assert schema_evolution.main() == 0
    assert str(ROOT / "crds") in capsys.readouterr().out
