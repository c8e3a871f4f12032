"""Which objects a choice becomes, and in which order."""

from tests.publish.choices import build_spec, choose, choose_one

from providerswitch.kube.objects import ObjectKey
from providerswitch.publish.targets import RESOURCES, TargetKey, build_objects, target_key


def test_a_config_map_is_always_written() -> None:
    assert list(build_objects(choose_one())) == [TargetKey("ConfigMap", ObjectKey("team-a", "assistant-provider"))]


def test_the_config_map_comes_first_because_after_a_crash_it_says_what_was_being_done() -> None:
    built = build_objects(choose(build_spec(publish={"service": {"name": "llm"}})))
    assert [(key.kind, key.key.name) for key in built] == [("ConfigMap", "assistant-provider"), ("Service", "llm")]


def test_all_objects_of_a_choice_carry_one_revision_and_one_owner() -> None:
    built = build_objects(choose(build_spec(publish={"service": {"name": "llm"}}))).values()
    assert len({str(obj["metadata"]["annotations"]) for obj in built}) == 1
    assert len({str(obj["metadata"]["ownerReferences"]) for obj in built}) == 1


def test_each_object_is_kept_under_its_own_key_and_its_kind_is_known() -> None:
    spec = build_spec(publish={"service": {"name": "llm"}, "secret": {"name": "keys"}})
    built = build_objects(choose(spec, keys={}))
    assert [target_key(obj) for obj in built.values()] == list(built)
    assert {key.kind for key in built} == set(RESOURCES)


def test_the_resource_of_a_kind_is_where_its_objects_live() -> None:
    for key, obj in build_objects(choose(build_spec(publish={"service": {"name": "llm"}}))).items():
        assert (RESOURCES[key.kind].kind, RESOURCES[key.kind].api_version) == (obj["kind"], obj["apiVersion"])
