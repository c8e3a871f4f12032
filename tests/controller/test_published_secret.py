"""The published Secret in the life of a policy: switches, rotations, losses, drift, restarts. In virtual time."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.controller.played_cluster import CONFIG_MAP, NAMESPACE, PUBLISHED_SECRET, SERVICE, Cluster, PlayedApi, played
from tests.controller.what_users_see import condition, counted, keys, of, restart, switches
from tests.support.policies import AT_ONCE
from tests.support.virtual_time import elapsed
from typing_extensions import override

from providerswitch.api.errors import ApiServerError
from providerswitch.api.health import HealthClass
from providerswitch.kube.client import JSON, Object
from providerswitch.kube.watch import METADATA_ONLY

pytestmark = pytest.mark.looptime(start=0)

SOURCE = f"/api/v1/namespaces/{NAMESPACE}/secrets/llm-keys"
NAMES = ("openai", "backup", "third")
RULES = {"healthCheck": {"interval": "10s"}, "failover": {**AT_ONCE, "blacklistDuration": "30s"}}
PUBLISH = {"secret": {"name": "assistant-llm"}}


class WatchedApi(PlayedApi):
    """Keeps every version of the published Secret, so that what stood for a moment is seen, too."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: list[tuple[float, dict[str, str]]] = []
        self.read: list[str] = []

    @override
    async def request(self, method: str, path: str, *, accept: str = JSON, **how: Any) -> Object:
        if (method, path) == ("GET", PUBLISHED_SECRET):
            self.read.append(accept)
        return await super().request(method, path, accept=accept, **how)

    @override
    def store(self, path: str, body: Object) -> Object:
        stored = super().store(path, body)
        if path == PUBLISHED_SECRET:
            self.versions.append((elapsed(), decoded(stored)))
        return stored


def decoded(secret: Object) -> dict[str, str]:
    return {name: base64.b64decode(value).decode() for name, value in (secret.get("data") or {}).items()}


def key_of(provider: str, version: int = 1) -> str:
    return f"sk-{provider}-v{version}-0123456789"


def put_source(cluster: Cluster, *, consent: bool = True, **versions: int) -> None:
    """Write the Secret with the keys and let its watch tell; the key of each provider has the version given."""
    data = {name: base64.b64encode(key_of(name, versions.get(name, 1)).encode()).decode() for name in NAMES}
    hosts = ",".join(f"{name}.example" for name in NAMES)
    annotations = {"providerswitch.dev/hosts": hosts, "providerswitch.dev/publish": "true" if consent else "no"}
    metadata = {"name": "llm-keys", "namespace": NAMESPACE, "annotations": annotations}
    stored = cluster.api.store(SOURCE, {"kind": "Secret", "metadata": metadata, "data": data})
    cluster.operator.secrets.listener().changed({"metadata": stored["metadata"]})


def lose_source(cluster: Cluster) -> None:
    gone = cluster.api.objects.pop(SOURCE)
    cluster.operator.secrets.listener().deleted({"metadata": gone["metadata"]})


def wanted(generation: int = 1, **spec: Any) -> Object:
    auth = [{"secretKeyRef": {"name": "llm-keys", "key": name}} for name in NAMES]
    providers = [played(name, auth=each) for name, each in zip(NAMES, auth, strict=True)]
    return of(*providers, generation=generation, **{**RULES, "publish": PUBLISH, **spec})


def seen(cluster: Cluster) -> dict[str, str]:
    return decoded(cluster.api.objects[PUBLISHED_SECRET])


def marks(cluster: Cluster) -> set[str]:
    """Return the revisions of the objects that are published."""
    objects = [cluster.api.objects[path] for path in (CONFIG_MAP, PUBLISHED_SECRET)]
    return {obj["metadata"]["annotations"]["providerswitch.dev/revision"] for obj in objects}


def assert_whole(data: Mapping[str, str]) -> None:
    """A reader finds one provider: its name, its address, its key."""
    for prefix in (name.removesuffix("_API_KEY") for name in data if name.startswith("LLM") and "_API_KEY" in name):
        owner = data[f"{prefix}_PROVIDER"]
        assert data[f"{prefix}_API_KEY"].startswith(f"sk-{owner}-")
        assert data[f"{prefix}_BASE_URL"] == f"http://{owner}.example/v1"
    assert data["OPENAI_API_KEY"] == data["LLM_API_KEY"]
    assert data["OPENAI_BASE_URL"] == data["LLM_BASE_URL"]


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster(api=WatchedApi(), publishes_secrets=True)
    made.start()
    yield made
    await made.stop()


