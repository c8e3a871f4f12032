"""The endpoint for hints, put together from the settings."""

import asyncio
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aiohttp import web

from providerswitch.api.errors import UserError
from providerswitch.controller.hints.announcing import Announcer
from providerswitch.controller.hints.certificate import Certificate
from providerswitch.controller.hints.following import FollowUp
from providerswitch.controller.hints.gate import Gate
from providerswitch.controller.hints.server import CONNECTION, HintService, build_hints_app
from providerswitch.controller.hints.settings import HintSettings
from providerswitch.controller.metrics import Metrics
from providerswitch.controller.reconciler import Reconciler
from providerswitch.controller.registry import Registry
from providerswitch.controller.server import serve
from providerswitch.kube.client import KubeClient
from providerswitch.probes.scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class HintEndpoint:
    """What serves hints, and keeps that possible.

    Attributes:
        certificate: None for plain HTTP.
        announcer: None where no Service is to be pointed here.
    """

    address: tuple[str, int]
    app: web.Application
    certificate: Certificate | None
    announcer: Announcer | None

    async def serve(self) -> web.AppRunner:
        """Start serving; the caller calls `cleanup()` on what is returned.

        Raises:
            UserError: the address cannot be used.
        """
        context = self.certificate.context if self.certificate else None
        return await serve(self.app, *self.address, flag="--hints-listen", tls=context, **CONNECTION)

    async def keep(self) -> None:
        """Do what has to be done again and again, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self.certificate:
                tasks.create_task(self.certificate.keep_current())
            if self.announcer:
                tasks.create_task(self.announcer.run())
            await asyncio.Event().wait()

    def begin(self) -> None:
        """Say that this replica begins to lead."""
        if self.announcer:
            self.announcer.wake()


@dataclass(frozen=True, slots=True)
class HintParts:
    """What the endpoint works with.

    Attributes:
        asking: a client for reviews, not behind the fence of the Lease.
        writing: the client that is.
        ready: whether policies are being served.
        clock: the time of day.
        seconds: of a clock that never goes back.
    """

    asking: KubeClient
    writing: KubeClient
    registry: Registry
    reconciler: Reconciler
    scheduler: Scheduler
    metrics: Metrics
    ready: Callable[[], bool]
    clock: Callable[[], datetime]
    seconds: Callable[[], float]


def build_hint_endpoint(settings: HintSettings, parts: HintParts) -> HintEndpoint | None:
    """Return the endpoint; None where the settings want none.

    Raises:
        UserError: a setting cannot be used, or one lacks.
    """
    if settings.listen is None:
        return None
    certificate = _build_certificate(settings)
    metrics, reconciler = parts.metrics, parts.reconciler
    count = metrics.hints.labels("consumer").inc
    service = HintService(
        gate=Gate(parts.asking, parts.seconds),
        leads=lambda: parts.ready() and reconciler.leading,
        follow_up=FollowUp(parts.registry, parts.scheduler, parts.clock, count),
        count=lambda status: metrics.hint_requests.labels(str(status)).inc(),
    )
    announcer = _build_announcer(settings, settings.listen[1], parts.writing, lambda: reconciler.leading)
    return HintEndpoint(settings.listen, build_hints_app(service), certificate, announcer)


def _build_certificate(settings: HintSettings) -> Certificate | None:
    if settings.certificate and settings.key:
        return Certificate(Path(settings.certificate), Path(settings.key))
    if settings.certificate or settings.key:
        message = "--hints-cert and --hints-key go together: give the certificate and its key, both as PEM files."
        raise UserError("BadHintsCertificate", message)
    if not settings.insecure:
        message = (
            "--hints-listen needs --hints-cert and --hints-key, because callers send tokens. Where something else "
            "encrypts the way, such as a service mesh, say --hints-insecure."
        )
        raise UserError("HintsInsecure", message)
    return None


def _build_announcer(
    settings: HintSettings, port: int, client: KubeClient, leads: Callable[[], bool]
) -> Announcer | None:
    if settings.service is None:
        return None
    if not _is_address(settings.pod_ip):
        message = (
            "--hints-service needs --pod-ip or PROVIDERSWITCH_POD_IP, the IP address of this Pod; take it from its "
            "status.podIP, as the chart does."
        )
        raise UserError("NoPodIP", message)
    return Announcer(client, settings.service, settings.pod_ip, port, leads)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
