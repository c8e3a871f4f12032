"""Input that the API server accepts and the operator cannot honour: told, survived, and healed by itself."""

from tests.support.eventually import eventually
from tests.support.scene import POLICY, Scene

from providerswitch.demo.fakes import Fault


async def test_a_missing_secret_is_told_and_its_creation_heals(scene: Scene) -> None:
    await scene.provider("openai")
    await scene.provider("backup")
    await scene.apply(scene.policy())
    ready = await scene.becomes("Ready", "False", "SecretNotFound")
    assert f'Secret "llm-keys" in "{scene.namespace}" does not exist (spec.providers[0].auth).' in ready["message"]
    assert "Create it" in ready["message"]
    await scene.apply(scene.secret())
    await scene.serves("openai")
    await scene.becomes("Ready", "True", "PrimaryHealthy")


async def test_a_missing_key_is_told_without_listing_the_others_and_adding_it_heals(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    providers = [
        scene.listed("openai"),
        {**scene.listed("backup"), "auth": {"secretKeyRef": {"name": "llm-keys", "key": "x"}}},
    ]
    await scene.edit(providers=providers)
    ready = await scene.becomes("Ready", "False", "SecretKeyNotFound")
    assert 'has no key "x" (spec.providers[1].auth)' in ready["message"]
    assert '"backup"' not in ready["message"]
    assert (await scene.serves("openai"))["LLM_SECRET_KEY"] == "openai"
    await scene.apply(scene.secret(x="sk-secret-of-backup-0123456789abcdef"))
    await scene.becomes("Ready", "True", "PrimaryHealthy")


async def test_the_last_good_configuration_of_the_active_provider_stays_while_its_secret_is_missing(
    scene: Scene,
) -> None:
    await scene.opens("openai", "backup")
    await scene.edit(providers=[{**scene.listed("openai"), "auth": {"secretKeyRef": {"name": "nope", "key": "k"}}},
                                scene.listed("backup")])  # fmt: skip
    await scene.becomes("Ready", "False", "SecretNotFound")
    assert (await scene.serves("openai"))["LLM_SECRET_NAME"] == "llm-keys"


async def test_an_outage_is_still_noticed_while_the_active_providers_secret_is_missing(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    other = scene.secret()
    other["metadata"]["name"] = "other-keys"
    await scene.apply(other)
    backup = {**scene.listed("backup"), "auth": {"secretKeyRef": {"name": "other-keys", "key": "backup"}}}
    await scene.edit(providers=[scene.listed("openai"), backup])
    await scene.run("delete", "secret", "llm-keys")
    await scene.becomes("Ready", "False", "SecretNotFound")
    await scene.providers["openai"].behave(Fault.SERVER_ERROR)
    await scene.serves("backup")


async def test_a_key_is_not_sent_to_a_host_that_its_secret_does_not_list(scene: Scene) -> None:
    await scene.provider("openai")
    secret = scene.secret()
    secret["metadata"]["annotations"] = {}
    await scene.apply(secret, scene.policy())
    ready = await scene.becomes("Ready", "False", "KeyHostNotAllowed")
    assert f"add {scene.providers['openai'].host} to the comma-separated list in its annotation" in ready["message"]
    await eventually(lambda: scene.providers["openai"].log)
    assert {exchange.status for exchange in scene.providers["openai"].log} == {401}
    await scene.apply(scene.secret())
    await scene.serves("openai")


async def test_a_key_with_a_line_break_is_told_as_such(scene: Scene) -> None:
    await scene.provider("openai")
    await scene.apply(scene.secret(openai="two\nlines"), scene.policy())
    ready = await scene.becomes("Ready", "False", "SecretKeyInvalid")
    assert "two" not in ready["message"]


async def test_removing_the_active_provider_from_the_spec_moves_to_the_next(scene: Scene) -> None:
    await scene.opens("openai", "backup", "third")
    await scene.edit(primary="backup", providers=[scene.listed("backup"), scene.listed("third")])
    await scene.serves("backup")
    assert [entry["name"] for entry in (await scene.status())["providers"]] == ["backup", "third"]


async def test_malformed_manifests_never_reach_the_operator(scene: Scene) -> None:
    await scene.opens("openai", "backup")
    bad = scene.kubectl("patch", "pswitch", POLICY, "-n", scene.namespace, "--type=merge", "-p",
                        '{"spec":{"primary":"nobody"}}')  # fmt: skip
    assert bad.returncode != 0
    assert 'primary "nobody" is not the name of a listed provider' in bad.stderr
    assert (await scene.serves("openai"))["LLM_REVISION"] == "1"
