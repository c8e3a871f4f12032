"""The consumer calls what is published, and tells what came of it."""

import httpx
import pytest

from providerswitch.demo.consumer import Settings, call
from providerswitch.demo.fakes import FakeProvider, Fault


def settings(fake: FakeProvider) -> dict[str, str]:
    suffix = {"openai": "", "anthropic": "/v1", "google": "/v1beta/openai"}[fake.kind]
    return {"LLM_PROVIDER": fake.name, "LLM_MODEL": "m", "LLM_BASE_URL": fake.base_url + suffix}


@pytest.mark.parametrize("kind", ["openai", "anthropic", "google"])
async def test_one_protocol_works_with_each_provider(kind: str) -> None:
    async with FakeProvider(kind, key="k") as fake, httpx.AsyncClient() as client:
        line = await call(client, settings(fake), "k")
    assert (line["ok"], line["server"], line["status"]) == (True, kind, 200)


@pytest.mark.parametrize(("fault", "told"), [
    (Fault.REFUSE, ("error", "ConnectError")),
    (Fault.SERVER_ERROR, ("status", 500)),
    (Fault.TRUNCATED, ("error", "JSONDecodeError")),
    (Fault.ERROR_IN_200, ("error", "KeyError")),
])  # fmt: skip
async def test_a_failed_call_is_told_without_the_key(fault: Fault, told: tuple[str, object]) -> None:
    async with FakeProvider("openai", key="sk-secret") as fake, httpx.AsyncClient() as client:
        await fake.behave(fault)
        line = await call(client, settings(fake), "sk-secret")
    assert (line["ok"], line[told[0]]) == (False, told[1])
    assert "sk-secret" not in str(line)


def test_new_settings_ring_and_the_same_again_do_not() -> None:
    current = Settings()
    listener = current.listener()
    listener.replaced([{"data": {"LLM_PROVIDER": "a"}}])
    assert current.changed.is_set()
    current.changed.clear()
    listener.changed({"data": {"LLM_PROVIDER": "a"}})
    listener.deleted({"data": {}})
    assert (current.changed.is_set(), current.current) == (False, {"LLM_PROVIDER": "a"})
