"""Kubeconfigs for ServiceAccounts: the operator and the consumer get the rights they have in a cluster, no more."""

from pathlib import Path

import yaml

from providerswitch.demo.kubectl import Kubectl

TOKEN_DURATION = "8h"  # noqa: S105  # a duration; long enough for an afternoon of playing


async def service_account_kubeconfig(kubectl: Kubectl, account: str, namespace: str) -> Path:
    """Write a kubeconfig with a fresh token of a ServiceAccount, beside the administrator's, and return its path."""
    token = (await kubectl("create", "token", account, "-n", namespace, f"--duration={TOKEN_DURATION}")).strip()
    view = yaml.safe_load(await kubectl("config", "view", "--raw", "--minify", "--flatten"))
    cluster = view["clusters"][0]
    context = {"cluster": cluster["name"], "user": account, "namespace": namespace}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [cluster],
        "users": [{"name": account, "user": {"token": token}}],
        "contexts": [{"name": account, "context": context}],
        "current-context": account,
    }
    path = kubectl.kubeconfig.parent / f"{namespace}.{account}.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config))
    return path
