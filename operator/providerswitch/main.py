"""The command `providerswitch`, and the one place that wires the parts together."""

import argparse
import asyncio
import logging
import os
import random
import resource
import signal
import socket
import ssl
import sys
import uuid
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

import certifi
from kubernetes.aio.client import ApiClient
from prometheus_client import CollectorRegistry

from providerswitch import __version__
from providerswitch.api.errors import UserError
from providerswitch.api.health_check import QualityChecks
from providerswitch.cli import asking, classify, explain
from providerswitch.controller.children import Children
from providerswitch.controller.clock import seconds_since_boot, utc_now
from providerswitch.controller.detours import survey
from providerswitch.controller.drill_reports import DrillReports
from providerswitch.controller.drills import Drills
from providerswitch.controller.entry import Entry
from providerswitch.controller.evidence import Evidence
from providerswitch.controller.hints.endpoint import HintParts, build_hint_endpoint
from providerswitch.controller.history import History, Revisions
from providerswitch.controller.logs import log_loop_error, set_up_logging
from providerswitch.controller.metrics import Metrics
from providerswitch.controller.operator import Operator
from providerswitch.controller.override_desk import Scribe
from providerswitch.controller.overrides import Overrides
from providerswitch.controller.publisher import Publisher
from providerswitch.controller.reconciler import Parts, Reconciler
from providerswitch.controller.registry import Registry
from providerswitch.controller.rehearsing import Rehearsing
from providerswitch.controller.reporter import Reporter
from providerswitch.controller.server import build_app, serve
from providerswitch.controller.settings import Settings, add_flags, read_settings
from providerswitch.controller.startup import TO_PUBLISH_SECRETS, needed_for_hints, wait_until_usable
from providerswitch.controller.switching import Switching
from providerswitch.core.outcome import Outcome
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.election import Election, Timing
from providerswitch.kube.lanes import LanedClient
from providerswitch.kube.lease import namespace_of_the_pod
from providerswitch.kube.login import Login, log_in
from providerswitch.kube.objects import ObjectKey
from providerswitch.kube.secrets import SecretStore
from providerswitch.probes.addresses import AddressRules
from providerswitch.probes.drill import DrillProber
from providerswitch.probes.golden import golden_asker
from providerswitch.probes.golden_answer import Asked
from providerswitch.probes.metrics_sources import MetricsSources
from providerswitch.probes.prober import TargetProber
from providerswitch.probes.proxies import Proxies, read_proxies
from providerswitch.probes.quality_checks import QualityRounds
from providerswitch.probes.registry import REGISTRY
from providerswitch.probes.resolving import share_lookups, system_resolver
from providerswitch.probes.scheduler import Prober, Scheduler
from providerswitch.probes.status_page import PageStatus, StatusPages
from providerswitch.probes.target import ProbeTarget
from providerswitch.probes.transport import ProbeTransport
from providerswitch.publish.targets import RESOURCES, WITHOUT_SECRETS, TargetKey

log = logging.getLogger(__name__)

