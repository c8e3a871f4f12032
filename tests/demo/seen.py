"""Objects as the API server tells them, for tests of what the demo makes of them."""

from typing import Any

from providerswitch.demo.world import World


def policy(
    name: str = "assistant",
    *,
    active: str = "openai",
    primary: str = "openai",
    states: dict[str, str] | None = None,
    conditions: dict[str, str] | None = None,
    **status: Any,
) -> dict[str, Any]:
    """Return a policy; `states` maps providers to `State` or `State Class`."""
    providers = [_provider(provider, *state.split()) for provider, state in (states or {}).items()]
    spelled = [_condition(kind, value) for kind, value in (conditions or {}).items()]
    return {
        "metadata": {"name": name, "namespace": "n", "generation": 1},
        "spec": {"primary": primary},
        "status": {"activeProvider": active, "providers": providers, "conditions": spelled, **status},
    }


def _provider(name: str, state: str, health_class: str = "Healthy") -> dict[str, Any]:
    return {"name": name, "state": state, "healthClass": health_class, "eligible": state == "Healthy", "why": "because"}


def _condition(kind: str, status: str) -> dict[str, Any]:
    at = "2026-11-24T00:00:00Z"
    return {
        "type": kind,
        "status": status,
        "reason": "R",
        "message": "m",
        "lastTransitionTime": at,
        "observedGeneration": 1,
    }


def config_map(provider: str, url: str = "http://x/v1") -> dict[str, Any]:
    """Return the data of a published ConfigMap, in its object."""
    return {"data": {"LLM_PROVIDER": provider, "LLM_BASE_URL": url}}


def event(reason: str, policy_name: str = "assistant", note: str = "a note", kind: str = "Normal") -> dict[str, Any]:
    """Return an Event."""
    return {"type": kind, "reason": reason, "note": note, "regarding": {"name": policy_name}}


def call(server: str, at: float = 1.0) -> dict[str, object]:
    """Return a good call of the consumer."""
    return {"ok": True, "server": server, "at": at, "provider": server, "status": 200}


def failed_call(provider: str, at: float) -> dict[str, object]:
    """Return a failed call of the consumer."""
    return {"ok": False, "at": at, "provider": provider, "error": "ConnectError"}


def world_with(*policies: dict[str, Any]) -> World:
    """Return a world that has seen these policies."""
    world = World()
    for seen in policies:
        world.take_policy(seen)
    return world
