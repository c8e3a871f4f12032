"""The floor: what any operator has to do, and nothing else.

A bare kopf `on.event` handler, in a process of its own, that reads `spec.primary` and applies a ConfigMap server-side.
It logs in, watches and applies with the operator's own settings and client, so that only the operator's work tells
them apart.
"""

import argparse
import asyncio
import json
import logging
import time
from typing import Any

import kopf

from providerswitch.api import meta
from providerswitch.controller.handlers import build_kopf_settings, connection
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.login import Login, log_in
from providerswitch.kube.objects import CONFIG_MAPS, apply, key_of


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--expect", type=int, required=True, help="say so once this many policies were seen")
    parser.add_argument("--apply", action="store_true", help="publish a ConfigMap for each")
    return parser.parse_args()


def build_config_map(policy: Object) -> Object:
    """Return what is published for a policy."""
    key = key_of(policy)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{key.name}-provider", "namespace": key.namespace},
        "data": {"LLM_PROVIDER": policy["spec"]["primary"]},
    }


def build_registry(login: Login, client: KubeClient, options: argparse.Namespace) -> kopf.OperatorRegistry:
    """Return the handlers."""
    registry = kopf.OperatorRegistry()
    seen: set[str] = set()

    @kopf.on.login(registry=registry)
    async def on_login(**_: object) -> kopf.ConnectionInfo:
        return await connection(login)

    @kopf.on.event(meta.GROUP, meta.VERSION, meta.POLICY_PLURAL, registry=registry)
    async def on_policy(event: Any, uid: str, **_: object) -> None:
        if options.apply and event["type"] != "DELETED":
            await apply(client, CONFIG_MAPS, build_config_map(event["object"]))
        seen.add(uid)
        if len(seen) == options.expect and event["type"] is None:
            print(json.dumps({"calledForAllAt": time.monotonic()}), flush=True)

    return registry


async def run(options: argparse.Namespace) -> None:
    """Work until told to end."""
    login = await log_in(options.kubeconfig)
    api = login.open()
    try:
        await kopf.operator(
            registry=build_registry(login, KubeClient(api), options),
            settings=build_kopf_settings(),
            standalone=True,
            namespaces=[options.namespace],
        )
    finally:
        await api.close()  # type: ignore[no-untyped-call]  # ships no types


if __name__ == "__main__":
    logging.disable(logging.INFO)
    asyncio.run(run(parse_options()))
