"""From a spec and its Secrets to probe targets, and to sentences for what the user has to mend."""

from typing import Any

import pytest
from tests.support.policies import build_policy, build_provider

from providerswitch.api.policy import PolicySpec
from providerswitch.controller.wanted import Wanted, cadence_of, find_mistakes, may_receive_key, secrets_of, want
from providerswitch.core.report import Problem
from providerswitch.kube.objects import ObjectKey
from providerswitch.kube.secrets import SecretValue
from providerswitch.probes.exchange import SecretKey

KEYS = ObjectKey("team-a", "llm-keys")
SECRET_TEXT = "sk-secret-0123456789abcdef"
AUTH = {"secretKeyRef": {"name": "llm-keys", "key": "openai"}}
OFFICIAL = [
    ("openai", "https://api.openai.com/v1"),
    ("openai", "https://eu.api.openai.com/v1"),
    ("openai", "https://API.OpenAI.com:443/v1"),
    ("anthropic", "https://api.anthropic.com"),
    ("google", "https://generativelanguage.googleapis.com"),
    ("jina", "https://api.jina.ai/v1"),
    ("azure-openai", "https://team.openai.azure.com"),
    ("azure-openai", "https://team.services.ai.azure.com"),
]
NOT_OFFICIAL = [
    ("openai", "http://api.openai.com/v1"),
    ("openai", "https://api.openai.com.evil.example/v1"),
    ("openai", "https://evilapi.openai.com/v1"),
    ("openai", "https://api.openai.com@evil.example/v1"),
    ("openai", "https://evil.example/api.openai.com"),
    ("openai", "https://evil.example#api.openai.com"),
    ("openai", "https://api.anthropic.com"),
    ("anthropic", "https://api.openai.com"),
    ("azure-openai", "https://openai.azure.com"),
    ("azure-openai", "https://evil-openai.azure.com"),
    ("openai-compatible", "https://api.openai.com/v1"),
    ("vllm", "http://vllm:8000"),
    ("ollama", "http://ollama:11434"),
    ("http", "https://api.openai.com"),
]


def spec(*providers: dict[str, Any], **rest: Any) -> PolicySpec:
    return PolicySpec.model_validate(build_policy("p", "team-a", *providers, **rest)["spec"])


def secret(text: str = SECRET_TEXT, *hosts: str) -> dict[ObjectKey, SecretValue | None]:
    return {KEYS: SecretValue({"openai": text, "another-key": "x"}, frozenset(hosts))}


def wanted(provider: dict[str, Any], secrets: dict[ObjectKey, SecretValue | None]) -> Wanted:
    return want(spec(build_provider("first", "ollama", baseURL="http://o:1"), provider), "team-a", secrets)


def problem(provider: dict[str, Any], secrets: dict[ObjectKey, SecretValue | None]) -> Problem:
    found = wanted(provider, secrets)
    name = provider["name"]
    assert found.problems.keys() == {name}
    assert found.targets[name].key is None, "what is not in order is probed for liveness, without a key"
    assert SECRET_TEXT not in found.problems[name].message
    assert "another-key" not in found.problems[name].message, "who writes policies may not be allowed to read Secrets"
    return found.problems[name]


def test_a_key_goes_into_the_target_of_an_official_host() -> None:
    found = wanted(build_provider("openai", auth=AUTH), secret())

    assert found.problems == {}
    assert found.targets["openai"].key == SecretKey(SECRET_TEXT)
    assert SECRET_TEXT not in repr(found)


def test_a_provider_without_auth_is_probed_without_a_key() -> None:
    assert wanted(build_provider("openai"), {}).targets["openai"].key is None


@pytest.mark.parametrize(("kind", "url"), OFFICIAL)
def test_an_official_host_may_receive_a_key_over_tls(kind: str, url: str) -> None:
    found = wanted(build_provider("p", kind, baseURL=url, auth=AUTH), secret())

    assert found.targets["p"].key == SecretKey(SECRET_TEXT)


@pytest.mark.parametrize(("kind", "url"), NOT_OFFICIAL)
def test_no_other_host_receives_a_key(kind: str, url: str) -> None:
    assert problem(build_provider("p", kind, baseURL=url, auth=AUTH), secret()).reason == "KeyHostNotAllowed"


def test_the_refusal_says_where_and_what_to_do() -> None:
    told = problem(build_provider("p", "vllm", baseURL="http://vllm.team-a:8000/v1", auth=AUTH), secret()).message

    assert told == (
        'The key "openai" of Secret "llm-keys" in "team-a" is not sent to "vllm.team-a:8000", which is not an official '
        "https host of type vllm (spec.providers[1].baseURL). Correct baseURL, or have the Secret's owner add "
        "vllm.team-a:8000 to the comma-separated list in its annotation providerswitch.dev/hosts."
    )


@pytest.mark.parametrize("listed", ["vllm.team-a", "vllm.team-a:8000"])
def test_a_host_that_the_secret_lists_receives_its_keys(listed: str) -> None:
    provider = build_provider("p", "vllm", baseURL="http://VLLM.team-a:8000/v1", auth=AUTH)

    assert wanted(provider, secret(SECRET_TEXT, listed)).targets["p"].key == SecretKey(SECRET_TEXT)


@pytest.mark.parametrize("listed", ["vllm", "team-a", "vllm.team-a:9000", "vllm.team-a:80", "*", ""])
def test_a_listed_host_allows_itself_and_no_other(listed: str) -> None:
    provider = build_provider("p", "vllm", baseURL="http://vllm.team-a:8000/v1", auth=AUTH)

    assert problem(provider, secret(SECRET_TEXT, listed)).reason == "KeyHostNotAllowed"


