"""API keys from Secrets, and word of their changes.

Values are read one by one, only for Secrets that a policy of the same namespace refers to. Changes are noticed
through a watch of metadata, so that no other Secret's content ever enters this process.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from providerswitch.api import meta
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.objects import SECRETS, ObjectKey, fetch, key_of
from providerswitch.kube.watch import Listener


@dataclass(frozen=True, slots=True)
class SecretValue:
    """A Secret that was read.

    Attributes:
        data: decoded text by key; never printed.
        hosts: where its keys may be sent, beside official hosts: `host` or `host:port`, lower-case.
        publishable: whether policies may copy its keys into the Secret that they publish.
    """

    data: Mapping[str, str] = field(repr=False)
    hosts: frozenset[str]
    publishable: bool = False


class SecretStore:
    """Secrets in use, cached until the API server reports a change.

    Args:
        on_change: called with the key of each Secret in use that changed, appeared or went.
    """

    def __init__(self, client: KubeClient, on_change: Callable[[ObjectKey], None]) -> None:
        self._client = client
        self._on_change = on_change
        self._values: dict[ObjectKey, SecretValue | None] = {}
        self._versions: dict[ObjectKey, str] = {}
        self._reading: dict[ObjectKey, object] = {}

    async def read(self, key: ObjectKey) -> SecretValue | None:
        """Return a Secret, from the cache where possible; None when there is none.

        Raises:
            ApiServerError: it could not be read.
        """
        while key not in self._values:
            ticket = self._reading.setdefault(key, object())
            obj = await fetch(self._client, SECRETS, key)
            if self._reading.get(key) is ticket:
                del self._reading[key]
                self._values[key] = parse_secret(obj) if obj else None
                self._versions[key] = _version(obj)
        return self._values[key]

    def retain(self, used: frozenset[ObjectKey]) -> None:
        """Forget all Secrets but those in use."""
        for key in self._values.keys() - used:
            del self._values[key], self._versions[key]

    def listener(self, namespace: str | None = None) -> Listener:
        """Return what a metadata watch of Secrets in a namespace, or in all, has to feed."""
        return Listener(partial(self._replaced, namespace), self._changed, self._deleted)

    def _replaced(self, namespace: str | None, objects: list[Object]) -> None:
        present = {key_of(obj): obj for obj in objects}
        for key in {*self._values, *self._reading}:
            if namespace in {None, key.namespace}:
                self._compare(key, _version(present.get(key)))

    def _changed(self, obj: Object) -> None:
        self._compare(key_of(obj), _version(obj))

    def _deleted(self, obj: Object) -> None:
        self._compare(key_of(obj), "")

    def _compare(self, key: ObjectKey, version: str) -> None:
        """Drop what is out of date; the ticket of a read under way is withdrawn, so that it reads again."""
        self._reading.pop(key, None)
        if self._versions.get(key, version) != version:
            del self._values[key], self._versions[key]
            self._on_change(key)


def _version(obj: Object | None) -> str:
    return str(obj["metadata"]["resourceVersion"]) if obj else ""


def parse_secret(obj: Object) -> SecretValue:
    """Decode a Secret; values that are not UTF-8 text cannot be API keys and are left out."""
    annotations = obj["metadata"].get("annotations") or {}
    listed = annotations.get(meta.HOSTS_ANNOTATION, "").split(",")
    hosts = frozenset(host.strip().lower() for host in listed if host.strip())
    decoded = ((key, _decode(value)) for key, value in (obj.get("data") or {}).items())
    publishable = annotations.get(meta.PUBLISH_ANNOTATION) == "true"
    return SecretValue({key: text for key, text in decoded if text is not None}, hosts, publishable)


def _decode(value: str) -> str | None:
    try:
        return base64.b64decode(value).decode().strip()
    except ValueError:
        return None
