"""The smoke test's own objects are right: what its cluster would be given, as far as it shows without nodes."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.support.eventually import eventually_sync
from tests.support.operator_process import free_port

from providerswitch.api import meta
from providerswitch.api.policy import PolicySpec

import scenery  # isort: skip  # tests.workflows.conftest puts hack/kind on the path

PROXY = {"http_proxy": "", "no_proxy": "*"}


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a running provider."""
    port = free_port()
    command = [sys.executable, str(scenery.PROVIDER), "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "PROVIDER_KEY": "key-of-primary"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        eventually_sync(lambda: ask(port, "x")[0], within=10)
        yield port
        process.kill()


def ask(port: int, key: str) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_the_provider_lists_its_model_to_whoever_has_the_key(port: int) -> None:
    status, answer = ask(port, "key-of-primary")
    assert (status, answer["object"]) == (200, "list")


def test_the_provider_rejects_another_key_as_openai_does(port: int) -> None:
    status, answer = ask(port, "key-of-backup")
    assert (status, answer["error"]) == (401, {"code": "invalid_api_key", "message": "Incorrect API key provided."})


def test_the_policy_is_one_and_asks_services_that_are_applied() -> None:
    secret, policy = scenery.policy("svc")
    spec = PolicySpec.model_validate(policy["spec"])
    services = [each for each in scenery.providers("image") if each["kind"] == "Service"]
    hosts = [f"{each['metadata']['name']}.{scenery.NAMESPACE}.svc:{scenery.PORT}" for each in services]
    assert [provider.base_url for provider in spec.providers] == [f"http://{host}/v1" for host in hosts]
    assert secret["metadata"]["annotations"][meta.HOSTS_ANNOTATION] == ",".join(hosts)
    assert set(secret["stringData"]) == {provider.name for provider in spec.providers}


def test_each_provider_accepts_the_key_that_the_secret_holds() -> None:
    secret, _ = scenery.policy("svc")
    accepted = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"]
        for each in scenery.providers("image")
        if each["kind"] == "Deployment"
    }
    assert accepted == secret["stringData"]
    assert len(set(accepted.values())) == len(accepted)
