"""The way back to an earlier configuration: by command and by kubectl, on a real API server."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.gitops.verdicts import TRACKING_ANNOTATION, TRACKING_LABELS, tracks
from tests.support.control_plane import ControlPlane
from tests.support.eventually import eventually
from tests.support.operator_process import ROOT, OperatorProcess
from tests.support.scene import POLICY, Scene, key_of

Object = dict[str, Any]
MANAGER = "argocd-controller"
SERVER_SIDE = ("apply", "--server-side", f"--field-manager={MANAGER}", "--force-conflicts", "-f", "-")
OURS = "providerswitch.dev/policy=assistant"


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str


async def command(scene: Scene, *args: str, kubeconfig: Path | None = None) -> Done:
    """Run `providerswitch` as a user does."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "providerswitch", *args, "-n", scene.namespace),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT / "operator"),
            "KUBECONFIG": str(kubeconfig or scene.kubectl.kubeconfig),
        },
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return Done(process.returncode or 0, out.decode(), err.decode())


async def history(scene: Scene) -> list[Object]:
    """Return the ControllerRevisions, oldest first."""
    listed = json.loads(await scene.run("get", "controllerrevisions", "-l", OURS, "-o", "json"))["items"]
    return sorted(listed, key=lambda obj: int(obj["revision"]))


async def recorded(scene: Scene, *numbers: int) -> list[Object]:
    """Wait until just these are kept, the last of them as the last good, and return them."""

    async def there() -> list[Object] | None:
        found = await history(scene)
        good = [obj["revision"] for obj in found if "providerswitch.dev/last-good" in obj["metadata"]["labels"]]
        return found if [obj["revision"] for obj in found] == [*numbers] and good == [*numbers[-1:]] else None

    try:
        return await eventually(there, within=15) or []
    except AssertionError as error:
        raise AssertionError(f"{await history(scene)}\n{scene.operator.text}") from error


async def spec_of(scene: Scene) -> Object:
    return dict((await scene.look("pswitch", POLICY))["spec"])


async def opens_with_two(scene: Scene) -> tuple[Object, Object]:
    """Have two configurations, openai's and then backup's; return their specs."""
    await scene.opens("openai", "backup")
    first = await spec_of(scene)
    await recorded(scene, 1)
    await scene.edit(
        primary="backup", schedule=[{"name": "n", "cron": "0 3 * * *", "duration": "1h", "primary": "openai"}]
    )
    await scene.serves("backup")
    await recorded(scene, 1, 2)
    return first, await spec_of(scene)


async def test_each_configuration_is_kept_with_the_defaults_of_the_server_and_without_any_key(scene: Scene) -> None:
    specs = await opens_with_two(scene)
    found = await history(scene)
    assert tuple(obj["data"]["spec"] for obj in found) == specs
    assert found[0]["data"]["spec"]["revisionHistoryLimit"] == 10
    owner = found[0]["metadata"]["ownerReferences"]
    assert [(each["kind"], each["controller"], each["blockOwnerDeletion"]) for each in owner] == [
        ("ProviderSwitchPolicy", True, False)
    ]
    assert all(key_of(name) not in json.dumps(found) for name in scene.providers)


async def test_what_is_kept_goes_with_the_policy(scene: Scene) -> None:
    await opens_with_two(scene)
    await scene.run("delete", "pswitch", POLICY)

    async def gone() -> bool:
        return await history(scene) == []

    await eventually(gone, within=15)


async def test_the_command_lists_and_compares(scene: Scene) -> None:
    _, second = await opens_with_two(scene)
    table = (await command(scene, "revisions", POLICY)).out.splitlines()
    assert table[0].split() == ["REVISION", "NAME", "ACCEPTED", "FIRST", "PRIMARY", "IS"]
    assert table[1].endswith("backup    present, last good")
    assert table[2].endswith("openai")
    listed = json.loads((await command(scene, "revisions", POLICY, "-o", "json")).out)
    assert yaml.safe_load((await command(scene, "revisions", POLICY, "-o", "yaml")).out) == listed
    assert [(each["revision"], each["present"], each["lastGood"]) for each in listed["revisions"]] == [
        (2, True, True),
        (1, False, False),
    ]
    assert listed["revisions"][0]["spec"] == second
    diff = await command(scene, "revisions", POLICY, "--diff", "1")
    assert (diff.code, diff.err) == (0, "")
    assert {"-  primary: backup", "+  primary: openai"} <= set(diff.out.splitlines())
    assert "\033" not in diff.out


