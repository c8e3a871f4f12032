"""Find the API server and the credentials for it."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from providerswitch.api.errors import UserError

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet puts token and certificate authority of a Pod's account, and renews the token before it expires."""
REFRESH_SECONDS: Final = 5.0
"""What a kubeconfig says of the user is looked at again after so long: it may be a plugin, which is a process."""

UNUSABLE: Final = (
    config.ConfigException, yaml.YAMLError, OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError,
)  # fmt: skip
"""What loading a kubeconfig raises, depending on what is wrong in it. Their texts may hold what stands in the file."""


@dataclass(frozen=True, slots=True)
class Login:
    """A configured connection; not opened yet.

    Attributes:
        namespace: of the kubeconfig's context; None where it names none.
    """

    configuration: Configuration
    namespace: str | None = None

    @property
    def server(self) -> str:
        """URL of the API server."""
        return str(self.configuration.host)

    def open(self) -> ApiClient:
        """Return a client; to be closed by the caller."""
        return ApiClient(self.configuration)

    async def bearer_token(self) -> str | None:
        """Return the present token, refreshed where it has to be; None with client certificates."""
        value = await self.configuration.get_api_key_with_prefix("BearerToken")
        return value.removeprefix("Bearer ") if value else None


async def log_in(kubeconfig: str | None, context: str | None = None) -> Login:
    """Return the login: of the kubeconfig given, else of the Pod's ServiceAccount, else of ~/.kube/config.

    Args:
        kubeconfig: a path, or several as in KUBECONFIG.
        context: of the kubeconfig; None for its current one. A named one is looked for in ~/.kube/config, Pod or not.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    configuration = Configuration()
    configuration.connection_pool_maxsize = 100
    if kubeconfig or context:
        return Login(configuration, await _from_file(kubeconfig or "~/.kube/config", configuration, context))
    try:
        _from_pod(configuration)
    except config.ConfigException:
        return Login(configuration, await _from_file("~/.kube/config", configuration))
    return Login(configuration)


def _from_pod(configuration: Configuration) -> None:
    token = SERVICE_ACCOUNT / "token"
    loader = InClusterConfigLoader(str(token), str(SERVICE_ACCOUNT / "ca.crt"), try_refresh_token=False)  # type: ignore[no-untyped-call]  # ships no types
    loader.load_and_set(configuration)  # type: ignore[no-untyped-call]  # the same

    def read(to: Configuration) -> None:
        """Take the token as it is now; one that cannot be read is being replaced."""
        with suppress(OSError, ValueError):
            found = token.read_text().strip()
            if found:
                to.api_key["BearerToken"] = f"Bearer {found}"

    read(configuration)
    configuration.refresh_api_key_hook = read  # type: ignore[assignment]  # declared as None


async def _from_file(path: str, configuration: Configuration, context: str | None = None) -> str | None:
    """Configure from a kubeconfig; return the namespace of its context, where it names one."""
    files = [Path(part).expanduser() for part in path.split(os.pathsep) if part]  # noqa: ASYNC240  # once, before any work
    bad = f'The kubeconfig "{path}" cannot be used. Try: kubectl --kubeconfig {path} version'
    advice = "Run inside a cluster, or name a kubeconfig with --kubeconfig or KUBECONFIG."
    if not any(file.is_file() for file in files):
        raise UserError("NoCluster", f'There is no ServiceAccount token here and no kubeconfig at "{path}". {advice}')
    try:
        known = os.pathsep.join(map(str, files))
        loader = await config.load_kube_config(known, context, client_configuration=configuration)  # type: ignore[no-untyped-call]  # the same
    except UNUSABLE as error:
        raise UserError("BadKubeconfig", bad) from error
    if not configuration.host:
        raise UserError("BadKubeconfig", bad)
    configuration.refresh_api_key_hook = _now_and_then(loader, time.monotonic)  # type: ignore[assignment]  # the same
    namespace = loader.current_context["context"].get("namespace")
    return str(namespace) if namespace else None


def _now_and_then(loader: Any, clock: Callable[[], float]) -> Callable[[Configuration], Any]:
    """Return what reads the user's credentials again, as often as is decent; where that fails, the last ones stay."""
    read_at = clock()

    async def refresh(to: Configuration) -> None:
        nonlocal read_at
        if clock() - read_at < REFRESH_SECONDS:
            return
        read_at = clock()
        with suppress(*UNUSABLE):
            await loader.load_and_set(to)

    return refresh
