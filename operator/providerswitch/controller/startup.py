"""Before the work begins: is there an API server, are the CRDs installed, may we do what we must? One clear line each.

All three are waited for, not died of: in a GitOps rollout they may come after the operator.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from providerswitch.api import meta
from providerswitch.api.errors import ApiServerError
from providerswitch.controller.hints.settings import HintSettings
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.endpoint_slices import ENDPOINT_SLICES
from providerswitch.kube.lease import LEASES
from providerswitch.kube.objects import NOT_FOUND, POLICIES, ObjectKey

log = logging.getLogger(__name__)

CHECK_SECONDS: Final = 2.0
REVIEW: Final = "review permissions"
LISTING: Final = "list policies"
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
CRD_NAME: Final = f"{meta.POLICY_PLURAL}.{meta.GROUP}"


@dataclass(frozen=True, slots=True)
class Permission:
    """One right the operator needs, and the function that needs it."""

    verb: str
    group: str
    resource: str
    subresource: str = ""
    object: ObjectKey | None = None

    @override
    def __str__(self) -> str:
        name = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        where = f' "{self.object}"' if self.object else ""
        return f"{self.verb} {name}{'.' + self.group if self.group else ''}{where}"


NEEDED: Final = (
    *(Permission(verb, meta.GROUP, meta.POLICY_PLURAL) for verb in ("list", "watch")),
    Permission("patch", meta.GROUP, meta.POLICY_PLURAL, "status"),
    *(Permission(verb, meta.GROUP, meta.DRILL_PLURAL) for verb in ("list", "watch", "delete")),
    Permission("patch", meta.GROUP, meta.DRILL_PLURAL, "status"),
    *(Permission(verb, meta.GROUP, meta.OVERRIDE_PLURAL) for verb in ("list", "watch", "delete")),
    Permission("patch", meta.GROUP, meta.OVERRIDE_PLURAL, "status"),
    *(Permission(verb, "", kind) for kind in ("configmaps", "services")
      for verb in ("get", "list", "watch", "create", "patch", "delete")),
    *(Permission(verb, "", "secrets") for verb in ("get", "list", "watch")),
    *(Permission(verb, "apps", "controllerrevisions") for verb in ("list", "watch", "create", "patch", "delete")),
    Permission("create", "events.k8s.io", "events"),
)  # fmt: skip


TO_PUBLISH_SECRETS: Final = tuple(Permission(verb, "", "secrets") for verb in ("create", "patch", "delete"))
"""What is needed besides where policies may have Secrets published."""


def needed_for(lease: ObjectKey | None) -> tuple[Permission, ...]:
    """Return what the operator needs besides, to share a Lease with other replicas."""
    if lease is None:
        return ()
    group, plural = LEASES.api_version.partition("/")[0], LEASES.plural
    anywhere = ObjectKey(lease.namespace, "")
    return (
        Permission("create", group, plural, object=anywhere),
        *(Permission(verb, group, plural, object=lease) for verb in ("get", "watch", "update")),
    )


def needed_for_hints(settings: HintSettings) -> tuple[Permission, ...]:
    """Return what the operator needs besides, to take hints."""
    if settings.listen is None:
        return ()
    reviews = (
        Permission("create", "authentication.k8s.io", "tokenreviews"),
        Permission("create", "authorization.k8s.io", "subjectaccessreviews"),
    )
    if settings.service is None:
        return reviews
    group, plural = ENDPOINT_SLICES.api_version.partition("/")[0], ENDPOINT_SLICES.plural
    return (
        *reviews,
        Permission("get", "", "services", object=settings.service),
        Permission("create", group, plural, object=ObjectKey(settings.service.namespace, "")),
        Permission("patch", group, plural, object=settings.service),
    )


async def wait_until_usable(
    client: KubeClient,
    server: str,
    namespaces: tuple[str, ...],
    lease: ObjectKey | None = None,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    *,
    further: tuple[Permission, ...] = (),
    once: tuple[Permission, ...] = (),
) -> None:
    """Return when the API server answers, the CRDs are there and the permissions suffice; log what is missing."""
    told = ""
    while complaint := await find_obstacle(client, server, namespaces, lease, further, once):
        if complaint != told:
            log.error("%s", complaint)
            told = complaint
        await pause(CHECK_SECONDS)
    if told:
        log.info("the obstacle is gone, starting")


async def find_obstacle(
    client: KubeClient,
    server: str,
    namespaces: tuple[str, ...],
    lease: ObjectKey | None = None,
    further: tuple[Permission, ...] = (),
    once: tuple[Permission, ...] = (),
) -> str | None:
    """Return what keeps the operator from working, and what to do about it; None when nothing does.

    `further` is what it needs besides `NEEDED` in each namespace, `once` what it needs besides in the cluster.
    """
    scopes: tuple[str | None, ...] = namespaces or (None,)
    try:
        missing = [
            str(right) for right in (*NEEDED, *further) for scope in scopes if not await _may(client, right, scope)
        ]
        missing += [str(right) for right in (*needed_for(lease), *once) if not await _may(client, right, None)]
        if missing:
            return _rights_missing(sorted(set(missing)), namespaces)
        await _ask_for_policies(client, scopes)
    except ApiServerError as error:
        return _explain(error, server)
    return None


async def wait_until_served(
    client: KubeClient,
    server: str,
    namespaces: tuple[str, ...],
    gone: Callable[[], None],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Return when policies can be listed and watched again; log what is in the way.

    `gone` is called when their CRD was deleted: it takes all policies with it.
    """
    told, scopes = "", namespaces or (None,)
    while True:
        try:
            await _ask_for_policies(client, scopes)
        except ApiServerError as error:
            if error.status == NOT_FOUND:
                gone()
            if (complaint := _explain(error, server)) != told:
                log.error("%s", complaint)  # noqa: TRY400  # it is for the administrator, who needs no traceback
                told = complaint
        else:
            break
        await pause(CHECK_SECONDS)
    log.info("policies are watched again")


