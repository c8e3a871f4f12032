"""Settings: flags and environment variables that mean the same, and refusals that say what to write instead."""

import argparse
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_network

import pytest

from providerswitch.controller.hints.settings import HintSettings
from providerswitch.controller.settings import FLAGS, Settings, add_flags, read_settings
from providerswitch.core.limits import Limits
from providerswitch.kube.objects import ObjectKey

GOOD = {
    "--kubeconfig": ("/somewhere/kubeconfig", {"kubeconfig": "/somewhere/kubeconfig"}),
    "--namespaces": ("team-a, team-b,team-a", {"namespaces": ("team-a", "team-b")}),
    "--listen": ("[::1]:9000", {"listen": ("::1", 9000)}),
    "--allow-probe-cidr": ("127.0.0.0/8, ::1/128,", {
        "allowed_networks": (ip_network("127.0.0.0/8"), ip_network("::1/128"))}),
    "--ca-file": ("/somewhere/ca.pem", {"ca_file": "/somewhere/ca.pem"}),
    "--max-policies-per-namespace": ("0", {"limits": Limits(0, 1000)}),
    "--max-providers-per-namespace": ("250", {"limits": Limits(100, 250)}),
    "--leader-elect": ("true", {"leader_elect": True}),
    "--lease-name": ("ours", {"lease_name": "ours"}),
    "--lease-namespace": ("infra", {"lease_namespace": "infra"}),
    "--lease-duration": ("1m", {"lease_seconds": 60.0}),
    "--publish-secrets": ("true", {"publish_secrets": True}),
    "--hints-listen": ("[::]:8443", {"hints": HintSettings(listen=("::", 8443))}),
    "--hints-cert": ("/tls/tls.crt", {"hints": HintSettings(certificate="/tls/tls.crt")}),
    "--hints-key": ("/tls/tls.key", {"hints": HintSettings(key="/tls/tls.key")}),
    "--hints-insecure": ("true", {"hints": HintSettings(insecure=True)}),
    "--hints-service": ("infra/hints", {"hints": HintSettings(service=ObjectKey("infra", "hints"))}),
    "--pod-ip": ("10.0.0.1", {"hints": HintSettings(pod_ip="10.0.0.1")}),
    "--max-override-duration": ("2h", {"longest_override": timedelta(hours=2)}),
    "--keep-finished": ("720h", {"keep_finished": timedelta(hours=720)}),
    "--log-level": ("debug", {"log_level": "debug"}),
    "--log-format": ("text", {"log_format": "text"}),
}  # fmt: skip
"""A value of each flag, and what the settings make of it."""

BAD = [
    ("--namespaces", "Team_A", '"Team_A" is not the name of a namespace; write for example team-a,team-b'),
    ("--namespaces", "team-a,../secrets", '"../secrets" is not the name of a namespace'),
    ("--namespaces", "team-a,", '"" is not the name of a namespace'),
    ("--namespaces", ",", '"" is not the name of a namespace'),
    ("--listen", "8080", '"8080" is not HOST:PORT; write for example 0.0.0.0:8080'),
    ("--listen", "localhost:http", '"localhost:http" is not HOST:PORT'),
    ("--listen", "localhost:65536", '"localhost:65536" is not HOST:PORT'),
    ("--listen", "localhost:-1", '"localhost:-1" is not HOST:PORT'),
    ("--listen", "localhost:٨٠", '"localhost:٨٠" is not HOST:PORT'),  # digits to int(), not to sockets
    ("--allow-probe-cidr", "loopback", '"loopback" is not a network; write for example 127.0.0.0/8'),
    ("--allow-probe-cidr", "10.1.2.3/8", '"10.1.2.3/8" is not a network; write for example 10.0.0.0/8'),
    ("--allow-probe-cidr", "127.0.0.0/8,0.0.0.0/33", '"0.0.0.0/33" is not a network'),
    ("--max-policies-per-namespace", "many", '"many" is not a number; write for example 100, or 0 for no limit'),
    ("--max-policies-per-namespace", "-1", '"-1" is not a number'),
    ("--max-providers-per-namespace", "1.5", '"1.5" is not a number'),
    ("--max-providers-per-namespace", "1" * 10, '"1111111111" is not a number'),
    ("--leader-elect", "perhaps", '"perhaps" is neither true nor false'),
    ("--publish-secrets", "yes", '"yes" is neither true nor false'),
    ("--lease-name", "Our Lease", '"Our Lease" is not the name of a Lease'),
    ("--lease-namespace", "A", '"A" is not the name of a namespace'),
    ("--lease-duration", "10", '"10" is not a duration from 2s to 600s'),
    ("--lease-duration", "1s", '"1s" is not a duration from 2s to 600s'),
    ("--hints-listen", "8443", '"8443" is not HOST:PORT'),
    ("--hints-insecure", "yes", '"yes" is neither true nor false'),
    (
        "--hints-service",
        "hints",
        '"hints" is not NAMESPACE/NAME of a Service; write for example providerswitch-system/',
    ),
    ("--hints-service", "a/b/c", '"a/b/c" is not NAMESPACE/NAME of a Service'),
    ("--hints-service", "infra/", '"infra/" is not NAMESPACE/NAME of a Service'),
    ("--max-override-duration", "59s", '"59s" is not a duration from 1m to 24h; write for example 12h'),
    ("--max-override-duration", "24h1s", '"24h1s" is not a duration from 1m to 24h'),
    ("--keep-finished", "1", '"1" is not a duration from 1m to 720h'),
    ("--keep-finished", "721h", '"721h" is not a duration from 1m to 720h'),
    ("--log-level", "loud", '"loud" is not known; write one of debug, info, warning, error'),
    ("--log-format", "xml", '"xml" is not known; write one of json, text'),
]
VARIABLES = {flag: variable for flag, variable, _, _ in FLAGS}


