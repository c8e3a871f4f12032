"""Who may stand in for whom: nothing that consumers rely on changes silently."""

from typing import Any

import pytest
from tests.publish.choices import build_spec
from tests.support.policies import build_provider

from providerswitch.api.policy import PolicySpec
from providerswitch.core.tasks import misfits_of, order_of, selection_of

JINA = build_provider("jina", model="jina-embeddings-v3")


def misfits(*providers: dict[str, Any], **spec: Any) -> dict[str, str]:
    """Return who may not be chosen, and why; the first provider is the primary."""
    return misfits_of(build_spec(*providers, **spec), None)


def why(*providers: dict[str, Any], **spec: Any) -> str | None:
    """Return why the last provider may not be chosen."""
    return misfits(*providers, **spec).get(providers[-1]["name"])


def requiring(**requirements: Any) -> dict[str, Any]:
    """Return the fields of a spec with these requirements."""
    return {"selection": {"requirements": requirements}}


def test_chat_providers_stand_in_for_each_other_whatever_their_type() -> None:
    types = ("openai", "anthropic", "google")
    vllm = build_provider("vllm", baseURL="http://vllm:8000")
    assert misfits(*(build_provider(each) for each in types), vllm) == {}


def test_a_provider_that_cannot_chat_is_no_backup_of_one_that_does() -> None:
    assert why(build_provider("openai"), JINA) == (
        "it cannot do chat, which is needed; if it can, say so in its capabilities"
    )


def test_what_a_provider_is_said_to_do_is_believed() -> None:
    assert why(build_provider("openai"), build_provider("jina", capabilities=["chat"])) is None


def test_nobody_knows_what_a_plain_http_service_does_so_it_is_believed() -> None:
    assert why(build_provider("openai"), build_provider("own", "http", baseURL="http://own:80")) is None
    assert why(build_provider("own", "http", baseURL="http://own:80"), JINA) is None


def test_the_model_tells_what_a_provider_is_for() -> None:
    embedder = build_provider("openai", model="text-embedding-3-small")
    assert why(build_provider("anthropic"), embedder) is not None
    assert why(embedder, build_provider("anthropic")) is not None


def test_vectors_of_another_space_never_take_over() -> None:
    """At equal length too: they cannot be compared with those that are stored."""
    openai = build_provider("openai", model="text-embedding-3-small")
    assert why(openai, JINA) == (
        'its embedding space is "jina-embeddings-v3", not "text-embedding-3-small": stored vectors would be useless'
    )
    azure = build_provider("azure", "azure-openai", baseURL="https://x.openai.azure.com", model=openai["model"])
    assert why(openai, azure) is None


def test_another_length_of_vectors_is_another_space() -> None:
    space = {"space": "text-embedding-3-large", "dimensions": 3072}
    first = build_provider("openai", model="text-embedding-3-large", embedding=space)
    same = build_provider("vllm", baseURL="http://vllm:8000", model="e5-large", embedding=space)
    short = {**same, "embedding": {**space, "dimensions": 1024}}
    unknown = {**same, "embedding": {"space": space["space"]}}
    assert why(first, same) is None
    assert why(first, short) == "its vectors are of 1024 dimensions, not of 3072"
    assert why(first, unknown) == "its vectors are of unknown length (set embedding.dimensions), not of 3072"


def test_where_nobody_says_which_space_it_is_nothing_takes_over() -> None:
    assert "nobody knows the embedding space" in (why(build_provider("jina"), build_provider("j2", "jina")) or "")
    assert "unknown" in (why(JINA, build_provider("other", "jina")) or "")
    assert "jina" not in misfits(build_provider("jina"), build_provider("j2", "jina")), "it stays what it is itself"