async def _ask_for_policies(client: KubeClient, scopes: tuple[str | None, ...]) -> None:
    """Make sure that the API server serves policies, and says so: kopf watches only what it finds in the discovery.

    Raises:
        ApiServerError: it does not; with status 404 where it does not know of policies.
    """
    for scope in scopes:
        await client.request("GET", POLICIES.collection(scope), what=LISTING, query={"limit": "1"})
    found = await client.request("GET", POLICIES.root, what=LISTING)
    named = found.get("resources")
    if named is not None and meta.POLICY_PLURAL not in {each.get("name") for each in named}:
        raise ApiServerError(LISTING, NOT_FOUND)


async def _may(client: KubeClient, right: Permission, namespace: str | None) -> bool:
    attributes = {"verb": right.verb, "group": right.group, "resource": right.resource,
                  "subresource": right.subresource, "namespace": namespace or ""}  # fmt: skip
    if right.object:
        attributes |= {"namespace": right.object.namespace, "name": right.object.name}
    body: Object = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    review = await client.request("POST", path, what=REVIEW, body=body)
    return bool(review.get("status", {}).get("allowed"))


def _rights_missing(missing: list[str], namespaces: tuple[str, ...]) -> str:
    scope = f"in namespaces {', '.join(namespaces)}" if namespaces else "in all namespaces"
    return (
        f"The operator's account lacks permissions {scope}: {'; '.join(missing)}. Apply the roles and bindings "
        "of its release (the chart, or manifests/install.yaml), or limit it with --namespaces. Trying again every 2 s."
    )


def _explain(error: ApiServerError, server: str) -> str:
    if error.status is None:
        return (
            f"The API server at {server} does not answer ({error.detail}). Check the address in the kubeconfig, the "
            "network and the server's certificate. Trying again every 2 s."
        )
    if error.status in {UNAUTHORIZED, FORBIDDEN}:
        return (
            f"The API server at {server} does not accept the operator's credentials (HTTP {error.status}). Check the "
            "token or certificate in use. Trying again every 2 s."
        )
    if error.status == NOT_FOUND and error.what == REVIEW:
        return (
            f"What answers at {server} is no Kubernetes API server. Check the address in the kubeconfig. Trying again "
            "every 2 s."
        )
    if error.status == NOT_FOUND:
        return (
            f"The CustomResourceDefinition {CRD_NAME} is not installed. Run: kubectl apply --server-side -f crds/. "
            "Trying again every 2 s."
        )
    return f"The API server at {server} is in trouble: {error}. Trying again every 2 s."
