"""The kopf handlers. `on.event` handlers write nothing: no annotations, no finalizers, no drift under GitOps."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import kopf
from typing_extensions import override

from providerswitch.api import meta
from providerswitch.kube.client import Object
from providerswitch.kube.login import Login

Received = Callable[[str, Object], None]


@dataclass(frozen=True, slots=True)
class NoDiffBase(kopf.DiffBaseStorage):
    """Keeps kopf from copying and comparing each object for a difference that nobody reads."""

    @override
    def build(self, *, body: kopf.Body, extra_fields: object = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    @override
    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    @override
    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing is stored."""


def build_kopf_registry(login: Login, received: Received) -> kopf.OperatorRegistry:
    """Return kopf's registry with our handlers.

    `received` gets the kind of each event (ADDED, MODIFIED, DELETED, or "" for the first list) and the object.
    """
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def on_login(**_: object) -> kopf.ConnectionInfo:
        return await connection(login)

    @kopf.on.event(meta.GROUP, meta.VERSION, meta.POLICY_PLURAL, registry=registry)
    async def on_policy(event: Any, **_: object) -> None:
        received(event["type"] or "", event["object"])

    return registry


async def connection(login: Login) -> kopf.ConnectionInfo:
    """Return the login as kopf wants it; called again when the API server no longer accepts it."""
    found = login.configuration
    token = await login.bearer_token()
    return kopf.ConnectionInfo(
        server=found.host,
        ca_path=None if found.ca_cert_data else found.ssl_ca_cert,
        ca_data=found.ca_cert_data,
        insecure=not found.verify_ssl,
        scheme="Bearer" if token else None,
        token=token,
        certificate_path=found.cert_file,
        private_key_path=found.key_file,
        proxy_url=found.proxy,
    )


def build_kopf_settings() -> kopf.OperatorSettings:
    """Return kopf's settings; docs/architecture.md says why each is what it is."""
    settings = kopf.OperatorSettings()
    settings.posting.loggers = False
    settings.posting.level = logging.CRITICAL
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.scanning.disabled = True
    settings.networking.error_backoffs = [0.2, 0.5, *[1] * 60]
    settings.networking.request_timeout = 15
    settings.queueing.worker_limit = None
    settings.queueing.exit_timeout = 0.2
    return settings
