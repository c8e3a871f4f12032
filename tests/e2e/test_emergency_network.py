"""Trouble on the way to providers: our own freezes all choices, that of one host moves its consumers."""

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from tests.support.control_plane import ControlPlane
from tests.support.emergencies import (
    LONG,
    PROMPT,
    SHORT,
    Sight,
    ask_as_consumer,
    assert_no_key_shows,
    comes,
    headed_by,
    look,
    operating,
    switched,
)
from tests.support.eventually import eventually
from tests.support.fault_server import HOST, once, serving
from tests.support.kubectl import Kubectl
from tests.support.operator_process import OperatorProcess, operator_kubeconfig
from tests.support.played_names import NOBODY_ANSWERS, NamedOperatorProcess, PlayedNames
from tests.support.played_streams import LIST
from tests.support.policies import build_provider
from tests.support.scene import Scene

from providerswitch.api import meta
from providerswitch.demo.fakes import Fault

DAY = timedelta(days=1)
NOW = datetime.now(UTC)
NAMES = ("openai.test", "backup.test")
LOOPBACK = ("--allow-probe-cidr", "127.0.0.0/8")


async def assert_frozen(scene: Scene, before: Sight) -> None:
    """Nothing moves and nobody is accused, for longer than it takes to judge a provider."""
    await comes(scene, lambda seen: seen.condition("Frozen") == ("True", "LocalNetworkFault"))
    probes = await scene.operator.metric("providerswitch_probes_total")
    enough = probes + PROMPT["failureThreshold"] * len(scene.providers)

    async def probed_on() -> bool:
        return bool(await scene.operator.metric("providerswitch_probes_total") >= enough)

    await eventually(probed_on, within=20)
    sight = await look(scene)
    assert sight.published == before.published
    assert nobody_moved(sight)
    (note,) = sight.notes("Frozen")
    assert "this cluster's own network or DNS" in note
    assert sight.condition("Ready") == ("Unknown", "Frozen")
    await assert_no_key_shows(scene, sight)


def nobody_moved(sight: Sight) -> bool:
    return sight.ways == [("Initial", "openai")] and not sight.notes("ProviderDown")


def all_well(sight: Sight) -> bool:
    return {each["state"] for each in sight.status["providers"]} == {"Healthy"}


async def thaws(scene: Scene, before: Sight) -> None:
    """Wait until all is as it was."""
    sight = await comes(scene, lambda seen: seen.condition("Frozen") == ("False", "NetworkWorks") and all_well(seen))
    assert sight.published == before.published
    assert nobody_moved(sight)
    assert sight.notes("Thawed") == ["The network answers again; choices are made as usual."]
    assert sight.condition("Ready") == ("True", "PrimaryHealthy")


async def test_while_every_host_is_silent_nothing_moves_and_afterwards_all_is_as_it_was(scene: Scene) -> None:
    await scene.opens("openai", "backup", "third", healthCheck=PROMPT, failover=LONG)
    before = await look(scene)
    for provider in scene.providers.values():
        await provider.behave(Fault.HANG)
    await assert_frozen(scene, before)
    for provider in scene.providers.values():
        await provider.behave(Fault.HEALTHY)
    await thaws(scene, before)


async def test_a_wish_of_a_person_during_a_freeze_is_granted_after_it(scene: Scene) -> None:
    await scene.opens("openai", "backup", healthCheck=PROMPT, failover=LONG)
    for provider in scene.providers.values():
        await provider.behave(Fault.REFUSE)
    await comes(scene, lambda seen: seen.condition("Frozen")[0] == "True")
    await scene.edit(primary="backup")
    generation = (await scene.look("pswitch", "assistant"))["metadata"]["generation"]
    sight = await comes(scene, lambda seen: seen.status["observedGeneration"] == generation)
    assert sight.published["LLM_PROVIDER"] == "openai"
    for provider in scene.providers.values():
        await provider.behave(Fault.HEALTHY)
    await switched(scene, "ManualSwitch", "backup", '"backup" was made the primary')


@pytest.fixture
def names(tmp_path: Path) -> PlayedNames:
    found = PlayedNames(tmp_path / "names")
    for name in NAMES:
        found.set(name)
    return found


