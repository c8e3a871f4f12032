"""What is said when the operator cannot begin; that it is true of a real API server is tested in tests/e2e."""

import asyncio
import logging
from collections.abc import Mapping

import pytest

from providerswitch.api.errors import ApiServerError
from providerswitch.controller.startup import NEEDED, TO_PUBLISH_SECRETS, Permission, find_obstacle, wait_until_usable
from providerswitch.kube.client import JSON, KubeClient, Object

pytestmark = pytest.mark.looptime(start=0)

SERVER = "https://api.example:6443"
REVIEW = "review permissions"


class Asked(KubeClient):
    """Answers permission reviews and lists of policies."""

    def __init__(self) -> None:
        self.denied: set[tuple[str, str, str]] = set()
        self.trouble: dict[str, int | None] = {}

    async def request(
        self,
        method: str,
        path: str,
        *,
        what: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Object:
        if what in self.trouble:
            raise ApiServerError(what, self.trouble[what], "ClientConnectorError" if not self.trouble[what] else "")
        if what != REVIEW:
            return {}
        assert isinstance(body, dict)
        found = body["spec"]["resourceAttributes"]
        resource = "/".join(filter(None, (found["resource"], found["subresource"])))
        return {"status": {"allowed": (found["namespace"], found["verb"], resource) not in self.denied}}


@pytest.fixture
def client() -> Asked:
    return Asked()


async def obstacle(client: Asked, *namespaces: str) -> str:
    return await find_obstacle(client, SERVER, namespaces) or ""


async def test_nothing_in_the_way_is_nothing_to_say(client: Asked) -> None:
    assert await obstacle(client) == ""


@pytest.mark.parametrize("right", NEEDED, ids=str)
async def test_each_missing_right_is_named(client: Asked, right: object) -> None:
    verb, _, rest = str(right).partition(" ")
    client.denied = {("", verb, rest.split(".")[0])}

    told = await obstacle(client)

    assert f"lacks permissions in all namespaces: {right}. " in told
    assert "manifests/install.yaml" in told


@pytest.mark.parametrize("right", TO_PUBLISH_SECRETS, ids=str)
async def test_rights_to_write_secrets_are_asked_for_where_they_are_published_and_nowhere_else(
    client: Asked, right: Permission
) -> None:
    client.denied = {("", right.verb, "secrets")}

    assert await obstacle(client) == ""
    assert f": {right}. " in (await find_obstacle(client, SERVER, (), further=TO_PUBLISH_SECRETS) or "")


async def test_rights_are_asked_for_in_the_namespaces_that_are_served(client: Asked) -> None:
    client.denied = {("", "get", "secrets"), ("b", "get", "secrets"), ("b", "list", "secrets")}

    assert await obstacle(client, "a") == ""
    assert "in namespaces a, b: get secrets; list secrets. " in await obstacle(client, "a", "b")


@pytest.mark.parametrize(
    ("what", "status", "says"),
    [
        (REVIEW, None, f"{SERVER} does not answer (ClientConnectorError). Check the address in the kubeconfig"),
        (REVIEW, 401, "does not accept the operator's credentials (HTTP 401). Check the token or certificate"),
        (REVIEW, 404, f"What answers at {SERVER} is no Kubernetes API server. Check the address in the kubeconfig"),
        (REVIEW, 500, "is in trouble: review permissions: HTTP 500"),
        ("list policies", 403, "does not accept the operator's credentials (HTTP 403)"),
        (
            "list policies",
            404,
            "providerswitchpolicies.providerswitch.dev is not installed. Run: kubectl apply --server-side -f crds/",
        ),
    ],
)
async def test_each_obstacle_has_its_sentence_and_its_remedy(
    client: Asked, what: str, status: int | None, says: str
) -> None:
    client.trouble = {what: status}

    told = await obstacle(client)

    assert says in told
    assert told.endswith("Trying again every 2 s.")
    assert "\n" not in told


async def test_an_obstacle_is_told_once_and_the_wait_ends_with_it(
    client: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client.trouble = {"list policies": 404}
    waiting = asyncio.create_task(wait_until_usable(client, SERVER, ()))
    await asyncio.sleep(60)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    client.trouble = {REVIEW: None}
    await asyncio.sleep(60)
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    client.trouble = {}
    await asyncio.wait([waiting], timeout=2.1)

    assert waiting.done()
    assert caplog.records[-1].getMessage() == "the obstacle is gone, starting"


async def test_a_start_without_obstacles_is_not_talked_about(client: Asked, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await wait_until_usable(client, SERVER, ())
    assert caplog.records == []
