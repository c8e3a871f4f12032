"""The ExternalName Service: a name for the active provider's host."""

import pytest
from tests.publish.choices import OWNER, build_spec, choose, choose_one
from tests.support.policies import build_provider

from providerswitch.publish.choice import Choice
from providerswitch.publish.metadata import Ownership, ownership
from providerswitch.publish.service import build_service

HOSTS = {
    "https://api.openai.com/v1": "api.openai.com",
    "https://API.OpenAI.com/v1": "api.openai.com",
    "https://llm.example:8443/v1": "llm.example",
    "http://vllm.models.svc.cluster.local:8000": "vllm.models.svc.cluster.local",
    "http://10.0.0.7:8000": "10.0.0.7",
    "http://vllm": "vllm",
}


def choose_at(url: str) -> Choice:
    provider = build_provider("mine", "openai-compatible", baseURL=url)
    return choose(build_spec(provider, publish={"service": {"name": "llm"}}))


def test_there_is_none_unless_the_policy_asks_for_one() -> None:
    assert build_service(choose_one()) is None


@pytest.mark.parametrize(("url", "host"), HOSTS.items())
def test_it_points_at_the_host_and_leaves_the_port_to_the_consumer(url: str, host: str) -> None:
    service = build_service(choose_at(url))
    assert service is not None
    assert service["spec"] == {"type": "ExternalName", "externalName": host}


def test_it_has_the_name_that_the_spec_gives_and_belongs_to_the_policy() -> None:
    service = build_service(choose_at("https://llm.example"))
    assert service is not None
    assert (service["apiVersion"], service["kind"]) == ("v1", "Service")
    assert (service["metadata"]["namespace"], service["metadata"]["name"]) == ("team-a", "llm")
    assert ownership(service, OWNER) is Ownership.OURS


def test_it_follows_the_active_provider() -> None:
    spec = build_spec(build_provider("jina"), build_provider("anthropic"), publish={"service": {"name": "llm"}})
    hosts = [(build_service(choose(spec, name)) or {})["spec"]["externalName"] for name in ("jina", "anthropic")]
    assert hosts == ["api.jina.ai", "api.anthropic.com"]