async def opened(cluster: Cluster, **spec: Any) -> None:
    put_source(cluster)
    cluster.put(wanted(**spec))
    await asyncio.sleep(15)
    assert seen(cluster)["LLM_API_KEY"] == key_of("openai")


async def test_a_failover_changes_address_and_key_in_one_write_and_one_revision(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.provider("openai").health_class = HealthClass.CONNECT_REFUSED
    await asyncio.sleep(20)

    assert (seen(cluster)["LLM_API_KEY"], marks(cluster)) == (key_of("backup"), {"2"})
    api = cluster.api
    assert isinstance(api, WatchedApi)
    for _, version in api.versions:
        assert_whole(version)
    assert [version["LLM_PROVIDER"] for _, version in api.versions] == ["openai", "backup"]


async def test_a_new_key_is_published_within_a_second_as_a_new_revision_that_is_no_drift(cluster: Cluster) -> None:
    await opened(cluster)
    put_source(cluster, openai=2)
    await asyncio.sleep(1)

    assert (seen(cluster)["LLM_API_KEY"], seen(cluster)["LLM_REVISION"]) == (key_of("openai", 2), "2")
    assert (marks(cluster), keys(cluster)["LLM_REVISION"]) == ({"2"}, "2")
    assert counted(cluster, "drift_repairs_total", kind="Secret") == 0


async def test_a_new_key_of_another_provider_changes_nothing_that_is_published(cluster: Cluster) -> None:
    await opened(cluster)
    put_source(cluster, backup=2)
    await asyncio.sleep(15)
    assert marks(cluster) == {"1"}


async def test_a_key_that_was_renewed_while_nobody_looked_is_a_new_revision_after_the_restart(cluster: Cluster) -> None:
    await opened(cluster)
    obj = wanted()
    await cluster.stop()
    put_source(cluster, openai=2)
    heir = await restart(cluster, obj)
    await asyncio.sleep(15)

    assert (seen(heir)["LLM_API_KEY"], marks(heir)) == (key_of("openai", 2), {"2"})
    assert counted(heir, "drift_repairs_total") == 0
    await heir.stop()


async def test_a_restart_in_calm_writes_nothing(cluster: Cluster) -> None:
    await opened(cluster)
    before = cluster.api.objects[PUBLISHED_SECRET]["metadata"]["resourceVersion"]
    heir = await restart(cluster, wanted())
    await asyncio.sleep(15)
    assert cluster.api.objects[PUBLISHED_SECRET]["metadata"]["resourceVersion"] == before
    await heir.stop()


@pytest.mark.parametrize("again", [False, True], ids=["at once", "after a restart"])
async def test_a_source_that_is_gone_leaves_the_last_good_published(cluster: Cluster, again: bool) -> None:  # noqa: FBT001  # a case
    await opened(cluster)
    lose_source(cluster)
    await asyncio.sleep(5)
    heir = await restart(cluster, wanted()) if again else cluster
    await asyncio.sleep(15)

    assert (seen(heir)["LLM_API_KEY"], marks(heir)) == (key_of("openai"), {"1"})
    assert condition(heir, "Ready")["reason"] == "SecretNotFound"
    await heir.stop()


async def opened_with_a_task(cluster: Cluster) -> None:
    """Have a policy published of which the provider of a task alone has a key."""
    tasks = [{"name": "embed", "primary": "third"}]
    put_source(cluster)
    auth = {"secretKeyRef": {"name": "llm-keys", "key": "third"}}
    providers = [played("openai"), played("backup"), played("third", auth=auth)]
    cluster.put(of(*providers, tasks=tasks, publish=PUBLISH, **RULES))
    await asyncio.sleep(30)
    assert seen(cluster)["LLM_EMBED_API_KEY"] == key_of("third")


async def test_a_new_key_is_not_copied_once_its_consent_is_withdrawn(cluster: Cluster) -> None:
    await opened_with_a_task(cluster)
    put_source(cluster, consent=False, third=2)
    cluster.provider("openai").health_class = HealthClass.CONNECT_REFUSED
    await asyncio.sleep(30)

    assert (seen(cluster)["LLM_PROVIDER"], seen(cluster)["LLM_EMBED_PROVIDER"]) == ("backup", "third")
    assert seen(cluster)["LLM_EMBED_API_KEY"] == key_of("third")


async def test_a_task_keeps_its_key_when_the_policy_switches_while_the_source_is_gone(cluster: Cluster) -> None:
    await opened_with_a_task(cluster)
    lose_source(cluster)
    cluster.provider("openai").health_class = HealthClass.CONNECT_REFUSED
    await asyncio.sleep(30)

    found = seen(cluster)
    assert (found["LLM_PROVIDER"], found["LLM_EMBED_PROVIDER"]) == ("backup", "third")
    assert found["LLM_EMBED_API_KEY"] == key_of("third")
    assert "LLM_API_KEY" not in found


async def test_without_the_consent_of_the_source_nothing_is_published_and_the_user_told(
    cluster: Cluster,
) -> None:
    put_source(cluster, consent=False)
    cluster.put(wanted())
    await asyncio.sleep(15)
    assert PUBLISHED_SECRET not in cluster.api.objects
    ready = condition(cluster, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "KeyNotPublishable")

    put_source(cluster)
    await asyncio.sleep(15)
    assert seen(cluster)["LLM_API_KEY"] == key_of("openai")
    assert condition(cluster, "Ready")["status"] == "True"


async def test_a_running_policy_that_asks_for_the_secret_too_early_keeps_what_it_has(cluster: Cluster) -> None:
    put_source(cluster, consent=False)
    cluster.put(wanted(publish={}))
    await asyncio.sleep(15)
    cluster.put(wanted(generation=2))
    await asyncio.sleep(30)

    assert (cluster.published, switches(cluster)) == ("openai", [(None, "openai", "Initial")])
    assert PUBLISHED_SECRET not in cluster.api.objects


async def test_where_the_administrator_does_not_allow_it_all_else_is_published_and_no_secret_touched() -> None:
    cluster = Cluster(api=WatchedApi())
    cluster.start()
    put_source(cluster)
    cluster.put(wanted(publish={**PUBLISH, "service": {"name": "llm"}}))
    await asyncio.sleep(15)

    assert (cluster.published, SERVICE in cluster.api.objects) == ("openai", True)
    assert {path for _, _, path in cluster.api.asked if "/secrets" in path} == {SOURCE}
    assert condition(cluster, "Ready")["reason"] == "SecretsNotPublished"
    await cluster.stop()


async def edit(cluster: Cluster, **data: str) -> None:
    """Change the published Secret as somebody else."""
    stands = cluster.api.objects[PUBLISHED_SECRET]
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}
    cluster.api.store(PUBLISHED_SECRET, {"metadata": stands["metadata"], "data": {**stands["data"], **encoded}})
    cluster.show("Secret", PUBLISHED_SECRET)
    await asyncio.sleep(1)


