"""Find the API server and the credentials for it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from providerswitch.api.errors import UserError

UNUSABLE: Final = (config.ConfigException, yaml.YAMLError, OSError, KeyError, TypeError, ValueError, AttributeError)
"""What loading a kubeconfig raises, depending on what is wrong in it. Their texts may hold what stands in the file."""


@dataclass(frozen=True, slots=True)
class Login:
    """A configured connection; not opened yet."""

    configuration: Configuration

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


async def log_in(kubeconfig: str | None) -> Login:
    """Return the login: of the kubeconfig given, else of the Pod's ServiceAccount, else of ~/.kube/config.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    configuration = Configuration()
    configuration.connection_pool_maxsize = 100
    if kubeconfig:
        await _from_file(kubeconfig, configuration)
        return Login(configuration)
    try:
        config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]  # ships no types
    except config.ConfigException:
        await _from_file("~/.kube/config", configuration)
    return Login(configuration)


async def _from_file(path: str, configuration: Configuration) -> None:
    file = Path(path).expanduser()  # noqa: ASYNC240  # once, before any work
    bad = f'The kubeconfig "{path}" cannot be used. Try: kubectl --kubeconfig {path} version'
    advice = "Run inside a cluster, or name a kubeconfig with --kubeconfig or KUBECONFIG."
    if not file.is_file():
        raise UserError("NoCluster", f'There is no ServiceAccount token here and no kubeconfig at "{path}". {advice}')
    try:
        await config.load_kube_config(str(file), client_configuration=configuration)  # type: ignore[no-untyped-call]  # the same
    except UNUSABLE as error:
        raise UserError("BadKubeconfig", bad) from error
    if not configuration.host:
        raise UserError("BadKubeconfig", bad)