async def test_the_command_returns_to_the_configuration_before(scene: Scene) -> None:
    first, second = await opens_with_two(scene)
    await scene.run("label", "pswitch", POLICY, "team=chat")
    before = (await scene.look("pswitch", POLICY))["metadata"]
    rehearsed = await command(scene, "rollback", POLICY, "--dry-run")
    assert (rehearsed.code, await spec_of(scene)) == (0, second)
    assert "+  primary: openai" in rehearsed.out
    done = await command(scene, "rollback", POLICY)
    assert (done.code, done.err) == (0, "")
    assert "The operator takes it in as revision 3." in done.out
    assert await spec_of(scene) == first
    await scene.serves("openai")
    assert [obj["data"]["spec"] for obj in await recorded(scene, 2, 3)] == [second, first]
    after = (await scene.look("pswitch", POLICY))["metadata"]
    assert [after.get(each) for each in ("labels", "annotations", "finalizers")] == [
        before.get(each) for each in ("labels", "annotations", "finalizers")
    ]


async def test_two_rollbacks_without_a_number_go_there_and_back(scene: Scene) -> None:
    first, second = await opens_with_two(scene)
    for number, spec in ((3, first), (4, second)):
        assert (await command(scene, "rollback", POLICY)).code == 0
        assert await spec_of(scene) == spec
        await recorded(scene, number - 1, number)


async def test_a_spec_that_is_not_in_force_is_left_for_the_last_that_was(scene: Scene) -> None:
    _, second = await opens_with_two(scene)
    bad = [scene.listed("openai"), {**scene.listed("backup"), "baseURL": "http://[::1]:1"}]
    await scene.edit(providers=bad, publish={"service": {"name": "llm"}})
    await scene.becomes("Ready", "False", "SpecInvalid")
    assert "is not in force" in (await command(scene, "revisions", POLICY)).out
    assert (await command(scene, "rollback", POLICY)).code == 0
    assert await spec_of(scene) == second
    await scene.serves("backup")
    await recorded(scene, 1, 4)


async def test_kubectl_alone_returns_to_a_configuration(scene: Scene) -> None:
    first, _ = await opens_with_two(scene)
    chosen = f"{OURS},providerswitch.dev/generation=1"
    spec = await scene.run("get", "controllerrevisions", "-l", chosen, "-o", "jsonpath={.items[0].data.spec}")
    patch = f'[{{"op": "replace", "path": "/spec", "value": {spec}}}]'
    await scene.run("patch", "pswitch", POLICY, "--type=json", "-p", patch)
    assert await spec_of(scene) == first
    await scene.serves("openai")
    await recorded(scene, 2, 3)
    good = await scene.run(
        "get", "controllerrevisions", "-l", f"{OURS},providerswitch.dev/last-good=true", "-o", "name"
    )
    assert len(good.split()) == 1


async def test_a_write_that_names_an_older_version_changes_nothing(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    before = (await scene.look("pswitch", POLICY))["metadata"]["resourceVersion"]
    await scene.edit(primary="backup")
    stale = [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": before},
        {"op": "replace", "path": "/spec/primary", "value": "openai"},
    ]
    command = ("patch", "pswitch", POLICY, "--type=json", "-p", json.dumps(stale), "-n", scene.namespace)
    done = await asyncio.to_thread(scene.kubectl, *command)
    assert "(Conflict)" in done.stderr or "the object has been modified" in done.stderr
    assert (await spec_of(scene))["primary"] == "backup"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("rollback", POLICY, "--to-revision", "7"), "There is no revision 7. There are: 2, 1."),
        (("rollback", POLICY, "--to-revision", "2"), "The spec is that of revision 2 already."),
        (("revisions", "nobody"), 'There is no policy "nobody"'),
    ],
    ids=["no-such-revision", "nothing-to-do", "no-such-policy"],
)
async def test_what_cannot_be_done_is_refused_with_a_sentence(scene: Scene, args: Sequence[str], says: str) -> None:
    await opens_with_two(scene)
    before = (await scene.look("pswitch", POLICY))["metadata"]["generation"]
    done = await command(scene, *args)
    assert (done.code, done.out) == (1, "")
    assert says in done.err
    assert (await scene.look("pswitch", POLICY))["metadata"]["generation"] == before


async def token_with(scene: Scene, *rules: str) -> str:
    """Return the token of an account with a Role of these rights."""
    verbs = [f"--verb={each}" for each in rules[0].split(",")]
    for index, resource in enumerate(rules[1:]):
        await scene.run("create", "role", f"some-{index}", *verbs, f"--resource={resource}")
        binding = ("create", "rolebinding", f"some-{index}", f"--role=some-{index}")
        await scene.run(*binding, f"--serviceaccount={scene.namespace}:person")
    await scene.run("create", "serviceaccount", "person")
    return (await scene.run("create", "token", "person")).strip()