async def test_an_edit_is_put_right_within_a_second_under_the_same_revision_and_counted(cluster: Cluster) -> None:
    await opened(cluster)
    await edit(cluster, LLM_BASE_URL="http://evil.example", LLM_API_KEY="sk-evil")
    assert_whole(seen(cluster))
    assert (marks(cluster), counted(cluster, "drift_repairs_total", kind="Secret")) == ({"1"}, 1)


async def test_a_deleted_secret_comes_back_within_a_second_and_is_counted(cluster: Cluster) -> None:
    await opened(cluster)
    gone = cluster.api.objects.pop(PUBLISHED_SECRET)
    cluster.operator.children.listener("Secret").deleted(gone)
    await asyncio.sleep(1)
    assert seen(cluster)["LLM_API_KEY"] == key_of("openai")
    assert counted(cluster, "drift_repairs_total", kind="Secret") == 1


async def test_a_secret_of_somebody_else_is_not_touched_and_its_content_not_read(cluster: Cluster) -> None:
    theirs = {"kind": "Secret", "metadata": {"name": "assistant-llm", "namespace": NAMESPACE}, "data": {"a": "Yg=="}}
    stored = cluster.api.store(PUBLISHED_SECRET, theirs)
    put_source(cluster)
    cluster.put(wanted())
    await asyncio.sleep(15)

    assert cluster.api.objects[PUBLISHED_SECRET] == stored
    assert CONFIG_MAP not in cluster.api.objects
    assert condition(cluster, "Ready")["reason"] == "NotOwned"
    api = cluster.api
    assert isinstance(api, WatchedApi)
    assert set(api.read) == {METADATA_ONLY}


async def test_a_secret_that_is_no_longer_wanted_is_removed(cluster: Cluster) -> None:
    await opened(cluster)
    cluster.put(wanted(generation=2, publish={}))
    await asyncio.sleep(15)
    assert PUBLISHED_SECRET not in cluster.api.objects
    assert SOURCE in cluster.api.objects