def parse(*arguments: str, environ: Mapping[str, str] | None = None) -> Settings:
    parser = argparse.ArgumentParser(prog="providerswitch run")
    add_flags(parser, environ or {})
    return read_settings(parser.parse_args(arguments))


def changes(settings: Settings) -> dict[str, object]:
    """Return what differs from the defaults."""
    default = parse()
    names = Settings.__slots__  # type: ignore[attr-defined]  # made by dataclass
    return {name: getattr(settings, name) for name in names if getattr(settings, name) != getattr(default, name)}


def test_the_defaults_are_these() -> None:
    assert parse() == Settings(
        kubeconfig=None,
        namespaces=(),
        listen=("0.0.0.0", 8080),
        allowed_networks=(),
        ca_file=None,
        log_level="info",
        log_format="json",
        limits=Limits(policies=100, providers=1000),
        leader_elect=False,
        lease_name="providerswitch",
        lease_namespace=None,
        lease_seconds=10.0,
        longest_override=timedelta(hours=24),
        keep_finished=timedelta(hours=24),
    )


def test_every_flag_has_a_case_here() -> None:
    assert GOOD.keys() == VARIABLES.keys()


@pytest.mark.parametrize("flag", VARIABLES)
def test_a_flag_sets_its_setting_and_no_other(flag: str) -> None:
    text, expected = GOOD[flag]

    assert changes(parse(flag, text)) == expected


@pytest.mark.parametrize("flag", VARIABLES)
def test_its_environment_variable_does_the_same(flag: str) -> None:
    text, expected = GOOD[flag]

    assert changes(parse(environ={VARIABLES[flag]: text})) == expected


@pytest.mark.parametrize("flag", VARIABLES)
def test_the_flag_wins_over_the_environment(flag: str) -> None:
    text, expected = GOOD[flag]
    other = {
        "--listen": "0.0.0.0:1",
        "--allow-probe-cidr": "10.0.0.0/8",
        "--max-policies-per-namespace": "7",
        "--max-providers-per-namespace": "7",
        "--leader-elect": "false",
        "--lease-duration": "3s",
        "--publish-secrets": "true",
        "--max-override-duration": "3h",
        "--keep-finished": "4h",
        "--log-level": "error",
        "--log-format": "json",
    }

    settings = parse(flag, text, environ={VARIABLES[flag]: other.get(flag, "other")})

    assert changes(settings) == expected


@pytest.mark.parametrize("flag", VARIABLES)
def test_an_empty_environment_variable_counts_as_not_set(flag: str) -> None:
    assert parse(environ={VARIABLES[flag]: ""}) == parse()


@pytest.mark.parametrize(("flag", "text", "says"), BAD)
def test_a_bad_value_is_refused_and_the_user_told_what_to_write(
    flag: str, text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        parse(f"{flag}={text}")

    assert exit_.value.code == 2
    assert f"argument {flag}: {says}" in capsys.readouterr().err


@pytest.mark.parametrize(("flag", "text", "says"), BAD)
def test_a_bad_environment_variable_is_refused_the_same_way_by_its_name(
    flag: str, text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        parse(environ={VARIABLES[flag]: text})

    assert exit_.value.code == 2
    told = capsys.readouterr().err
    assert says in told
    assert f"(flag or {VARIABLES[flag]})" in told


def test_a_bad_environment_variable_does_not_matter_where_a_flag_replaces_it() -> None:
    assert parse("--listen", "localhost:1", environ={"PROVIDERSWITCH_LISTEN": "nonsense"}).listen == ("localhost", 1)


@pytest.mark.parametrize(("flag", "variable"), VARIABLES.items())
def test_help_lists_the_flag_its_meaning_and_its_variable(
    flag: str, variable: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        parse("--help")

    assert exit_.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"[{variable}]" in told.rpartition(f" {flag} ")[2].partition(" --")[0]


def test_variables_are_the_projects_own_but_for_kubeconfig() -> None:
    assert {name for name in VARIABLES.values() if not name.startswith("PROVIDERSWITCH_")} == {"KUBECONFIG"}