@pytest.fixture
async def named(
    installed: ControlPlane, namespace: str, kubectl: Kubectl, tmp_path: Path, names: PlayedNames
) -> AsyncIterator[Scene]:
    """A policy over two providers, openai and backup, that are reached by their names."""
    flags = ("--namespaces", namespace, *LOOPBACK)
    operator = NamedOperatorProcess(operator_kubeconfig(installed, tmp_path), flags, names=names)
    async with operating(operator, namespace, kubectl) as scene:
        for name in ("openai", "backup"):
            await scene.provider(name)
        hosts = {name: f"{name}.test:{provider.port}" for name, provider in scene.providers.items()}
        listed = [{**scene.listed(name), "baseURL": f"http://{host}/v1"} for name, host in hosts.items()]
        secret = scene.secret()
        secret["metadata"]["annotations"][meta.HOSTS_ANNOTATION] = ",".join(hosts.values())
        await scene.apply(secret, scene.policy(providers=listed, healthCheck=PROMPT, failover=SHORT))
        await scene.serves("openai")
        yield scene


async def test_a_host_whose_name_is_gone_is_left_until_the_name_is_back(named: Scene, names: PlayedNames) -> None:
    names.set("openai.test", None)

    sight = await switched(named, "Failover", "backup", '"openai": down', "the host name does not exist")

    assert sight.provider("openai")["healthClass"] == "Dns"
    assert sight.condition("Frozen")[0] == "False"
    names.set("openai.test")
    await switched(named, "Failback", "openai")


async def test_when_dns_answers_for_no_name_the_fault_is_ours(named: Scene, names: PlayedNames) -> None:
    before = await look(named)
    for name in NAMES:
        names.set(name, NOBODY_ANSWERS)
    await assert_frozen(named, before)
    assert (await look(named)).provider("openai")["healthClass"] == "Dns"
    for name in NAMES:
        names.set(name)
    await thaws(named, before)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def trusting(
    installed: ControlPlane, namespace: str, kubectl: Kubectl, tmp_path: Path, authority: trustme.CA
) -> AsyncIterator[Scene]:
    """A scene whose operator trusts an authority of the test's own."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    flags = ("--namespaces", namespace, *LOOPBACK, "--ca-file", str(tmp_path / "ca.pem"))
    async with operating(OperatorProcess(operator_kubeconfig(installed, tmp_path), flags), namespace, kubectl) as scene:
        yield scene


async def test_a_certificate_that_expires_moves_consumers_until_it_is_renewed(
    trusting: Scene, authority: trustme.CA
) -> None:
    scene, served = trusting, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(served)
    await scene.provider("backup")
    async with serving(once(LIST), served) as server:
        primary = build_provider("secured", "openai-compatible", model="m", baseURL=f"{server.url()}/v1")
        await scene.apply(scene.secret(), headed_by(scene, primary))
        await scene.serves("secured")
        expired = authority.issue_cert(HOST, not_before=NOW - 9 * DAY, not_after=NOW - DAY)
        expired.configure_cert(served)

        sight = await switched(scene, "Failover", "backup", '"secured": down', "TLS certificate has expired")

        assert sight.provider("secured")["healthClass"] == "Tls"
        assert await ask_as_consumer(scene) == "backup"
        authority.issue_cert(HOST).configure_cert(served)
        await switched(scene, "Failback", "secured")


async def test_a_host_that_falls_silent_before_the_others_is_not_accused_when_they_follow(scene: Scene) -> None:
    await scene.opens("openai", "backup", "third", healthCheck=PROMPT, failover=LONG)
    await scene.providers["backup"].behave(Fault.HANG)
    await scene.providers["third"].behave(Fault.HANG)
    await scene.providers["openai"].behave(Fault.REFUSE)
    await comes(scene, lambda seen: seen.condition("Frozen") == ("True", "LocalNetworkFault"))
    for provider in scene.providers.values():
        await provider.behave(Fault.HEALTHY)

    sight = await comes(scene, lambda seen: seen.condition("Frozen")[0] == "False" and all_well(seen))

    assert sight.ways == [("Initial", "openai")]
    assert sight.condition("Ready") == ("True", "PrimaryHealthy")
