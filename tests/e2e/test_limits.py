"""Limits of a namespace, as its users and an administrator see them."""

import signal

import pytest
from tests.support.eventually import eventually
from tests.support.operator_process import OperatorProcess
from tests.support.scene import Scene


async def start_limited(scene: Scene, *flags: str) -> None:
    """Replace the operator by one with limits."""
    await scene.operator.stop()
    own = [flag for flag in scene.operator.flags if not flag.startswith("--max-")]
    scene.operator = OperatorProcess(scene.operator.kubeconfig, (*own, *flags))
    scene.stack.push_async_callback(scene.operator.stop)
    await scene.operator.start()
    await scene.operator.ready()


async def ready_of(scene: Scene, name: str) -> dict[str, str]:
    return await scene.condition("Ready", name)


async def stands(scene: Scene, name: str, status: str, reason: str) -> str:
    """Wait until Ready of a policy is so; return its message."""

    async def there() -> str | None:
        found = await ready_of(scene, name)
        return found["message"] if (found.get("status"), found.get("reason")) == (status, reason) else None

    return str(await eventually(there, within=15))


async def make(scene: Scene, *names: str) -> None:
    """Make policies one after the other, each served before the next."""
    for name in names:
        await scene.apply(scene.policy(name))
        await stands(scene, name, "True", "PrimaryHealthy")


async def is_published(scene: Scene, name: str) -> bool:
    return bool(await scene.look("configmap", f"{name}-provider"))


async def test_one_policy_too_many_waits_is_told_why_and_comes_in_when_another_goes(scene: Scene) -> None:
    await start_limited(scene, "--max-policies-per-namespace=2")
    await scene.provider("openai")
    await scene.apply(scene.secret())
    await make(scene, "first", "second")
    await scene.apply(scene.policy("third"))
    told = await stands(scene, "third", "False", "LimitExceeded")

    assert f'"{scene.namespace}" has 3 policies, and the operator serves 2 in a namespace' in told
    assert await scene.told("LimitExceeded") == told
    assert not await is_published(scene, "third")
    over = await scene.operator.metric("providerswitch_policies_over_limit", namespace=scene.namespace)
    assert over == 1
    await scene.run("delete", "pswitch", "first")
    await stands(scene, "third", "True", "PrimaryHealthy")
    assert await is_published(scene, "third")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_restart_serves_and_refuses_the_same(scene: Scene, number: signal.Signals) -> None:
    """The newcomer has the earlier name, and may have been made within the same second."""
    await start_limited(scene, "--max-policies-per-namespace=1")
    await scene.provider("openai")
    await scene.apply(scene.secret())
    await make(scene, "second")
    await scene.apply(scene.policy("first"))
    await stands(scene, "first", "False", "LimitExceeded")
    before = [(await scene.look("pswitch", name))["metadata"]["resourceVersion"] for name in ("first", "second")]
    await scene.operator.stop(number)
    await start_limited(scene, "--max-policies-per-namespace=1")

    await eventually(lambda: scene.operator.metric("providerswitch_reconciles_total"), within=5)
    assert (await ready_of(scene, "first"))["reason"] == "LimitExceeded"
    assert not await is_published(scene, "first")
    assert (await ready_of(scene, "second"))["status"] == "True"
    after = [(await scene.look("pswitch", name))["metadata"]["resourceVersion"] for name in ("first", "second")]
    assert after == before


async def test_a_policy_that_grows_over_the_sum_of_providers_takes_nothing_from_its_neighbour(scene: Scene) -> None:
    await start_limited(scene, "--max-providers-per-namespace=3")
    await scene.provider("openai")
    await scene.apply(scene.secret())
    await make(scene, "first", "second")
    twins = [{**scene.listed("openai"), "name": f"twin-{number}"} for number in range(3)]
    await scene.apply(scene.policy("first", providers=twins, primary="twin-0"))
    told = await stands(scene, "first", "False", "LimitExceeded")

    assert f'The policy lists 3 providers, the others in "{scene.namespace}" hold 1' in told
    assert (await ready_of(scene, "second"))["status"] == "True"
    assert (await scene.look("configmap", "first-provider"))["data"]["LLM_PROVIDER"] == "openai"
    await scene.run("delete", "pswitch", "second")
    await stands(scene, "first", "True", "PrimaryHealthy")
