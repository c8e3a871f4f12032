"""A cluster whose own rules refuse what is published: the user is told why, and the end of it is noticed."""

import json
from typing import Any

from tests.support.eventually import eventually
from tests.support.scene import POLICY, Scene

NAME = f"{POLICY}-provider"


def admission(scene: Scene) -> list[dict[str, Any]]:
    """Return a policy of the cluster that refuses config maps which name the backup."""
    name = f"no-backup-{scene.namespace}"
    group = "admissionregistration.k8s.io/v1"
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}]
    validation = {"expression": 'object.data.LLM_PROVIDER != "backup"', "message": "the backup is not allowed here"}
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": scene.namespace}}}
    spec = {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules}, "validations": [validation]}
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": here}
    return [
        {"apiVersion": group, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": spec},
        {"apiVersion": group, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": binding},
    ]


def tried(scene: Scene, provider: str) -> str:
    """Return what the API server says to a config map of somebody else, which is not made."""
    literal = f"--from-literal=LLM_PROVIDER={provider}"
    return scene.kubectl("create", "cm", "x", literal, "--dry-run=server", "-n", scene.namespace).stderr


async def test_a_quota_that_is_used_up_is_told_and_its_end_is_noticed(scene: Scene) -> None:
    await scene.provider("openai")
    await scene.run("create", "quota", "few", "--hard=configmaps=0")
    counted = json.dumps({"status": {"hard": {"configmaps": "0"}, "used": {"configmaps": "0"}}})  # nobody else counts
    await scene.run("patch", "quota", "few", "--subresource=status", "--type=merge", "-p", counted)
    await eventually(lambda: "exceeded quota" in tried(scene, "openai"), within=20)
    await scene.apply(scene.secret(), scene.policy())
    ready = await scene.becomes("Ready", "False", "PublishRefused", within=30)
    assert "exceeded quota: few" in ready["message"]
    await scene.run("delete", "quota", "few")
    await scene.serves("openai", within=40)
    await scene.becomes("Ready", "True", "PrimaryHealthy")


async def test_an_admission_policy_that_refuses_a_choice_leaves_the_former_and_is_told(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    made = admission(scene)
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": made})
    await scene.run("apply", "-f", "-", stdin=listed)
    try:
        await eventually(lambda: "not allowed" in tried(scene, "backup"), within=20)
        await scene.edit(primary="backup")
        ready = await scene.becomes("Ready", "False", "PublishRefused", within=30)
        assert "the backup is not allowed here" in ready["message"]
        assert (await scene.look("configmap", NAME))["data"]["LLM_PROVIDER"] == "openai"
    finally:
        await scene.run("delete", "-f", "-", stdin=listed)
    await scene.serves("backup", within=40)
