"""How the chart's values file is read: comments are descriptions, marks are schema."""

import json
from typing import Any

import pytest
from tests.support.repository import ROOT

from reference import values  # isort: skip  # tests.support.repository puts hack/ on the path

TEXT = """\
# About the file, not about a value.

image:
  # Name of the image,
  # with a registry.
  # @schema {minLength: 1}
  repository: here

  # Digest.
  digest: ""
# How many.
replicas: 2
# What it may use.
# @schema {type: object}
resources:
  # A remark inside a value.
  limits: {memory: 1Gi}
# Labels.
# @schema {type: array, items: {type: string}}
labels: [a|b]
enabled: true
"""


def by_path(text: str) -> dict[str, values.Value]:
    return {".".join(each.path): each for each in values.read(text)}


def test_sections_and_values_are_told_apart_in_the_order_of_the_file() -> None:
    read = values.read(TEXT)
    assert [(".".join(each.path), each.is_section) for each in read] == [
        ("image", True), ("image.repository", False), ("image.digest", False), ("replicas", False),
        ("resources", False), ("labels", False), ("enabled", False),
    ]  # fmt: skip


def test_a_comment_of_several_lines_is_one_description_without_its_marks() -> None:
    assert by_path(TEXT)["image.repository"].description == "Name of the image, with a registry."


def test_a_comment_with_an_empty_line_below_describes_nothing() -> None:
    assert by_path(TEXT)["image"].description == ""


def test_what_lies_in_a_value_is_no_value_of_its_own() -> None:
    assert by_path(TEXT)["resources"].default == {"limits": {"memory": "1Gi"}}
    assert "resources.limits" not in by_path(TEXT)


def test_the_schema_is_closed_and_knows_types_from_defaults_and_marks() -> None:
    schema = values.build_schema(values.read(TEXT))
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert properties["image"]["additionalProperties"] is False
    assert properties["image"]["properties"]["repository"] == {
        "description": "Name of the image, with a registry.", "type": "string", "minLength": 1, "default": "here",
    }  # fmt: skip
    types = {name: properties[name]["type"] for name in ("replicas", "resources", "labels", "enabled")}
    assert types == {"replicas": "integer", "resources": "object", "labels": "array", "enabled": "boolean"}


def test_the_table_stands_between_its_marks_and_nothing_else_changes() -> None:
    page = f"before\n{values.BEGIN}\nold\n{values.END}\nafter\n"
    written = values.with_table(page, values.read(TEXT))
    assert written.startswith(f"before\n{values.BEGIN}\n| value | default | meaning |")
    assert written.endswith(f"\n{values.END}\nafter\n")
    assert "old" not in written
    assert values.with_table(written, values.read(TEXT)) == written


@pytest.mark.parametrize(("path", "cells"), [
    ("image.digest", '| `image.digest` | `""` | Digest. |'),
    ("replicas", "| `replicas` | `2` | How many. |"),
    ("labels", '| `labels` | `["a\\|b"]` | Labels. |'),
    ("enabled", "| `enabled` | `true` |  |"),
])  # fmt: skip
def test_a_row_shows_path_default_and_description(path: str, cells: str) -> None:
    page = values.with_table(f"{values.BEGIN}{values.END}", values.read(TEXT))
    assert cells in page.splitlines()


def test_a_value_with_no_type_to_tell_from_is_refused() -> None:
    with pytest.raises(KeyError):
        values.build_schema(values.read("# Nothing.\nempty: null\n"))


def test_the_committed_schema_is_of_draft_seven() -> None:
    schema: dict[str, Any] = json.loads((ROOT / "charts" / "providerswitch" / "values.schema.json").read_text())
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