async def test_a_person_without_a_right_reads_which_one(scene: Scene, installed: ControlPlane, tmp_path: Path) -> None:
    _, second = await opens_with_two(scene)
    reading = ("get,list", "providerswitchpolicies.providerswitch.dev", "controllerrevisions.apps")
    kubeconfig = installed.kubeconfig_for_token(await token_with(scene, *reading), tmp_path / "person.kubeconfig")
    assert (await command(scene, "revisions", POLICY, kubeconfig=kubeconfig)).code == 0
    done = await command(scene, "rollback", POLICY, kubeconfig=kubeconfig)
    assert done.code == 1
    assert "You lack a right" in done.err
    assert 'cannot patch resource "providerswitchpolicies"' in done.err
    assert await spec_of(scene) == second


async def test_a_limit_of_none_keeps_the_present_one_alone(scene: Scene) -> None:
    await opens_with_two(scene)
    await scene.edit(revisionHistoryLimit=0)
    await recorded(scene, 3)


async def test_a_limit_of_two_keeps_two_before_the_present_one(scene: Scene) -> None:
    await scene.opens("openai", "backup", revisionHistoryLimit=2)
    for generation in (2, 3, 4, 5):
        await scene.edit(failover={"minDwell": f"{generation}s"})
        await recorded(scene, *range(max(1, generation - 2), generation + 1))


async def test_a_policy_of_32_providers_is_kept_and_comes_back_whole(scene: Scene) -> None:
    await scene.opens("openai")
    one = scene.listed("openai")
    many = [
        one,
        *({**one, "name": f"p{number}", "headers": {f"x-{i}": "v" * 200 for i in range(16)}} for number in range(31)),
    ]
    await scene.edit(providers=many)
    await recorded(scene, 1, 2)
    large = await spec_of(scene)
    await scene.edit(providers=[one])
    await recorded(scene, 2, 3)
    assert (await command(scene, "rollback", POLICY)).code == 0
    assert await spec_of(scene) == large


async def test_a_restart_makes_no_second_one(scene: Scene) -> None:
    await opens_with_two(scene)
    before = await history(scene)
    await scene.operator.stop(signal.SIGKILL)
    scene.operator = OperatorProcess(scene.operator.kubeconfig, scene.operator.flags)
    await scene.operator.start()
    await scene.operator.ready()
    await eventually(lambda: "decision" in scene.operator.text, within=20)
    await scene.edit(primary="openai")
    await recorded(scene, 1, 2, 3)
    after = {obj["metadata"]["uid"]: obj["metadata"]["resourceVersion"] for obj in await history(scene)}
    assert after[before[0]["metadata"]["uid"]] == before[0]["metadata"]["resourceVersion"]


async def test_the_next_apply_of_a_gitops_tool_wins_over_a_rollback(scene: Scene) -> None:
    for name in ("openai", "backup"):
        await scene.provider(name)
    await scene.apply(scene.secret())
    old, new = (tracked(scene.policy(primary=name)) for name in ("openai", "backup"))
    old["spec"]["schedule"] = [{"name": "n", "cron": "0 3 * * *", "duration": "1h", "primary": "backup"}]
    for source, number in ((old, 1), (new, 2)):
        await scene.run(*SERVER_SIDE, stdin=json.dumps(source))
        await recorded(scene, *range(1, number + 1))
    done = await command(scene, "rollback", POLICY)
    assert "It is managed by Flux (pause it: flux suspend kustomization assistant -n assistant)" in done.out
    await recorded(scene, 2, 3)
    await scene.run(*SERVER_SIDE, stdin=json.dumps(new))
    spec = await spec_of(scene)
    assert spec["primary"] == "backup"
    assert spec.get("schedule"), "what Git does not mention stays, and the guide says so"
    await command(scene, "rollback", POLICY, "--to-revision", "2")
    assert (await spec_of(scene))["schedule"] == []


async def test_what_is_kept_is_neither_tracked_nor_pruned(scene: Scene) -> None:
    await scene.provider("openai")
    await scene.apply(scene.secret())
    source = tracked(scene.policy())
    await scene.apply(source)
    (found,) = await recorded(scene, 1)
    assert tracks(found) == frozenset()
    for label in sorted(TRACKING_LABELS):
        prune = ("apply", "--prune", "-l", f"{label}=assistant", "--prune-allowlist=apps/v1/ControllerRevision")
        await scene.run(*prune, "-f", "-", stdin=json.dumps(source))
    assert await history(scene) == [found]


def tracked(policy: Object) -> Object:
    """Return a policy as the tools mark it."""
    labels = dict.fromkeys(sorted(TRACKING_LABELS), "assistant")
    annotations = {TRACKING_ANNOTATION: f"assistant:providerswitch.dev/ProviderSwitchPolicy:team/{POLICY}"}
    return {**policy, "metadata": {**policy["metadata"], "labels": labels, "annotations": annotations}}