async def test_a_refused_secret_puts_the_former_choice_back_and_no_answer_shows_the_key(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await opened(cluster)
    said = f"admission webhook denied {base64.b64encode(key_of('backup').encode()).decode()} and {key_of('backup')}"

    def trouble(method: str, path: str) -> Exception | None:
        return ApiServerError("apply", 422, said) if (method, path) == ("PATCH", PUBLISHED_SECRET) else None

    cluster.api.trouble = trouble
    cluster.put(wanted(generation=2, primary="backup"))
    await asyncio.sleep(60)

    ready = condition(cluster, "Ready")
    assert ready["reason"] == "PublishRefused"
    assert "it quotes an API key" in ready["message"]
    assert (cluster.published, marks(cluster)) == ("openai", {"1"})
    entry = cluster.entry()
    told = f"{caplog.text} {cluster.status} {entry} {cluster.operator.children._seen}"
    told += str([obj for path, obj in cluster.api.objects.items() if "/secrets/" not in path])
    for name in NAMES:
        assert key_of(name) not in told
        assert base64.b64encode(key_of(name).encode()).decode() not in told


CRASHES = [0, 503]


@pytest.mark.parametrize("status", CRASHES)
async def test_the_next_process_finishes_a_switch_that_ended_before_the_secret(cluster: Cluster, status: int) -> None:
    await opened(cluster)
    cluster.api.trouble = lambda method, path: status if (method, path) == ("PATCH", PUBLISHED_SECRET) else None
    cluster.put(wanted(generation=2, primary="backup"))
    await asyncio.sleep(0.1)
    assert (cluster.published, seen(cluster)["LLM_PROVIDER"]) == ("backup", "openai")
    assert_whole(seen(cluster))
    await cluster.stop()
    cluster.api.trouble = lambda _method, _path: None
    heir = await restart(cluster, wanted(generation=2, primary="backup"))
    await asyncio.sleep(15)

    assert (seen(heir)["LLM_API_KEY"], marks(heir)) == (key_of("backup"), {"2"})
    await heir.stop()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("primary"), st.sampled_from(NAMES)),
        st.tuples(st.just("down"), st.sampled_from(NAMES)),
        st.tuples(st.just("up"), st.sampled_from(NAMES)),
        st.tuples(st.just("rotate"), st.sampled_from(NAMES)),
        st.tuples(st.just("lose"), st.just("")),
        st.tuples(st.just("tamper"), st.just("")),
        st.tuples(st.just("outage"), st.sampled_from([CONFIG_MAP, PUBLISHED_SECRET])),
    ),
    max_size=8,
)


async def live(steps: list[tuple[str, str]]) -> list[dict[str, str]]:
    """Let a policy live through what happens; return every version of its Secret but those of the tamperer."""
    api = WatchedApi()
    cluster = Cluster(api=api, publishes_secrets=True)
    cluster.start()
    versions = dict.fromkeys(NAMES, 1)
    put_source(cluster)
    cluster.put(wanted())
    await asyncio.sleep(15)
    tampered: list[int] = []
    for generation, (what, name) in enumerate(steps, 2):
        if what == "primary":
            cluster.put(wanted(generation=generation, primary=name))
        elif what in {"down", "up"}:
            well = HealthClass.HEALTHY if what == "up" else HealthClass.CONNECT_REFUSED
            cluster.provider(name).health_class = well
        elif what == "rotate":
            versions[name] += 1
            put_source(cluster, **versions)
        elif what == "lose" and SOURCE in api.objects:
            lose_source(cluster)
        elif what == "tamper":
            tampered.append(len(api.versions))
            await edit(cluster, LLM_API_KEY="sk-evil")
        elif what == "outage":
            asyncio.get_running_loop().call_later(2, setattr, api, "trouble", lambda _method, _path: None)
            api.trouble = lambda _method, path, name=name: 503 if path == name else None  # type: ignore[misc]  # bound now
        await asyncio.sleep(7)
    await cluster.stop()
    return [version for index, (_, version) in enumerate(api.versions) if index not in tampered]


@given(steps=STEPS)
@settings(max_examples=40)
async def test_no_version_ever_holds_the_key_of_one_provider_and_the_address_of_another(
    steps: list[tuple[str, str]],
) -> None:
    versions = await live(steps)
    assert versions
    for version in versions:
        assert_whole(version)


async def test_the_key_stays_while_an_overridden_provider_has_to_stay_published(cluster: Cluster) -> None:
    await opened(cluster, backups=["backup"])
    cluster.override("calm", "third", "30s")
    await asyncio.sleep(5)
    assert seen(cluster)["LLM_API_KEY"] == key_of("third")
    for name in ("openai", "backup"):
        cluster.provider(name).health_class = HealthClass.SERVER_ERROR
    await asyncio.sleep(60)
    assert condition(cluster, "Ready")["reason"] == "NoHealthyProvider"
    cluster.put(wanted(2, backups=[]))
    await asyncio.sleep(5)
    assert marks(cluster) == {"3"}
    assert_whole(seen(cluster))
    assert seen(cluster)["LLM_API_KEY"] == key_of("third")
