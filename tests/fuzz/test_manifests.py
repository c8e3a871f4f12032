"""Whatever stands in a manifest is understood or refused in words; nothing in it makes the operator fall over."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.crd_specs import spec_schema, status_schema, values

from providerswitch.api import meta
from providerswitch.api.status import PolicyStatus
from providerswitch.controller.policy import Policy, parse_policy, parse_status
from providerswitch.controller.wanted import cadence_of, find_mistakes, secrets_of, want
from providerswitch.core.memory import restore_memory
from providerswitch.core.report import Problem

NAMESPACE = "team-a"
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


def policy(spec: Any, status: Any = None) -> dict[str, Any]:
    return {
        "apiVersion": meta.API_VERSION,
        "kind": meta.POLICY_KIND,
        "metadata": {"name": "p", "namespace": NAMESPACE, "uid": "u", "generation": 1, "resourceVersion": "1"},
        "spec": spec,
        "status": status,
    }


@given(values(spec_schema()) | PLAIN)
@settings(max_examples=100, derandomize=True)
def test_any_spec_is_understood_or_refused_in_one_printable_sentence(spec: Any) -> None:
    parsed = parse_policy(policy(spec))

    if isinstance(parsed, Problem):
        assert parsed.message.endswith("Correct the policy; until then nothing new is published.")
        return
    secrets = dict.fromkeys(secrets_of(parsed.spec, NAMESPACE))
    wanted = want(parsed.spec, NAMESPACE, secrets)
    assert set(wanted.targets) == set(parsed.spec.everyone())
    assert all(not target.key for target in wanted.targets.values())
    cadence_of(parsed.spec.health_check, billed=True)
    assert all(problem.message.isprintable() for problem in find_mistakes(parsed.spec))


@given(values(spec_schema()))
@settings(max_examples=50, derandomize=True)
def test_a_spec_that_is_understood_is_read_the_same_way_again(spec: Any) -> None:
    first, second = parse_policy(policy(spec)), parse_policy(policy(spec))

    assert first == second
    if isinstance(first, Policy):
        written = first.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        again = parse_policy(policy(written))
        assert isinstance(again, Policy)
        assert again.spec == first.spec


@given(values(status_schema()) | PLAIN)
@settings(max_examples=100, derandomize=True)
def test_any_status_is_remembered_or_taken_for_lost(status: Any) -> None:
    found = parse_status(policy({}, status))

    assert isinstance(found, PolicyStatus)
    restore_memory(found)
