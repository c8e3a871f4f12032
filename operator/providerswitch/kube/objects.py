"""Where objects live in the API, and the few operations on them: read, apply, delete."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from providerswitch.api import meta
from providerswitch.api.errors import ApiServerError
from providerswitch.kube.client import APPLY, JSON, MERGE, METADATA_ONLY_LIST, UNREADABLE, KubeClient, Object

NOT_FOUND: Final = 404
CONFLICT: Final = 409
PAGE: Final = 500
"""Objects of one page of a list: what client-go asks for."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One namespaced resource type."""

    kind: str
    api_version: str
    plural: str

    @property
    def root(self) -> str:
        """Path of the API group and version."""
        return f"/api/{self.api_version}" if "/" not in self.api_version else f"/apis/{self.api_version}"

    def collection(self, namespace: str | None) -> str:
        """Return the path that lists; None is all namespaces."""
        scope = f"/namespaces/{namespace}" if namespace else ""
        return f"{self.root}{scope}/{self.plural}"


CONFIG_MAPS: Final = Resource("ConfigMap", "v1", "configmaps")
SERVICES: Final = Resource("Service", "v1", "services")
SECRETS: Final = Resource("Secret", "v1", "secrets")
EVENTS: Final = Resource("Event", "events.k8s.io/v1", "events")
CONTROLLER_REVISIONS: Final = Resource("ControllerRevision", "apps/v1", "controllerrevisions")
POLICIES: Final = Resource(meta.POLICY_KIND, meta.API_VERSION, meta.POLICY_PLURAL)
OVERRIDES: Final = Resource(meta.OVERRIDE_KIND, meta.API_VERSION, meta.OVERRIDE_PLURAL)
DRILLS: Final = Resource(meta.DRILL_KIND, meta.API_VERSION, meta.DRILL_PLURAL)


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """Namespace and name."""

    namespace: str
    name: str

    @override
    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def path_of(resource: Resource, key: ObjectKey) -> str:
    """Return the path of one object."""
    return f"{resource.collection(key.namespace)}/{key.name}"


def key_of(obj: Object) -> ObjectKey:
    """Return the key of an object read from the API."""
    return ObjectKey(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


async def fetch(client: KubeClient, resource: Resource, key: ObjectKey, *, accept: str = JSON) -> Object | None:
    """Read an object, or what `accept` asks for of it; None when there is none.

    Raises:
        ApiServerError: it could not be read, which is not the same as absent.
    """
    try:
        what = f'read {resource.kind} "{key}"'
        return await client.request("GET", path_of(resource, key), what=what, accept=accept)
    except ApiServerError as error:
        if error.status == NOT_FOUND:
            return None
        raise


async def list_all(
    client: KubeClient, resource: Resource, namespace: str | None, *, selector: str = ""
) -> AsyncGenerator[Object, None]:
    """Yield all objects of a type in a namespace, or in all, as they are at the moment of the first page.

    Raises:
        ApiServerError: they could not be listed.
    """
    path, what = resource.collection(namespace), f"list {resource.plural}"
    query = {"limit": str(PAGE), **({"labelSelector": selector} if selector else {})}
    while True:
        answer = await client.request("GET", path, what=what, query=query)
        for item in _items(answer, what):
            yield {"apiVersion": resource.api_version, "kind": resource.kind, **item}
        token = (answer.get("metadata") or {}).get("continue")
        if not token:
            return
        query = {**query, "continue": token}


async def list_uids(client: KubeClient, resource: Resource, namespace: str | None) -> frozenset[str]:
    """Return the uids of all objects of a type in a namespace, or in all.

    Raises:
        ApiServerError: they could not be listed.
    """
    path, what = resource.collection(namespace), f"list {resource.plural}"
    answer = await client.request("GET", path, what=what, accept=METADATA_ONLY_LIST)
    return frozenset(item["metadata"]["uid"] for item in _items(answer, what))


def _items(answer: Object, what: str) -> list[Object]:
    """Return what a list holds; taken for an empty one, another answer would be the end of everything in it.

    Raises:
        ApiServerError: it is no list.
    """
    if "items" not in answer:
        raise ApiServerError(what, None, UNREADABLE)
    return answer["items"] or []


async def apply(client: KubeClient, resource: Resource, body: Object, *, subresource: str = "") -> Object:
    """Apply an object server-side, owning the fields in `body` and no others; return it as stored.

    Raises:
        ApiServerError: refused or unreachable.
    """
    return await _apply(client, resource, body, tail=f"/{subresource}" if subresource else "", query={})


async def apply_status(
    client: KubeClient, resource: Resource, key: ObjectKey, uid: str, status: Object, *, version: str | None = None
) -> Object:
    """Apply the status of an object if it is still the one with this uid; return it as stored.

    With a `version`, only over that resourceVersion.

    Raises:
        ApiServerError: refused (status 404: it is gone, 409: it is another one) or unreachable.
    """
    identity = {"namespace": key.namespace, "name": key.name, "uid": uid}
    metadata = {**identity, **({"resourceVersion": version} if version else {})}
    body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "status": status}
    return await apply(client, resource, body, subresource="status")


async def rehearse(client: KubeClient, resource: Resource, body: Object) -> Object:
    """Have the API server do all of an `apply`, admission included, but for storing it.

    Raises:
        ApiServerError: refused or unreachable.
    """
    return await _apply(client, resource, body, tail="", query={"dryRun": "All"})


async def _apply(
    client: KubeClient, resource: Resource, body: Object, *, tail: str, query: Mapping[str, str]
) -> Object:
    key = key_of(body)
    return await client.request(
        "PATCH",
        path_of(resource, key) + tail,
        what=f'apply {resource.kind}{tail} "{key}"',
        body=body,
        query={"fieldManager": meta.FIELD_MANAGER, "force": "true", **query},
        content_type=APPLY,
    )


async def claim(client: KubeClient, resource: Resource, body: Object) -> Object:
    """Create an object by server-side apply; return it as stored. One that says otherwise by another's word is left.

    Raises:
        ApiServerError: refused (status 409: there is one of this name) or unreachable.
    """
    return await client.request(
        "PATCH",
        path_of(resource, key_of(body)),
        what=f'create {resource.kind} "{key_of(body)}"',
        body=body,
        query={"fieldManager": meta.FIELD_MANAGER},
        content_type=APPLY,
    )


async def merge(client: KubeClient, resource: Resource, key: ObjectKey, changes: Object) -> Object:
    """Change the named fields of an object that is there, None removes one; return it as stored.

    Raises:
        ApiServerError: refused (status 404: there is none) or unreachable.
    """
    return await client.request(
        "PATCH",
        path_of(resource, key),
        what=f'change {resource.kind} "{key}"',
        body=changes,
        query={"fieldManager": meta.FIELD_MANAGER},
        content_type=MERGE,
    )


async def delete(client: KubeClient, resource: Resource, key: ObjectKey, uid: str) -> None:
    """Delete an object if it is still the one with this uid; absent or replaced ones are left alone.

    Raises:
        ApiServerError: refused or unreachable.
    """
    try:
        await client.request(
            "DELETE",
            path_of(resource, key),
            what=f'delete {resource.kind} "{key}"',
            body={"preconditions": {"uid": uid}},
        )
    except ApiServerError as error:
        if error.status not in {NOT_FOUND, CONFLICT}:
            raise
