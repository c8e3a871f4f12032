"""Reviews: what is read from the API server's answer, and that nothing else lets anybody in."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.api.errors import ApiServerError
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.reviews import Caller, identify, may

AUDIENCE = "providerswitch.dev"
USER = {"username": "app", "uid": "1", "groups": ["g"], "extra": {"b": ["2"], "a": ["1", "3"]}}
GOOD = {"authenticated": True, "user": USER, "audiences": [AUDIENCE]}


class Says(KubeClient):
    """An API server with one answer."""

    def __init__(self, answer: Object) -> None:
        self.answer = answer

    async def request(self, *_: object, **__: object) -> Object:
        return self.answer


async def whose(status: object) -> Caller | None:
    return await identify(Says({"status": status}), "token", AUDIENCE)


async def test_a_caller_is_read_with_all_that_authorizers_may_ask_for() -> None:
    assert await whose(GOOD) == Caller("app", "1", ("g",), (("a", ("1", "3")), ("b", ("2",))))
    assert await whose({**GOOD, "user": {"username": "app"}}) == Caller("app")


@pytest.mark.parametrize("change", [
    {"authenticated": False},
    {"authenticated": None},
    {"authenticated": "true"},
    {"audiences": []},
    {"audiences": None},
    {"audiences": ["https://kubernetes.default.svc"]},
], ids=str)  # fmt: skip
async def test_a_token_that_is_not_confirmed_for_our_audience_lets_nobody_in(change: Mapping[str, Any]) -> None:
    assert await whose({**GOOD, **change}) is None


@pytest.mark.parametrize("user", [None, {}, [], "app", {"username": "app", "extra": {"a": None}}], ids=str)
async def test_an_answer_that_is_no_review_is_an_error_and_no_verdict(user: object) -> None:
    with pytest.raises(ApiServerError, match="no Kubernetes API server"):
        await whose({**GOOD, "user": user})
    with pytest.raises(ApiServerError, match="no Kubernetes API server"):
        await whose(None)


@given(st.dictionaries(st.sampled_from(["allowed", "denied", "reason"]), st.none() | st.booleans() | st.text()))
async def test_only_true_is_a_yes(status: dict[str, object]) -> None:
    assert await may(Says({"status": status}), Caller("app"), {}) is (status.get("allowed") is True)
