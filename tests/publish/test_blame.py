"""Who changed a published object, by the API server's own record."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from providerswitch.publish.blame import MOST, changed_by

DESIRED: dict[str, Any] = {"metadata": {"name": "chosen", "labels": {"a": "b"}}, "data": {"LLM_PROVIDER": "openai"}}


def seen(*records: dict[str, Any], provider: str | None = "theirs", **labels: str) -> dict[str, Any]:
    data = {} if provider is None else {"LLM_PROVIDER": provider}
    return {"metadata": {"name": "chosen", "labels": labels or {"a": "b"}, "managedFields": [*records]}, "data": data}


def record(manager: str, *path: str, time: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in reversed(path):
        fields = {f"f:{name}": fields}
    return {"manager": manager, "time": time, "fieldsV1": fields}


def test_whoever_owns_the_field_that_differs_changed_it() -> None:
    ours, others = record("providerswitch", "data", "LLM_REVISION"), record("helm", "data", "EXTRA")
    assert changed_by(DESIRED, seen(ours, others, record("kubectl-edit", "data", "LLM_PROVIDER"))) == ("kubectl-edit",)


def test_the_latest_is_named_first() -> None:
    first = record("first", "data", "LLM_PROVIDER", time="2026-01-01T00:00:00Z")
    second = record("second", "metadata", "labels", "a", time="2026-01-02T00:00:00Z")
    assert changed_by(DESIRED, seen(first, second, a="c")) == ("second", "first")


def test_nobody_is_blamed_for_what_is_missing_or_for_keys_of_their_own() -> None:
    assert changed_by(DESIRED, seen(record("helm", "data", "EXTRA"), provider=None)) == ()
    assert changed_by(DESIRED, seen(record("helm", "data", "LLM_PROVIDER"), provider="openai")) == ()


def test_we_never_blame_ourselves() -> None:
    assert changed_by(DESIRED, seen(record("providerswitch", "data", "LLM_PROVIDER"))) == ()


json = st.recursive(st.none() | st.text(max_size=5), lambda inner: st.dictionaries(st.text(max_size=5), inner))


@given(st.lists(st.fixed_dictionaries({"manager": st.text(max_size=300), "fieldsV1": json | st.just({"f:data": {}})})))
def test_no_record_of_others_does_harm(records: list[dict[str, Any]]) -> None:
    found = changed_by(DESIRED, seen(*records))
    assert len(found) <= MOST
    assert all(0 < len(name) <= 128 for name in found)
