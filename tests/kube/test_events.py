"""Events: the same happening is the same object, and each one is what the API server accepts."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kube.played_server import refuses, says, serving

from providerswitch.api.errors import ApiServerError
from providerswitch.core.narrate import PolicyEvent
from providerswitch.kube.events import Regarding, build_event, post_event
from providerswitch.kube.objects import ObjectKey

NOON = datetime(2026, 11, 2, 12, 0, 0, 7, tzinfo=UTC)
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
EVENT = PolicyEvent("Warning", "FailedOver", 'Switched from "openai" to "jina".', "7")
POLICY = Regarding(ObjectKey("team-a", "assistant"), "uid-1", "42")

policy_names = st.from_regex(
    r"[a-z0-9]([-a-z0-9]{0,80}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,80}[a-z0-9])?){0,2}", fullmatch=True
)


def name_of(event: PolicyEvent, policy: Regarding = POLICY, at: datetime = NOON) -> str:
    return str(build_event(event, policy, at, "pod-1")["metadata"]["name"])


def test_an_event_says_what_happened_to_which_policy_and_who_says_so() -> None:
    built = build_event(EVENT, POLICY, NOON, "pod-1")
    assert built.pop("metadata") == {"name": name_of(EVENT), "namespace": "team-a"}
    assert built == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "eventTime": "2026-11-02T12:00:00.000007Z",
        "type": "Warning",
        "reason": "FailedOver",
        "action": "FailedOver",
        "note": 'Switched from "openai" to "jina".',
        "reportingController": "providerswitch.dev/operator",
        "reportingInstance": "pod-1",
        "regarding": {
            "apiVersion": "providerswitch.dev/v1alpha1",
            "kind": "ProviderSwitchPolicy",
            "name": "assistant",
            "namespace": "team-a",
            "uid": "uid-1",
            "resourceVersion": "42",
        },
    }


def test_told_again_after_a_crash_it_is_the_same_object() -> None:
    again = replace(EVENT, note="told in other words")
    newer = replace(POLICY, resource_version="43")
    assert name_of(again, newer, datetime(2026, 11, 3, tzinfo=UTC)) == name_of(EVENT)


@pytest.mark.parametrize(
    ("event", "policy"),
    [
        (replace(EVENT, identity="8"), POLICY),
        (replace(EVENT, reason="Switched"), POLICY),
        (EVENT, replace(POLICY, uid="uid-2")),
        (EVENT, replace(POLICY, key=ObjectKey("team-a", "other"))),
    ],
)
def test_another_happening_is_another_object(event: PolicyEvent, policy: Regarding) -> None:
    assert name_of(event, policy) != name_of(EVENT)


@given(policy_names, st.text())
def test_any_policys_events_have_a_name_that_the_api_server_takes(policy: str, identity: str) -> None:
    name = name_of(replace(EVENT, identity=identity), replace(POLICY, key=ObjectKey("team-a", policy)))
    assert SUBDOMAIN.fullmatch(name)
    assert len(name) <= 253


@pytest.mark.parametrize("end", ["-b", ".b"])
def test_a_long_name_is_cut_where_a_name_may_end(end: str) -> None:
    policy = "a" * 199 + end
    assert name_of(EVENT, replace(POLICY, key=ObjectKey("team-a", policy))).startswith("a" * 199 + ".")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_note_is_the_beginning_of_itself(note: str) -> None:
    built = build_event(replace(EVENT, note=note), POLICY, NOON, "pod-1")
    assert note.startswith(built["note"])
    assert len(built["note"].encode()) <= 1024


@pytest.mark.parametrize("letter", ["a", "ä", "€", "😀"])
@pytest.mark.parametrize("shift", range(4))
def test_a_long_note_is_cut_at_1024_bytes_and_never_inside_a_letter(letter: str, shift: int) -> None:
    note = "x" * shift + letter * 1024
    built = build_event(replace(EVENT, note=note), POLICY, NOON, "pod-1")["note"]
    assert note.startswith(built)
    assert 1024 - len(letter.encode()) < len(built.encode()) <= 1024


def test_a_long_reporter_is_cut_to_what_the_api_server_takes() -> None:
    assert build_event(EVENT, POLICY, NOON, "p" * 300)["reportingInstance"] == "p" * 128


async def test_an_event_is_created_in_the_policys_namespace() -> None:
    event = build_event(EVENT, POLICY, NOON, "pod-1")
    async with serving(says(201, {})) as (server, client):
        await post_event(client, event)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/apis/events.k8s.io/v1/namespaces/team-a/events")
    assert json.loads(asked.body) == event


async def test_one_that_exists_already_is_left_as_it_is() -> None:
    async with serving(refuses(409, "already exists")) as (server, client):
        await post_event(client, build_event(EVENT, POLICY, NOON, "pod-1"))
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_one_that_could_not_be_written_is_told(status: int) -> None:
    async with serving(refuses(status)) as (_, client):
        with pytest.raises(ApiServerError, match=f'create Event for "assistant": HTTP {status}'):
            await post_event(client, build_event(EVENT, POLICY, NOON, "pod-1"))
