"""The examples are valid policies, and together show every field."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from providerswitch.api import meta
from providerswitch.api.drill import DrillSpec
from providerswitch.api.override import OverrideSpec
from providerswitch.api.policy import PolicySpec

EXAMPLES = sorted((Path(__file__).parents[2] / "manifests" / "examples").glob("*.yaml"))


MODELS: dict[str, type[BaseModel]] = {
    meta.POLICY_KIND: PolicySpec,
    meta.OVERRIDE_KIND: OverrideSpec,
    meta.DRILL_KIND: DrillSpec,
}


def ours(path: Path) -> list[dict[str, Any]]:
    return [entry for entry in yaml.safe_load_all(path.read_text()) if entry["kind"] in MODELS]


def specs(path: Path) -> list[dict[str, Any]]:
    return [entry["spec"] for entry in ours(path) if entry["kind"] == meta.POLICY_KIND]


def unknown(given: dict[str, Any], model: BaseModel) -> Iterator[str]:
    """Yield the fields of a manifest that the model does not know: it ignores them, users would not notice."""
    known = {field.alias or name: name for name, field in type(model).model_fields.items()}
    for key, value in given.items():
        if key not in known:
            yield key
            continue
        parsed = getattr(model, known[key])
        pairs = zip(value, parsed, strict=True) if isinstance(parsed, list) else [(value, parsed)]
        for one, inner in pairs:
            if isinstance(inner, BaseModel):
                yield from unknown(one, inner)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_holds_valid_objects_without_unknown_fields(path: Path) -> None:
    assert ours(path)
    for given in ours(path):
        assert list(unknown(given["spec"], MODELS[given["kind"]].model_validate(given["spec"]))) == []


def test_the_example_of_all_fields_leaves_none_out() -> None:
    given = next(spec for path in EXAMPLES if path.stem == "all-fields" for spec in specs(path))
    assert set(given) == {field.alias or name for name, field in PolicySpec.model_fields.items()}