@pytest.mark.parametrize(
    ("requirements", "fields", "expected"),
    [
        (
            {"capabilities": ["vision"]},
            {},
            "it cannot do vision, which is needed; if it can, say so in its capabilities",
        ),
        ({"capabilities": ["vision"]}, {"capabilities": ["chat", "vision"]}, None),
        ({"minContextWindow": 100_000}, {"contextWindow": 100_000}, None),
        (
            {"minContextWindow": 100_000},
            {"contextWindow": 8192},
            "its context window of 8192 tokens is too small; 100000 are required",
        ),
        ({"minContextWindow": 100_000}, {}, "its contextWindow is not set; 100000 are required"),
        ({"regions": ["eu", "ch"]}, {"region": "eu"}, None),
        ({"regions": ["eu", "ch"]}, {"region": "us"}, 'its region is "us"; allowed: eu, ch'),
        ({"regions": ["eu", "ch"]}, {}, "its region is not set; allowed: eu, ch"),
        ({"minQuality": 0.8}, {"quality": 0.8}, None),
        ({"minQuality": 0.8}, {"quality": 0.7}, "its quality is 0.70; at least 0.80 is required"),
        ({"minQuality": 0.8}, {}, "its quality is not known; at least 0.80 is required"),
    ],
)
def test_what_is_required_must_be_declared(
    requirements: dict[str, Any], fields: dict[str, Any], expected: str | None
) -> None:
    vllm = build_provider("vllm", baseURL="http://vllm:8000", **fields)
    assert why(build_provider("openai"), vllm, **requiring(**requirements)) == expected


def test_the_primary_itself_must_fulfil_what_is_required() -> None:
    assert "openai" in misfits(build_provider("openai"), build_provider("anthropic"), **requiring(regions=["eu"]))


def test_consumers_of_a_native_protocol_are_not_sent_to_another_one() -> None:
    providers = (build_provider("openai"), build_provider("anthropic"))
    assert "it speaks the protocol anthropic, consumers speak openai" in (why(*providers, protocol="native") or "")
    assert why(*providers, protocol="openai") is None
    both = requiring(protocols=["openai", "anthropic"])
    assert why(*providers, protocol="native", **both) is None


def with_task(*providers: dict[str, Any], **task: Any) -> PolicySpec:
    """Return a spec with the task `embed`."""
    return build_spec(*providers, tasks=[{"name": "embed", **task}])


class TestTasks:
    OPENAI = build_provider("openai", model="gpt-4o-mini", models={"embed": "text-embedding-3-small"})

    def test_a_task_prefers_the_first_in_order_that_fulfils_its_requirements(self) -> None:
        spec = with_task(build_provider("anthropic"), self.OPENAI, JINA, requirements={"capabilities": ["embeddings"]})
        assert order_of(spec, spec.tasks[0]) == ("openai", "jina", "anthropic")
        assert order_of(spec, None) == ("anthropic", "openai", "jina")

    def test_it_is_judged_by_the_models_of_the_task(self) -> None:
        spec = with_task(self.OPENAI, JINA, requirements={"capabilities": ["embeddings"]})
        found = misfits_of(spec, spec.tasks[0])
        assert found.keys() == {"jina"}
        assert "text-embedding-3-small" in found["jina"]
        assert misfits_of(spec, None).keys() == {"jina"}, "for chat, it lacks the capability"

    def test_its_primary_goes_first_and_stands_model(self) -> None:
        spec = with_task(self.OPENAI, JINA, primary="jina", requirements={"capabilities": ["embeddings"]})
        assert order_of(spec, spec.tasks[0]) == ("jina", "openai")
        assert misfits_of(spec, spec.tasks[0]).keys() == {"openai"}

    def test_what_it_leaves_out_it_has_from_the_policy(self) -> None:
        spec = build_spec(
            self.OPENAI,
            selection={"strategy": "Cost", "window": "5m"},
            tasks=[{"name": "a"}, {"name": "b", "strategy": "Performance"}],
        )
        assert [selection_of(spec, task).strategy for task in spec.tasks] == ["Cost", "Performance"]
        assert selection_of(spec, spec.tasks[1]).window == spec.selection.window

    def test_what_its_requirements_leave_out_holds_as_the_policy_says(self) -> None:
        """Data that may not leave a region may not leave it for a task either."""
        away = build_provider("vllm", baseURL="http://vllm:8000", region="us")
        here = build_provider("tgi", "openai-compatible", baseURL="http://tgi:80", region="eu")
        task = {"name": "embed", "requirements": {"capabilities": ["embeddings"], "embedding": {"space": "m"}}}
        space = {"embedding": {"space": "m"}}
        spec = build_spec({**here, **space}, {**away, **space}, tasks=[task], **requiring(regions=["eu"]))
        assert misfits_of(spec, spec.tasks[0]) == {"vllm": 'its region is "us"; allowed: eu'}