KEEPALIVE_SECONDS = 120.0
"""Idle probe connections are kept this long: above the usual intervals, below the idle limits of the providers."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    flags = build_parser().parse_args(argv)
    if flags.command != "run":
        return run_verb(flags)
    settings = read_settings(flags)
    set_up_logging(settings.log_level, settings.log_format)
    try:
        return asyncio.run(run(settings))
    except UserError as error:
        log.error("%s", error.message)  # noqa: TRY400  # it is for the administrator, who needs no traceback
        return 1


def run_verb(flags: argparse.Namespace) -> int:
    """Run a command that reads and prints; the reader of a pipe may have seen enough before the end."""
    try:
        if flags.command == "classify":
            code = classify.run(sys.stdin, sys.stdout, sys.stderr, now=utc_now())
        elif flags.command == "explain":
            code = explain.run(sys.stdin, sys.stdout, sys.stderr, now=utc_now(), path=flags.file, output=flags.output)
        else:
            code = asyncio.run(asking.run(flags, sys.stdout, sys.stderr, now=utc_now(), environ=os.environ))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit fails once more
        return 0
    return code


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="providerswitch", description="Keeps the workloads of a Kubernetes cluster on a working LLM provider."
    )
    parser.add_argument("--version", action="version", version=f"providerswitch {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_flags(commands.add_parser("run", help="run the operator"), os.environ)
    commands.add_parser("classify", help="classify saved provider answers", description=classify.__doc__)
    command = commands.add_parser(
        "explain",
        help="explain the choice of a policy",
        description=explain.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    explain.add_flags(command)
    asking.add_commands(commands, os.environ)
    return parser


async def run(settings: Settings) -> int:
    """Run the operator until SIGTERM or SIGINT; return the exit code.

    Raises:
        UserError: a setting cannot be used.
    """
    asyncio.get_running_loop().set_exception_handler(log_loop_error)
    allow_open_files()
    login = await log_in(settings.kubeconfig)
    context = build_ssl_context(settings.ca_file)
    api = open_api(login)
    try:
        election = build_election(settings, KubeClient(api)) if settings.leader_elect else None
        client = KubeClient(api, election.remaining) if election else KubeClient(api)
        operator = build_operator(settings, login, LanedClient(client), context, election)
        return await _serve_and_work(settings, operator, KubeClient(api))
    finally:
        await api.close()  # type: ignore[no-untyped-call]  # ships no types


def allow_open_files() -> None:
    """Raise the limit of open files to what the process may have: a connection is kept to each probe target."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def open_api(login: Login) -> ApiClient:
    """Return the client of the API server; to be closed by the caller.

    It goes directly, as kopf does, unless the kubeconfig names a proxy: the environment's is for the providers.

    Raises:
        UserError: a certificate or key of the login cannot be used.
    """
    login.configuration.client_session_kwargs = {"trust_env": False}
    try:
        return login.open()
    except (OSError, ValueError) as error:  # SSLError is an OSError
        message = (
            f"The certificates for the API server at {login.server} cannot be used. Check certificate-authority, "
            "client-certificate and client-key in the kubeconfig, or the ca.crt of the ServiceAccount."
        )
        raise UserError("BadKubeconfig", message) from error


async def _serve_and_work(settings: Settings, operator: Operator, asking: KubeClient) -> int:
    take_hints(settings, operator, asking)

    def take_signals() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, work.cancel)

    async with AsyncExitStack() as servers:
        app = build_app(operator.metrics.registry, alive=lambda: operator.alive, ready=lambda: operator.ready)
        servers.push_async_callback((await serve(app, *settings.listen)).cleanup)
        if operator.hints:
            servers.push_async_callback((await operator.hints.serve()).cleanup)
        work = asyncio.create_task(_work(settings, operator, asking, take_signals))
        take_signals()
        try:
            return await work
        except asyncio.CancelledError:
            log.info("stopped; what is published stays published")
            return 0


def take_hints(settings: Settings, operator: Operator, asking: KubeClient) -> None:
    """Give the operator an endpoint for hints, if it is to have one.

    Raises:
        UserError: a setting cannot be used.
    """
    parts = HintParts(
        asking=LanedClient(asking),
        writing=operator.client,
        registry=operator.registry,
        reconciler=operator.reconciler,
        scheduler=operator.scheduler,
        metrics=operator.metrics,
        ready=lambda: operator.ready,
        clock=utc_now,
        seconds=seconds_since_boot,
    )
    operator.hints = build_hint_endpoint(settings.hints, parts)


async def _work(settings: Settings, operator: Operator, asking: KubeClient, take_signals: Callable[[], None]) -> int:
    log.info("providerswitch %s starts at %s", __version__, operator.login.server)
    lease = operator.election.key if operator.election else None
    further = TO_PUBLISH_SECRETS if operator.children.include_secrets else ()
    once = needed_for_hints(settings.hints)
    await wait_until_usable(asking, operator.login.server, operator.namespaces, lease, further=further, once=once)
    try:
        await operator.run(take_signals)
    except ExceptionGroup:
        log.exception("a task ended that must not end; restart me")
    else:
        log.error("kopf ended without being told to; restart me")
    return 1


def build_election(settings: Settings, client: KubeClient) -> Election:
    """Return this process as a candidate for the Lease.

    Raises:
        UserError: it is not known where the Lease lies.
    """
    namespace = settings.lease_namespace or namespace_of_the_pod()
    if namespace is None:
        message = "--leader-elect needs --lease-namespace outside of a Pod: name the namespace of the Lease."
        raise UserError("NoLeaseNamespace", message)
    key = ObjectKey(namespace, settings.lease_name)
    identity = f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
    return Election(client, key, identity, Timing(settings.lease_seconds), clock=seconds_since_boot, wall=utc_now)


