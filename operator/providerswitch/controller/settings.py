"""The operator's settings: flags, each with an environment variable; the flag wins."""

import argparse
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Settings:
    """What an administrator decides.

    Attributes:
        namespaces: empty is all namespaces.
        listen: host and port of /metrics, /healthz and /readyz.
        allowed_networks: otherwise refused addresses that probes may go to.
        ca_file: extra certificate authorities for providers, PEM.
    """

    kubeconfig: str | None
    namespaces: tuple[str, ...]
    listen: tuple[str, int]
    allowed_networks: tuple[Network, ...]
    ca_file: str | None
    log_level: str
    log_format: str


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004  # the highest port there is
        raise argparse.ArgumentTypeError(f'"{text}" is not HOST:PORT; write for example 0.0.0.0:8080')
    return host.strip("[]"), int(port)


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(_network(part.strip()) for part in text.split(",") if part.strip())


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'"{text}" is not a network; write for example 127.0.0.0/8') from error


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
    ("--log-level", "PROVIDERSWITCH_LOG_LEVEL", "info", {
        "choices": LEVELS, "help": "least severity that is logged (default info)"}),
    ("--log-format", "PROVIDERSWITCH_LOG_FORMAT", "json", {
        "choices": ("json", "text"), "help": "json, one object a line, or text (default json)"}),
)  # fmt: skip
"""Flag, environment variable, default, and what argparse needs to know."""


def add_flags(parser: argparse.ArgumentParser, environ: Mapping[str, str]) -> None:
    """Describe the flags; a malformed environment variable is refused like a malformed flag."""
    for name, variable, otherwise, options in FLAGS:
        value = environ.get(variable) or otherwise
        help_text = f"{options['help']} [{variable}]"
        parser.add_argument(name, default=value, **{**options, "help": help_text})


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
    )
