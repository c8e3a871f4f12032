"""The operator's settings: flags, each with an environment variable; the flag wins."""

import argparse
import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from providerswitch.api.durations import format_duration, parse_duration
from providerswitch.api.fields import DNS_LABEL
from providerswitch.api.override import LONGEST_OVERRIDE
from providerswitch.controller.hints.settings import HintSettings, read_service
from providerswitch.core.limits import POLICIES_FLAG, PROVIDERS_FLAG, Limits

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LEVELS: Final = ("debug", "info", "warning", "error")
NAMESPACE: Final = re.compile(DNS_LABEL)
HIGHEST_PORT: Final = 65535
LONGEST_COUNT: Final = 9
"""Digits of a limit."""
LEASE_BOUNDS: Final = (2, 600)
"""Seconds. Below, a busy API server costs the leader its Lease; above, nobody would wait for a replacement."""
OVERRIDE_BOUNDS: Final = (timedelta(minutes=1), LONGEST_OVERRIDE)
KEPT_BOUNDS: Final = (timedelta(minutes=1), timedelta(hours=720))


@dataclass(frozen=True, slots=True)
class Settings:
    """What an administrator decides.

    Attributes:
        namespaces: empty is all namespaces.
        listen: host and port of /metrics, /healthz and /readyz.
        allowed_networks: otherwise refused addresses that probes may go to.
        ca_file: extra certificate authorities for providers, PEM.
        limits: of the policies of each namespace.
        lease_namespace: None is the Pod's own.
        lease_seconds: how long the Lease holds without being renewed.
        publish_secrets: whether policies may have Secrets published.
        longest_override: overrides that ask for longer are rejected.
        keep_finished: how long finished overrides and drills are kept.
    """

    kubeconfig: str | None
    namespaces: tuple[str, ...]
    listen: tuple[str, int]
    allowed_networks: tuple[Network, ...]
    ca_file: str | None
    log_level: str
    log_format: str
    limits: Limits
    leader_elect: bool = False
    lease_name: str = "providerswitch"
    lease_namespace: str | None = None
    lease_seconds: float = 10.0
    publish_secrets: bool = False
    hints: HintSettings = field(default_factory=HintSettings)
    longest_override: timedelta = LONGEST_OVERRIDE
    keep_finished: timedelta = timedelta(hours=24)


def _names(text: str) -> tuple[str, ...]:
    if not text.strip():
        return ()
    return tuple(dict.fromkeys(_name(part.strip()) for part in text.split(",")))


def _name(text: str) -> str:
    if not NAMESPACE.fullmatch(text):
        raise argparse.ArgumentTypeError(f'"{text}" is not the name of a namespace; write for example team-a,team-b')
    return text


def _lease_name(text: str) -> str:
    if not NAMESPACE.fullmatch(text):
        raise argparse.ArgumentTypeError(f'"{text}" is not the name of a Lease; write for example providerswitch')
    return text


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f'"{text}" is not HOST:PORT; write for example 0.0.0.0:8080 or [::]:8080')
    return host.strip("[]"), int(port)


def _address_or_none(text: str) -> tuple[str, int] | None:
    return _address(text) if text else None


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(_network(part.strip()) for part in text.split(",") if part.strip())


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'"{text}" is not a network; write for example {_suggest(text)}') from error


def _suggest(text: str) -> str:
    """Return the network that an address with bits below its prefix lies in, or any network."""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return "127.0.0.0/8"


def _switch(text: str) -> bool:
    if text not in {"true", "false"}:
        raise argparse.ArgumentTypeError(f'"{text}" is neither true nor false')
    return text == "true"


def _lease_seconds(text: str) -> float:
    low, high = LEASE_BOUNDS
    try:
        seconds = parse_duration(text).total_seconds()
    except ValueError:
        seconds = math.nan
    if not low <= seconds <= high:
        raise argparse.ArgumentTypeError(f'"{text}" is not a duration from {low}s to {high}s; write for example 10s')
    return seconds