def test_a_url_without_a_host_is_nowhere_to_send_a_key() -> None:
    assert not may_receive_key(spec(build_provider("openai")).providers[0].type, "https:///v1", frozenset({"x"}))


def test_a_missing_secret_is_told_with_its_place_and_the_remedy() -> None:
    found = problem(build_provider("openai", auth=AUTH), {KEYS: None})

    assert found.reason == "SecretNotFound"
    assert found.message == (
        'Secret "llm-keys" in "team-a" does not exist (spec.providers[1].auth). Create it, or correct '
        "secretKeyRef.name."
    )


def test_a_missing_key_is_told_with_its_place_and_the_remedy() -> None:
    auth = {"secretKeyRef": {"name": "llm-keys", "key": "absent"}}
    found = problem(build_provider("openai", auth=auth), secret())

    assert found.reason == "SecretKeyNotFound"
    assert found.message == (
        'Secret "llm-keys" in "team-a" has no key "absent" (spec.providers[1].auth). Add the key to the Secret, or '
        "correct secretKeyRef.key."
    )


@pytest.mark.parametrize(
    "text", ["", "two words", "two\nlines", "a\tb", "a\r\nX-Injected: 1", "a\x00b", "schlüssel", "a\x7f", "a\u2028b"]
)
def test_what_no_api_key_looks_like_is_refused_without_being_shown(text: str) -> None:
    found = problem(build_provider("openai", auth=AUTH), secret(text))

    assert found.reason == "SecretKeyInvalid"
    assert "Store the bare key" in found.message
    assert not text or text not in found.message


def test_secrets_are_those_of_the_policys_own_namespace() -> None:
    auth = {"secretKeyRef": {"name": "llm-keys", "key": "openai"}}
    providers = (
        build_provider("a", "openai", auth=auth),
        build_provider("b", "jina", auth=auth),
        build_provider("google"),
    )

    assert secrets_of(spec(*providers), "team-b") == {ObjectKey("team-b", "llm-keys")}


def test_only_the_providers_that_may_be_chosen_are_probed_in_their_order() -> None:
    providers = build_provider("jina"), build_provider("google"), build_provider("openai")

    found = want(spec(*providers, primary="openai", backups=["jina"]), "team-a", {})

    assert list(found.targets) == ["openai", "jina"]


def test_a_provider_that_may_not_be_chosen_is_no_problem() -> None:
    providers = build_provider("jina", auth=AUTH), build_provider("openai")

    assert want(spec(*providers, primary="openai", backups=[]), "team-a", {KEYS: None}).problems == {}


def test_headers_and_paths_are_part_of_a_target() -> None:
    provider = build_provider("p", "http", baseURL="http://x/", headers={"B": "2", "A": "1"})
    (target,) = want(spec(provider, healthCheck={"path": "/live"}), "team-a", {}).targets.values()

    assert (target.path, target.headers) == ("/live", (("A", "1"), ("B", "2")))


def test_the_path_concerns_plain_http_checks_only() -> None:
    (target,) = want(spec(build_provider("openai"), healthCheck={"path": "/live"}), "team-a", {}).targets.values()

    assert target.path is None


def test_a_fast_interval_longer_than_the_interval_is_cut_to_it() -> None:
    check = spec(build_provider("openai"), healthCheck={"interval": "2s", "fastInterval": "1m"}).health_check

    assert cadence_of(check, billed=True).fast_interval == check.interval


COPIES = {"publish": {"secret": {"name": "published"}}}


def copied(secrets: dict[ObjectKey, SecretValue | None], *, allowed: bool = True) -> Wanted:
    provider = build_provider("openai", auth=AUTH)
    return want(spec(provider, **COPIES), "team-a", secrets, publishes_secrets=allowed)


def test_a_key_is_copied_only_if_its_secret_says_so() -> None:
    told = copied(secret()).problems["openai"]

    assert told == Problem(
        "KeyNotPublishable",
        'Secret "llm-keys" in "team-a" does not allow its keys to be copied into the Secret of spec.publish.secret '
        "(spec.providers[0].auth). Have its owner set its annotation providerswitch.dev/publish to "
        '"true", or remove spec.publish.secret.',
    )
    assert copied({KEYS: SecretValue({"openai": SECRET_TEXT}, frozenset(), publishable=True)}).problems == {}


def test_a_key_that_may_not_be_copied_is_still_probed_with() -> None:
    assert copied(secret()).targets["openai"].key == SecretKey(SECRET_TEXT)


def test_the_consent_is_only_asked_for_where_keys_are_copied() -> None:
    assert copied(secret(), allowed=False).problems == {}
    assert wanted(build_provider("openai", auth=AUTH), secret()).problems == {}


def test_what_is_wrong_with_the_key_itself_is_told_first() -> None:
    assert copied({KEYS: None}).problems["openai"].reason == "SecretNotFound"


def test_a_policy_is_told_that_this_operator_publishes_no_secrets() -> None:
    asked, unasked = spec(build_provider("openai"), **COPIES), spec(build_provider("openai"))
    (told,) = find_mistakes(asked)

    assert told.reason == "SecretsNotPublished"
    assert "rbac.publishSecrets: true" in told.message
    assert find_mistakes(asked, publishes_secrets=True) == find_mistakes(unasked) == ()
