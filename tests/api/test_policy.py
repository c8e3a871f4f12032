"""The spec: what a short policy means, and what is refused with which words."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.support.policies import build_policy, build_provider

from providerswitch.api.health_check import Generation, HealthCheck
from providerswitch.api.policy import Failover, Mode, PolicySpec, Protocol
from providerswitch.api.provider import Provider
from providerswitch.api.provider_types import FACTS, ProviderTypeName

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def read(*providers: Mapping[str, Any], **spec: Any) -> PolicySpec:
    return PolicySpec.model_validate(build_policy("p", "n", *map(dict, providers), **spec)["spec"])


def refusal(*providers: Mapping[str, Any], **spec: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        read(*providers, **spec)
    return "; ".join(error["msg"] for error in caught.value.errors(include_input=False))


def test_the_smallest_policy_gets_the_defaults_of_the_requirements() -> None:
    spec = read(build_provider("openai"), build_provider("anthropic"))
    assert spec.protocol is Protocol.OPENAI
    assert spec.health_check.interval == timedelta(seconds=30)
    assert spec.health_check.timeout == timedelta(seconds=10)
    assert spec.health_check.fast_interval == timedelta(seconds=1)
    assert spec.health_check.failure_threshold == 3
    assert spec.health_check.recovery_threshold == 5
    assert spec.failover.blacklist_duration == timedelta(seconds=300)
    assert spec.failover.mode is Mode.AUTOMATIC
    assert spec.failover.failback is Mode.AUTOMATIC


def test_nothing_that_costs_money_or_makes_more_objects_is_on_by_default() -> None:
    spec = read(build_provider("openai"))
    assert spec.health_check.generation is None
    assert spec.publish.service is None
    assert spec.publish.config_map.name is None


def test_a_group_that_is_named_but_empty_has_the_same_defaults() -> None:
    assert read(healthCheck={}, failover={}, publish={"configMap": {}}) == read()


def test_billed_probes_switched_on_without_more_come_every_ten_minutes() -> None:
    assert read(healthCheck={"generation": {}}).health_check.generation == Generation()
    assert Generation().interval == timedelta(minutes=10)


def test_one_field_of_a_group_leaves_the_others_at_their_defaults() -> None:
    assert read(healthCheck={"failureThreshold": 7}).health_check == HealthCheck(failure_threshold=7)
    assert read(failover={"mode": "Manual"}).failover == Failover(mode=Mode.MANUAL)


def test_without_backups_all_others_may_serve_in_the_order_of_the_list() -> None:
    listed = [build_provider(name) for name in ("jina", "openai", "google", "anthropic")]
    assert read(*listed, primary="google").order() == ("google", "jina", "openai", "anthropic")


def test_backups_say_who_may_serve_and_in_which_order() -> None:
    listed = [build_provider(name) for name in ("jina", "openai", "google", "anthropic")]
    assert read(*listed, primary="openai", backups=["anthropic", "jina"]).order() == ("openai", "anthropic", "jina")


def test_an_empty_list_of_backups_means_none() -> None:
    assert read(build_provider("openai"), build_provider("jina"), backups=[]).order() == ("openai",)


def test_a_primary_that_is_its_own_backup_stands_only_once() -> None:
    listed = [build_provider("openai"), build_provider("jina")]
    assert read(*listed, backups=["jina", "openai"]).order() == ("openai", "jina")


@given(st.data())
def test_the_order_holds_listed_names_once_each_and_begins_with_the_primary(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.from_regex(r"[a-z]{1,3}", fullmatch=True), min_size=1, max_size=8, unique=True))
    primary = data.draw(st.sampled_from(names))
    backups = data.draw(st.none() | st.lists(st.sampled_from(names), max_size=8))
    order = read(*(build_provider(name, "openai") for name in names), primary=primary, backups=backups).order()
    assert order[0] == primary
    assert len(set(order)) == len(order)
    assert set(order) == {primary, *(names if backups is None else backups)}


def test_a_provider_is_found_by_its_name() -> None:
    spec = read(build_provider("a", "openai"), build_provider("b", "jina"))
    found = spec.provider("b")
    assert found is not None
    assert found.type is ProviderTypeName.JINA
    assert spec.provider("c") is None


def test_a_primary_that_is_not_listed_is_refused_by_its_name() -> None:
    assert 'primary: "anthropic" is not the name of a listed provider' in refusal(primary="anthropic")


def test_a_backup_that_is_not_listed_is_refused_by_its_name() -> None:
    assert 'backups: "jina" is not the name of a listed provider' in refusal(backups=["jina"])


def test_two_providers_of_one_name_are_refused() -> None:
    assert "each name may stand only once" in refusal(build_provider("a", "openai"), build_provider("a", "jina"))


@pytest.mark.parametrize("name", [name for name, facts in FACTS.items() if facts.default_base_url is None])
def test_a_type_without_an_address_of_its_own_needs_one(name: ProviderTypeName) -> None:
    told = refusal(build_provider("mine", name))
    assert f'type {name} has no default address; set baseURL of provider "mine"' in told
    assert read(build_provider("mine", name, baseURL="http://mine:8000")).order() == ("mine",)


@pytest.mark.parametrize(
    "url",
    [
        "https://b℀.example/v1",
        "https://[::1/v1",
        "https://b.example:99999",
        "https://b.example:0",
        "https://:80",
        "/v1",
    ],
)
def test_an_address_that_nobody_can_call_is_refused_instead_of_failing_later(url: str) -> None:
    assert 'baseURL of provider "mine" has no host and port that can be called' in refusal(
        build_provider("mine", "openai", baseURL=url)
    )


@pytest.mark.parametrize("host", ["[fd00::1]", "my_vllm", "bücher.example", "a..b", "vllm-"])
def test_a_host_that_no_service_can_point_at_is_refused_only_where_a_service_is_asked_for(host: str) -> None:
    provider = build_provider("mine", "vllm", baseURL=f"http://{host}:8000")
    told = refusal(build_provider("openai"), provider, publish={"service": {"name": "llm"}})
    assert f'no ExternalName can point at "{host.strip("[]")}", the host of provider "mine"' in told
    assert "or leave out publish.service" in told
    assert read(build_provider("openai"), provider).publish.service is None


@pytest.mark.parametrize("host", ["vllm", "VLLM.models.svc", "api.openai.com.", "10.0.0.7", "xn--bcher-kva.example"])
def test_a_service_may_point_at_what_the_api_server_accepts(host: str) -> None:
    provider = build_provider("mine", "vllm", baseURL=f"http://{host}:8000")
    assert read(provider, publish={"service": {"name": "llm"}}).publish.service is not None


@pytest.mark.parametrize(
    "name", ["authorization", "Authorization", "X-API-Key", "api-key", "X-Goog-Api-Key", "Host", "cookie"]
)
def test_a_header_that_carries_a_key_or_steers_routing_is_refused(name: str) -> None:
    told = refusal(build_provider("openai", headers={name: "sk-secret"}))
    assert f'headers of provider "openai" may not set {name}; use auth' in told
    assert "sk-secret" not in told


def test_another_header_is_kept_as_it_is() -> None:
    found = read(build_provider("openai", headers={"X-Team": "search"})).provider("openai")
    assert found is not None
    assert found.headers == {"X-Team": "search"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("interval", "999ms"),
        ("interval", "24h1s"),
        ("timeout", "99ms"),
        ("timeout", "121s"),
        ("fastInterval", "99ms"),
        ("failureThreshold", 0),
        ("failureThreshold", 101),
        ("recoveryThreshold", 0),
        ("path", "health"),
        ("path", "/he alth"),
        ("generation", {"interval": "9s"}),
    ],
)
def test_what_is_out_of_bounds_is_refused(field: str, value: object) -> None:
    assert refusal(healthCheck={field: value})


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "a.b", "a\n", "a" * 64])
def test_a_name_is_a_dns_label(name: str) -> None:
    assert refusal(build_provider(name, "openai"))


def test_a_policy_of_a_newer_release_is_read() -> None:
    assert read(build_provider("openai", speed=3), drills=[{"name": "nights"}]).order() == ("openai",)


def test_a_policy_cannot_be_changed_behind_the_operators_back() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read().primary = "jina"


def test_defaults_of_one_policy_are_not_shared_with_the_next() -> None:
    first, second = read(), read()
    assert first.providers[0].headers is not second.providers[0].headers


def test_a_spec_written_and_read_again_is_the_same() -> None:
    spec = read(
        build_provider("vllm", baseURL="http://vllm:8000", auth={"secretKeyRef": {"name": "keys", "key": "vllm"}}),
        healthCheck={"interval": "1m30s", "fastInterval": "250ms", "generation": {}},
    )
    assert PolicySpec.model_validate_json(spec.model_dump_json(by_alias=True)) == spec


@given(
    st.dictionaries(
        st.sampled_from(sorted(each.alias or name for name, each in PolicySpec.model_fields.items())), JSON_VALUES
    )
)
def test_no_spec_crashes_the_models(spec: dict[str, Any]) -> None:
    try:
        assert PolicySpec.model_validate(spec).order()
    except ValidationError as error:
        assert error.errors()  # noqa: PT017  # both outcomes are fine


@given(st.text(max_size=40))
def test_no_address_crashes_the_models(url: str) -> None:
    try:
        assert Provider.model_validate(build_provider("openai", baseURL=url)).base_url == url
    except ValidationError as error:
        assert error.errors()  # noqa: PT017  # both outcomes are fine