def _span(low: timedelta, high: timedelta) -> Callable[[str], timedelta]:
    """Return what reads a duration within bounds."""

    def read(text: str) -> timedelta:
        with suppress(ValueError):
            if low <= (span := parse_duration(text)) <= high:
                return span
        bounds = f"{format_duration(low)} to {format_duration(high)}"
        raise argparse.ArgumentTypeError(f'"{text}" is not a duration from {bounds}; write for example 12h')

    return read


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > LONGEST_COUNT:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number; write for example 100, or 0 for no limit')
    return int(text)


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise argparse.ArgumentTypeError(f'"{text}" is not known; write one of {", ".join(words)}')
        return text

    return read


FLAGS: Final[tuple[tuple[str, str, str | None, dict[str, Any]], ...]] = (
    ("--kubeconfig", "KUBECONFIG", None, {
        "metavar": "FILE", "help": "kubeconfig; without one the Pod's ServiceAccount, else ~/.kube/config"}),
    ("--namespaces", "PROVIDERSWITCH_NAMESPACES", "", {
        "metavar": "A,B", "type": _names, "help": "namespaces to serve; empty is all of them"}),
    ("--listen", "PROVIDERSWITCH_LISTEN", "0.0.0.0:8080", {
        "metavar": "HOST:PORT", "type": _address,
        "help": "where to serve /metrics, /healthz and /readyz (default 0.0.0.0:8080)"}),
    ("--allow-probe-cidr", "PROVIDERSWITCH_ALLOW_PROBE_CIDR", "", {
        "metavar": "CIDR,..", "type": _networks,
        "help": "let probes go to loopback, link-local or other refused addresses in these networks"}),
    ("--ca-file", "PROVIDERSWITCH_CA_FILE", None, {
        "metavar": "FILE", "help": "certificate authorities to trust for providers besides the public ones"}),
    ("--leader-elect", "PROVIDERSWITCH_LEADER_ELECT", "false", {
        "metavar": "true|false", "nargs": "?", "const": True, "type": _switch,
        "help": "of several replicas let one decide and write; the others probe and stand by (default false)"}),
    ("--lease-name", "PROVIDERSWITCH_LEASE_NAME", "providerswitch", {
        "metavar": "NAME", "type": _lease_name, "help": "Lease that the replicas share (default providerswitch)"}),
    ("--lease-namespace", "PROVIDERSWITCH_LEASE_NAMESPACE", None, {
        "metavar": "NAMESPACE", "type": _name, "help": "where the Lease lies; without it, in the Pod's own namespace"}),
    ("--lease-duration", "PROVIDERSWITCH_LEASE_DURATION", "10s", {
        "metavar": "DURATION", "type": _lease_seconds,
        "help": "a leader that cannot renew the Lease for so long is replaced (default 10s)"}),
    (POLICIES_FLAG, "PROVIDERSWITCH_MAX_POLICIES_PER_NAMESPACE", "100", {
        "metavar": "N", "type": _count,
        "help": "policies of one namespace that are served; 0 is no limit (default 100)"}),
    (PROVIDERS_FLAG, "PROVIDERSWITCH_MAX_PROVIDERS_PER_NAMESPACE", "1000", {
        "metavar": "N", "type": _count,
        "help": "providers of all policies of one namespace that are served; 0 is no limit (default 1000)"}),
    ("--publish-secrets", "PROVIDERSWITCH_PUBLISH_SECRETS", "false", {
        "metavar": "true|false", "nargs": "?", "const": True, "type": _switch,
        "help": "let policies publish a Secret that holds the active provider's key (default false)"}),
    ("--hints-listen", "PROVIDERSWITCH_HINTS_LISTEN", "", {
        "metavar": "HOST:PORT", "type": _address_or_none,
        "help": "where to take hints of failed calls, POST /v1/hints; empty is nowhere"}),
    ("--hints-cert", "PROVIDERSWITCH_HINTS_CERT", "", {
        "metavar": "FILE", "help": "certificate for hints, PEM; read again when it changes"}),
    ("--hints-key", "PROVIDERSWITCH_HINTS_KEY", "", {
        "metavar": "FILE", "help": "key of that certificate, PEM; read again when it changes"}),
    ("--hints-insecure", "PROVIDERSWITCH_HINTS_INSECURE", "false", {
        "metavar": "true|false", "nargs": "?", "const": True, "type": _switch,
        "help": "take hints over plain HTTP, because something else encrypts the way (default false)"}),
    ("--hints-service", "PROVIDERSWITCH_HINTS_SERVICE", "", {
        "metavar": "NAMESPACE/NAME", "type": read_service,
        "help": "Service without selector that is to lead to the replica that leads; it then needs its own address"}),
    ("--pod-ip", "PROVIDERSWITCH_POD_IP", "", {
        "metavar": "ADDRESS", "help": "IP address of this Pod, for the Service of hints"}),
    ("--max-override-duration", "PROVIDERSWITCH_MAX_OVERRIDE_DURATION", "24h", {
        "metavar": "DURATION", "type": _span(*OVERRIDE_BOUNDS),
        "help": "overrides that ask for longer are rejected; 1m to 24h (default 24h)"}),
    ("--keep-finished", "PROVIDERSWITCH_KEEP_FINISHED", "24h", {
        "metavar": "DURATION", "type": _span(*KEPT_BOUNDS),
        "help": "finished overrides and drills are removed after so long; 1m to 720h (default 24h)"}),
    ("--log-level", "PROVIDERSWITCH_LOG_LEVEL", "info", {
        "metavar": "|".join(LEVELS), "type": _one_of(*LEVELS), "help": "least severity that is logged (default info)"}),
    ("--log-format", "PROVIDERSWITCH_LOG_FORMAT", "json", {
        "metavar": "json|text", "type": _one_of("json", "text"),
        "help": "json, one object a line, or text (default json)"}),
)  # fmt: skip
"""Flag, environment variable, default, and what argparse needs to know. Choices are types here, because argparse does
not check a default against `choices`, and the environment comes as one."""