def build_operator(
    settings: Settings, login: Login, client: KubeClient, context: ssl.SSLContext, election: Election | None = None
) -> Operator:
    """Make all parts and wire them.

    The parts call back into the operator that holds them, so they are given wires that end in it once it is there.

    Raises:
        UserError: the environment names a proxy that cannot be used.
    """
    metrics = Metrics(CollectorRegistry())
    late: list[Operator] = []

    def on_child(target: TargetKey, obj: Object) -> None:
        late[0].on_child(target, obj)

    def on_outcome(target: ProbeTarget, outcome: Outcome) -> None:
        late[0].on_outcome(target, outcome)

    def wake(entry: Entry) -> None:
        late[0].reconciler.wake(entry)

    children = Children(on_child, RESOURCES if settings.publish_secrets else WITHOUT_SECRETS)
    registry = Registry(wake, settings.limits)
    secrets = SecretStore(client, registry.secret_changed)
    connect = transport_factory(AddressRules(settings.allowed_networks), context, read_proxies(os.environ))
    scheduler = Scheduler(prober_factory(connect), on_outcome, clock=utc_now, jitter=jitter)
    evidence = build_evidence(connect, late, registry)
    switching = Switching(client, children, lambda step: metrics.step_seconds.labels(step).time())
    reporter = Reporter(client, metrics, utc_now, socket.gethostname())
    rehearsing = Rehearsing(utc_now, wake)
    revisions = Revisions()
    scribe = Scribe(client, utc_now, socket.gethostname(), settings.keep_finished, registry.uid_of)
    overrides = Overrides(registry, wake, scribe, metrics, settings.longest_override)
    parts = Parts(
        registry=registry,
        scheduler=scheduler,
        secrets=secrets,
        children=children,
        publisher=Publisher(switching, children, metrics, utc_now),
        reporter=reporter,
        history=History(client, revisions, utc_now),
        metrics=metrics,
        evidence=evidence,
        rehearsing=rehearsing,
        overrides=overrides,
        clock=utc_now,
    )
    reconciler = Reconciler(parts)
    drills = Drills(
        registry.get,
        lambda entry: survey(entry, reconciler.situation),
        rehearsing,
        DrillReports(client, metrics, utc_now, reporter.name),
        utc_now,
        settings.keep_finished,
        parts.publisher.try_out,
    )
    operator = Operator(
        client,
        login,
        settings.namespaces,
        metrics,
        registry,
        reconciler,
        children,
        secrets,
        revisions,
        scheduler,
        evidence,
        overrides,
        utc_now,
        drills,
        election,
    )
    late.append(operator)
    return operator


def build_evidence(connect: Callable[[str], ProbeTransport], late: list[Operator], registry: Registry) -> Evidence:
    """Make what is asked besides the probes."""

    def on_answer(target: ProbeTarget, checks: QualityChecks, asked: Asked) -> None:
        late[0].on_answer(target, checks, asked)

    def on_trouble(url: str, page: PageStatus) -> None:
        late[0].on_page(url, page)

    return Evidence(
        quality=QualityRounds(golden_asker(lambda target: connect(target.base_url)), on_answer, jitter=jitter),
        pages=StatusPages(connect, on_trouble, jitter=jitter),
        sources=MetricsSources(connect, registry.hear_source, clock=utc_now, jitter=jitter),
    )


def transport_factory(
    rules: AddressRules, context: ssl.SSLContext, proxies: Proxies
) -> Callable[[str], ProbeTransport]:
    """Return what opens a connection to a base URL; look-ups are shared by all."""
    resolve = share_lookups(system_resolver)

    def connect(base_url: str) -> ProbeTransport:
        return ProbeTransport(
            base_url,
            ssl_context=context,
            rules=rules,
            keepalive_seconds=KEEPALIVE_SECONDS,
            resolve=resolve,
            proxies=proxies,
        )

    return connect


def prober_factory(connect: Callable[[str], ProbeTransport]) -> Callable[[ProbeTarget], Prober]:
    """Return what opens the connection of a target."""

    def make(target: ProbeTarget) -> Prober:
        real = TargetProber(target.real, REGISTRY[target.type], connect(target.base_url), utc_now)
        return DrillProber(target.drill, real, utc_now) if target.drill else real

    return make


def jitter(span: timedelta) -> timedelta:
    """Return a random share of a span."""
    return span * random.random()  # noqa: S311  # spreads load, guards nothing


def build_ssl_context(ca_file: str | None) -> ssl.SSLContext:
    """Return the TLS context of all probes: public authorities, and those of the administrator.

    Raises:
        UserError: the file cannot be used.
    """
    context = ssl.create_default_context(cafile=certifi.where())
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            message = f'--ca-file "{ca_file}" is not a readable PEM file of certificates.'
            raise UserError("BadCaFile", message) from error
    return context
