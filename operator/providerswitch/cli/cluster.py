"""The user's cluster, as kubectl finds it, and what is said when it does not do what was asked.

Commands get a client and a namespace; only this module knows of flags, kubeconfigs and HTTP statuses.
"""

import argparse
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from kubernetes.aio.client import ApiClient

from providerswitch.api.errors import ApiServerError, UserError
from providerswitch.kube.client import KubeClient
from providerswitch.kube.lease import namespace_of_the_pod
from providerswitch.kube.login import Login, log_in

DEFAULT_NAMESPACE: Final = "default"
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command works.

    Attributes:
        kubeconfig: a path, or several as in KUBECONFIG; None for the Pod's account, else ~/.kube/config.
        context: of the kubeconfig; None for its current one.
        namespace: None for that of the context.
    """

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None


def add_flags(parser: argparse.ArgumentParser, environ: Mapping[str, str]) -> None:
    """Add the flags that every command with a cluster has."""
    given = environ.get("KUBECONFIG") or None
    parser.add_argument("--kubeconfig", metavar="FILE", default=given, help="kubeconfig to use [KUBECONFIG]")
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig; default: its current one")
    parser.add_argument("-n", "--namespace", metavar="NAME", help="default: the namespace of the context")


def read_place(flags: argparse.Namespace) -> Place:
    """Return what the flags say."""
    return Place(flags.kubeconfig, flags.context, flags.namespace)


@asynccontextmanager
async def open_cluster(place: Place) -> AsyncIterator[tuple[KubeClient, str]]:
    """Yield a client that has the user's own rights, and the namespace to work in.

    Raises:
        UserError: there is no cluster to be found, or its credentials cannot be used.
    """
    login = await log_in(place.kubeconfig, place.context)
    api = _open(login)
    try:
        yield KubeClient(api), place.namespace or login.namespace or namespace_of_the_pod() or DEFAULT_NAMESPACE
    finally:
        await api.close()  # type: ignore[no-untyped-call]  # ships no types


def _open(login: Login) -> ApiClient:
    try:
        return login.open()
    except (OSError, ValueError) as error:
        message = f"The certificates for the API server at {login.server} cannot be used. Check the kubeconfig."
        raise UserError("BadKubeconfig", message) from error


def explain(error: ApiServerError) -> str:
    """Return what went wrong, and what to do about it."""
    if error.status is None:
        return f"The API server did not answer ({error.what}: {error.detail}). Check the context of the kubeconfig."
    if error.status == UNAUTHORIZED:
        return "The API server does not accept your credentials. Log in again, or check the user of the kubeconfig."
    if error.status == FORBIDDEN:
        return f"You lack a right: {error.detail or error.what}. Ask whoever administers the namespace."
    return f"The API server refused to {error.what}: {error.detail or f'HTTP {error.status}'}"