def add_flags(parser: argparse.ArgumentParser, environ: Mapping[str, str]) -> None:
    """Describe the flags; a malformed environment variable is refused like a malformed flag."""
    for name, variable, otherwise, options in FLAGS:
        value = environ.get(variable) or otherwise
        changed = {"help": f"{options['help']} [{variable}]", "type": _naming(variable, options.get("type", str))}
        parser.add_argument(name, default=value, **{**options, **changed})


def _naming(variable: str, parse: Callable[[str], object]) -> Callable[[str], object]:
    """Have errors name the environment variable beside the flag, which may never have been typed."""

    def read(text: str) -> object:
        try:
            return parse(text)
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentTypeError(f"{error} (flag or {variable})") from error

    return read


def read_settings(flags: argparse.Namespace) -> Settings:
    """Return the settings that parsed flags amount to."""
    return Settings(
        kubeconfig=flags.kubeconfig,
        namespaces=flags.namespaces,
        listen=flags.listen,
        allowed_networks=flags.allow_probe_cidr,
        ca_file=flags.ca_file,
        log_level=flags.log_level,
        log_format=flags.log_format,
        limits=Limits(flags.max_policies_per_namespace, flags.max_providers_per_namespace),
        leader_elect=flags.leader_elect,
        lease_name=flags.lease_name,
        lease_namespace=flags.lease_namespace,
        lease_seconds=flags.lease_duration,
        publish_secrets=flags.publish_secrets,
        hints=HintSettings(
            flags.hints_listen,
            flags.hints_cert,
            flags.hints_key,
            flags.hints_insecure,
            flags.hints_service,
            flags.pod_ip,
        ),
        longest_override=flags.max_override_duration,
        keep_finished=flags.keep_finished,
    )
