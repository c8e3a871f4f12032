"""The main job, over real sockets and a real API server: choose, publish, switch, fail over, fail back."""

import json

import pytest
from tests.support.eventually import eventually
from tests.support.scene import POLICY, QUICK, Scene, key_of

from providerswitch.demo.fakes import Fault

FAULTS = [
    (Fault.REFUSE, "ConnectRefused"),
    (Fault.RESET, "Reset"),
    (Fault.HANG, "Timeout"),
    (Fault.SERVER_ERROR, "ServerError"),
    (Fault.OVERLOADED, "Overloaded"),
    (Fault.GARBAGE, "Protocol"),
    (Fault.TRUNCATED, "Protocol"),
]


async def test_the_primary_is_published_once_it_has_answered(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    data = await scene.serves("openai")
    provider = scene.providers["openai"]
    assert {key: data[key] for key in data if key != "provider.json"} == {
        "LLM_PROVIDER": "openai",
        "LLM_MODEL": "model-of-openai",
        "LLM_BASE_URL": provider.base_url,
        "LLM_PROTOCOL": "openai",
        "LLM_REVISION": "1",
        "LLM_SECRET_NAME": "llm-keys",
        "LLM_SECRET_KEY": "openai",
        "OPENAI_BASE_URL": provider.base_url,
        "OPENAI_API_BASE": provider.base_url,
    }
    assert json.loads(data["provider.json"])["fallbacks"][0]["name"] == "backup"


async def test_a_user_sees_the_state_in_one_line_and_can_wait_for_it(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    await scene.run("wait", "--for=condition=Ready", "pswitch", POLICY, "--timeout=10s")
    header, line = (await scene.run("get", "pswitch")).splitlines()
    assert header.split() == ["NAME", "PRIMARY", "ACTIVE", "READY", "FAILEDOVER", "REASON", "AGE"]
    assert line.split()[:6] == [POLICY, "openai", "openai", "True", "False", "PrimaryHealthy"]


async def test_an_edit_of_the_primary_switches_and_is_told(scene: Scene) -> None:
    await scene.opens("openai", "anthropic")
    await scene.edit(primary="anthropic")
    data = await scene.serves("anthropic")
    assert data["LLM_REVISION"] == "2"
    assert (await scene.status())["history"][0]["trigger"] == "ManualSwitch"
    assert 'from "openai" to "anthropic"' in await scene.told("Switched")
    assert "Switched" in await scene.run("describe", "pswitch", POLICY)


@pytest.mark.parametrize(("fault", "health_class"), FAULTS, ids=[fault.value for fault, _ in FAULTS])
async def test_an_outage_of_the_primary_fails_over_and_its_end_fails_back(
    scene: Scene, fault: Fault, health_class: str
) -> None:
    await scene.opens("openai", "backup")
    await scene.providers["openai"].behave(fault)
    await scene.serves("backup")
    entry = (await scene.status())["history"][0]
    assert (entry["from"], entry["to"], entry["trigger"], entry["outcome"]) == (
        "openai",
        "backup",
        "Failover",
        "Succeeded",
    )
    assert entry["rejected"][0]["provider"] == "openai"
    assert (await scene.provider_status("openai"))["healthClass"] == health_class
    assert (await scene.condition("Ready"))["status"] == "True"
    await scene.becomes("FailedOver", "True", "FailedOver")
    assert "FailedOver" in [reason for reason, _ in await scene.events()]

    await scene.providers["openai"].behave(Fault.HEALTHY)
    await scene.serves("openai")
    assert (await scene.status())["history"][0]["trigger"] == "Failback"
    assert "openai" in await scene.told("FailedBack")
    assert (await scene.condition("FailedOver"))["status"] == "False"


async def test_a_single_failed_probe_changes_nothing(scene: Scene) -> None:
    await scene.opens("openai", "backup", healthCheck={**QUICK, "failureThreshold": 100})
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    await eventually(lambda: scene.providers["openai"].first_failure_at)
    await scene.providers["openai"].behave(Fault.HEALTHY)
    probes = await scene.operator.metric("providerswitch_probes_total")

    async def probed_on() -> bool:
        return await scene.operator.metric("providerswitch_probes_total") > probes + 4

    await eventually(probed_on, within=10)
    assert (await scene.status())["activeProvider"] == "openai"
    assert len((await scene.status())["history"]) == 1


async def test_a_long_rate_limit_moves_consumers_without_a_blacklist_and_they_return(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    await scene.providers["openai"].behave(Fault.RATE_LIMITED, seconds=4)
    await scene.serves("backup")
    status = await scene.provider_status("openai")
    assert status["state"] == "RateLimited"
    assert "blacklistedUntil" not in status
    await scene.providers["openai"].behave(Fault.HEALTHY)
    await scene.serves("openai")
    assert "rate limited" in await scene.told("ProviderRateLimited")


async def test_a_rejected_key_fails_over_and_its_correction_fails_back(scene: Scene) -> None:
    await scene.opens("openai", "backup", failover={"blacklistDuration": "1h"})
    await scene.apply(scene.secret(openai="sk-revoked"))
    await scene.serves("backup")
    assert (await scene.provider_status("openai"))["healthClass"] == "AuthInvalid"
    assert "AuthInvalid" in await scene.told("ProviderDown")
    await scene.apply(scene.secret())
    await scene.serves("openai")


async def test_with_all_providers_down_the_last_good_choice_stays_published(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    for provider in scene.providers.values():
        await provider.behave(Fault.SERVER_ERROR)
    ready = await scene.becomes("Ready", "False", "NoHealthyProvider")
    assert '"openai" stays published' in ready["message"]
    assert (await scene.serves("openai"))["LLM_REVISION"] == "1"
    await scene.providers["backup"].behave(Fault.HEALTHY)
    await scene.serves("backup")
    await scene.becomes("Ready", "True", "FailedOver")


async def test_when_every_host_falls_silent_nothing_is_switched(scene: Scene) -> None:
    await scene.opens("openai", "backup", "third")
    for provider in scene.providers.values():
        await provider.behave(Fault.REFUSE)
    await scene.becomes("Frozen", "True", "LocalNetworkFault")
    assert "this cluster's own network" in await scene.told("Frozen")
    await scene.providers["third"].behave(Fault.HEALTHY)
    await scene.becomes("Frozen", "False", "NetworkWorks")
    await scene.serves("third")
    assert len((await scene.status())["history"]) == 2


async def test_in_manual_mode_only_a_person_switches(scene: Scene) -> None:
    await scene.opens("openai", "backup", failover={"mode": "Manual", "blacklistDuration": "0s"})
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    ready = await scene.becomes("Ready", "False", "ActiveProviderDown")
    assert 'edit spec.primary to "backup"' in ready["message"]
    assert (await scene.status())["activeProvider"] == "openai"
    await scene.edit(primary="backup")
    await scene.serves("backup")


async def test_a_switch_to_a_dead_provider_is_refused_until_it_is_well(scene: Scene) -> None:
    await scene.opens("openai", "backup", failover={"mode": "Manual", "blacklistDuration": "0s"})
    await scene.providers["backup"].behave(Fault.SERVER_ERROR)

    async def down() -> bool:
        return (await scene.provider_status("backup")).get("state") == "Down"

    await eventually(down, within=10)
    await scene.edit(primary="backup")
    ready = await scene.becomes("Ready", "False", "SwitchRefused")
    assert '"openai" stays active' in ready["message"]
    await scene.providers["backup"].behave(Fault.HEALTHY)
    await scene.serves("backup")


async def test_manual_failback_waits_for_a_person(scene: Scene) -> None:
    await scene.opens("openai", "backup", failover={"failback": "Manual", "blacklistDuration": "0s"})
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    await scene.serves("backup")
    await scene.providers["openai"].behave(Fault.HEALTHY)

    async def recovered() -> bool:
        return (await scene.provider_status("openai")).get("state") == "Healthy"

    await eventually(recovered, within=10)
    assert (await scene.status())["activeProvider"] == "backup"
    await scene.run("annotate", "pswitch", POLICY, "providerswitch.dev/failback-requested-at=now")
    await scene.serves("openai")


async def test_wire_formats_differ_and_consumers_keep_the_openai_protocol(scene: Scene) -> None:
    await scene.provider("openai", "openai")
    await scene.provider("claude", "anthropic")
    await scene.provider("gemini", "google")
    await scene.apply(scene.secret(), scene.policy())
    await scene.serves("openai")
    await scene.edit(primary="gemini")
    data = await scene.serves("gemini")
    assert data["LLM_PROTOCOL"] == "openai"
    assert data["OPENAI_BASE_URL"].endswith("/v1beta/openai")
    await scene.edit(primary="claude", protocol="native")
    data = await scene.serves("claude")
    assert data["LLM_PROTOCOL"] == "anthropic"
    assert data["ANTHROPIC_BASE_URL"] == scene.providers["claude"].base_url
    assert "OPENAI_BASE_URL" not in data


async def test_two_policies_share_the_probes_of_one_provider(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    await scene.apply(scene.policy("second"))

    async def active() -> bool:
        return (await scene.status("second")).get("activeProvider") == "openai"

    await eventually(active, within=10)
    assert await scene.operator.metric("providerswitch_policies") == 2
    assert await scene.operator.metric("providerswitch_probe_targets") == 2


async def test_in_steady_state_nothing_is_written(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    await scene.becomes("Ready", "True", "PrimaryHealthy")
    before = [(await scene.look(kind, name))["metadata"]["resourceVersion"] for kind, name in WRITTEN]
    probes = await scene.operator.metric("providerswitch_probes_total")

    async def probed_on() -> bool:
        return await scene.operator.metric("providerswitch_probes_total") > probes + 6

    await eventually(probed_on, within=10)
    after = [(await scene.look(kind, name))["metadata"]["resourceVersion"] for kind, name in WRITTEN]
    assert after == before


WRITTEN = (("pswitch", POLICY), ("configmap", f"{POLICY}-provider"))


async def test_no_key_shows_anywhere_but_in_its_secret(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    await scene.providers["openai"].behave(Fault.BAD_KEY)
    await scene.serves("backup")
    seen = await scene.run("get", "pswitch,configmap,events.events.k8s.io", "-o", "yaml") + scene.operator.text
    seen += str(await scene.operator.samples("providerswitch_probes_total"))
    assert "openai" in seen
    assert not [name for name in scene.providers if key_of(name) in seen]
