"""From a spec and its Secrets to probe targets, and to what the user has to mend. Pure.

A key that may not be used is not a reason to stop looking: the provider is then probed without it, for liveness, so
that an outage of the active provider is still noticed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from providerswitch.api import meta
from providerswitch.api.health_check import HealthCheck
from providerswitch.api.policy import PolicySpec
from providerswitch.api.provider import Provider
from providerswitch.api.provider_types import FACTS, ProviderTypeName
from providerswitch.core import quality, schedule
from providerswitch.core.report import Problem
from providerswitch.kube.objects import ObjectKey
from providerswitch.kube.secrets import SecretValue
from providerswitch.probes.exchange import SecretKey
from providerswitch.probes.target import Cadence, ProbeTarget

Secrets = Mapping[ObjectKey, SecretValue | None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a policy wants probed.

    Attributes:
        targets: by provider name.
        problems: by provider name, for those whose configuration cannot be honoured.
    """

    targets: Mapping[str, ProbeTarget]
    problems: Mapping[str, Problem]


def secrets_of(spec: PolicySpec, namespace: str) -> frozenset[ObjectKey]:
    """Return the Secrets a spec refers to, all in the policy's own namespace."""
    return frozenset(
        ObjectKey(namespace, provider.auth.secret_key_ref.name) for provider in spec.providers if provider.auth
    )


def want(
    spec: PolicySpec, namespace: str, secrets: Secrets, also: Collection[str] = (), *, publishes_secrets: bool = False
) -> Wanted:
    """Return the probe targets of a spec; `also` names listed providers that none of its rules would choose."""
    copies_keys = publishes_secrets and spec.publish.secret is not None
    order = tuple(dict.fromkeys((*spec.everyone(), *(name for name in also if spec.provider(name)))))
    targets: dict[str, ProbeTarget] = {}
    problems: dict[str, Problem] = {}
    for index, provider in enumerate(spec.providers):
        if provider.name not in order:
            continue
        key = find_key(provider, f"spec.providers[{index}]", namespace, secrets)
        if isinstance(key, Problem):
            problems[provider.name] = key
        elif copies_keys and (refusal := _find_copy_refusal(provider, f"spec.providers[{index}]", namespace, secrets)):
            problems[provider.name] = refusal
        targets[provider.name] = _target(provider, spec.health_check, None if isinstance(key, Problem) else key)
    return Wanted({name: targets[name] for name in order}, problems)


def _find_copy_refusal(provider: Provider, place: str, namespace: str, secrets: Secrets) -> Problem | None:
    """Return why a provider's key may not be copied: whoever writes policies need not be allowed to read it."""
    ref = provider.auth.secret_key_ref if provider.auth else None
    secret = secrets.get(ObjectKey(namespace, ref.name)) if ref else None
    if ref is None or secret is None or secret.publishable:
        return None
    return Problem(
        "KeyNotPublishable",
        f'Secret "{ref.name}" in "{namespace}" does not allow its keys to be copied into the Secret of '
        f"spec.publish.secret ({place}.auth). Have its owner set its annotation {meta.PUBLISH_ANNOTATION} to "
        '"true", or remove spec.publish.secret.',
    )


def find_mistakes(spec: PolicySpec, *, publishes_secrets: bool = False) -> tuple[Problem, ...]:
    """Return what the API server cannot check about a spec; the entries concerned are ignored until mended."""
    entries = " ".join(mistake for entry in spec.schedule if (mistake := schedule.find_mistake(entry)))
    checks = quality.find_mistake(spec.quality_checks) if spec.quality_checks else None
    found = (
        Problem("ScheduleInvalid", entries) if entries else None,
        Problem("QualityChecksInvalid", checks) if checks else None,
        None if publishes_secrets or spec.publish.secret is None else _secrets_not_published(spec.publish.secret.name),
    )
    return tuple(problem for problem in found if problem)


def _secrets_not_published(name: str) -> Problem:
    return Problem(
        "SecretsNotPublished",
        f'Secret "{name}" (spec.publish.secret) is neither written nor kept up to date, because this operator may not '
        "write Secrets; all else is published. Have the administrator set rbac.publishSecrets: true in the chart "
        "(--publish-secrets), or remove spec.publish.secret.",
    )


def cadence_of(check: HealthCheck, *, billed: bool) -> Cadence:
    """Return the probing cadence a policy asks for; `billed` tells whether its budget has room for billed probes."""
    return Cadence(
        interval=check.interval,
        fast_interval=min(check.fast_interval, check.interval),
        timeout=check.timeout,
        failure_threshold=check.failure_threshold,
        generation_interval=check.generation.interval if check.generation and billed else None,
    )


def _target(provider: Provider, check: HealthCheck, key: SecretKey | None) -> ProbeTarget:
    return ProbeTarget(
        type=provider.type,
        base_url=FACTS[provider.type].native_base_url(provider.base_url),
        key=key,
        model=provider.model,
        path=check.path if provider.type is ProviderTypeName.HTTP else None,
        headers=tuple(sorted(provider.headers.items())),
        failure_domain=provider.failure_domain,
        timeout=check.timeout,
    )


def find_key(provider: Provider, place: str, namespace: str, secrets: Secrets) -> SecretKey | Problem | None:
    """Return a provider's key, None where it has none, or what the user has to mend.

    The keys a Secret does have are not told: who may write policies need not be allowed to read Secrets.
    """
    if provider.auth is None:
        return None
    ref = provider.auth.secret_key_ref
    named = f'Secret "{ref.name}" in "{namespace}"'
    secret = secrets.get(ObjectKey(namespace, ref.name))
    if secret is None:
        return Problem(
            "SecretNotFound",
            f"{named} does not exist ({place}.auth). Create it, or correct secretKeyRef.name.",
        )
    text = secret.data.get(ref.key)
    if text is None:
        return Problem(
            "SecretKeyNotFound",
            f'{named} has no key "{ref.key}" ({place}.auth). Add the key to the Secret, or correct secretKeyRef.key.',
        )
    return _checked_key(text, provider, secret, named=f'The key "{ref.key}" of {named}', place=place)


def _checked_key(text: str, provider: Provider, secret: SecretValue, *, named: str, place: str) -> SecretKey | Problem:
    if not text.isascii() or not text.isprintable() or not text or " " in text:
        return Problem(
            "SecretKeyInvalid",
            f"{named} is empty or holds characters that no API key has ({place}.auth). Store the bare key, "
            "without quotes, spaces or line breaks.",
        )
    url = FACTS[provider.type].native_base_url(provider.base_url)
    if may_receive_key(provider.type, url, secret.hosts):
        return SecretKey(text)
    host = urlsplit(url).netloc
    return Problem(
        "KeyHostNotAllowed",
        f'{named} is not sent to "{host}", which is not an official https host of type {provider.type} '
        f"({place}.baseURL). Correct baseURL, or have the Secret's owner add {host} to the comma-separated list in its "
        f"annotation {meta.HOSTS_ANNOTATION}.",
    )


def may_receive_key(kind: ProviderTypeName, url: str, allowed_hosts: frozenset[str]) -> bool:
    """Tell whether a key may go to this URL: an official host, or one that the Secret itself lists."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    listed = {host, parts.netloc.lower()} & allowed_hosts
    return FACTS[kind].is_official(url) or bool(listed)
