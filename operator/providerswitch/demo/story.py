"""The story: what is done to the cluster and the providers, and what must be seen each time."""

from collections.abc import Mapping
from typing import Final

from providerswitch.api.status import HealthState
from providerswitch.demo import operations
from providerswitch.demo.acts import (
    apply_policies,
    break_provider,
    edit_primary,
    primary_patch,
    renew_secret,
    revoke_key,
)
from providerswitch.demo.expectations import (
    Expectation,
    active,
    conditions,
    consumer_on,
    event,
    left_alone,
    limited_not_blacklisted,
    never_empty,
    published,
    rejected_key,
    state,
)
from providerswitch.demo.fakes import FakeProvider, Fault
from providerswitch.demo.policies import ASSISTANT, PACE_NOTE, POLICIES, SEARCH, SECRET
from providerswitch.demo.step import Step

RETRY_AFTER_SECONDS: Final = 8
START_SECONDS: Final = 15.0
RETURN_SECONDS: Final = 20.0
"""A failback waits for blacklist or Retry-After and two good probes."""


def failed_over(policy: str, to: str, cause: Expectation, sign: str = "ProviderDown") -> tuple[Expectation, ...]:
    """Expect all signs of a failover; `sign` is the reason of the Event that tells the cause."""
    return (
        cause,
        published(policy, to),
        active(policy, to),
        conditions(policy, {"Ready": "True", "FailedOver": "True"}),
        event(policy, sign),
        event(policy, "FailedOver"),
    )


def failed_back(policy: str, to: str, within: float = RETURN_SECONDS) -> tuple[Expectation, ...]:
    """Expect all signs of a failback."""
    return (
        state(policy, to, HealthState.HEALTHY, within),
        published(policy, to, within),
        active(policy, to, within),
        consumer_on(to, within),
        conditions(policy, {"Ready": "True", "FailedOver": "False"}, within),
        event(policy, "FailedBack", within),
    )


def beginning() -> tuple[Step, ...]:
    """Return the steps up to the first switch."""
    return (
        Step(
            f"Two policies are applied: {PACE_NOTE}.",
            apply_policies,
            (
                *(published(policy, names[0], START_SECONDS) for policy, names in POLICIES.items()),
                *(conditions(policy, {"Ready": "True", "FailedOver": "False"}, START_SECONDS) for policy in POLICIES),
                *(state(ASSISTANT, name, HealthState.HEALTHY, START_SECONDS) for name in POLICIES[ASSISTANT]),
                *(state(SEARCH, name, HealthState.HEALTHY, START_SECONDS) for name in POLICIES[SEARCH]),
                consumer_on("openai", START_SECONDS),
            ),
            shown="kubectl apply -f assistant.yaml -f search.yaml",
        ),
        Step(
            "A person edits the primary of assistant: openai -> anthropic.",
            edit_primary("anthropic"),
            (
                published(ASSISTANT, "anthropic"),
                consumer_on("anthropic"),
                active(ASSISTANT, "anthropic"),
                event(ASSISTANT, "Switched"),
            ),
            shown=f"kubectl patch pswitch {ASSISTANT} --type=merge -p '{primary_patch('anthropic')}'",
        ),
    )


def outage() -> tuple[Step, ...]:
    """Return an outage and the recovery."""
    down = state(ASSISTANT, "anthropic", HealthState.DOWN)
    return (
        Step(
            "anthropic has an outage: connections are refused.",
            break_provider("anthropic", Fault.REFUSE),
            (*failed_over(ASSISTANT, "openai", down), consumer_on("openai")),
        ),
        Step(
            "anthropic works again: two good probes and the end of its blacklist bring it back.",
            break_provider("anthropic", Fault.HEALTHY),
            failed_back(ASSISTANT, "anthropic"),
        ),
    )


def rate_limit(fake: FakeProvider) -> tuple[Step, ...]:
    """Return a rate limit and its end."""
    limited = state(ASSISTANT, "anthropic", HealthState.RATE_LIMITED)
    return (
        Step(
            f"anthropic limits the rate: 429, Retry-After {RETRY_AFTER_SECONDS} s. That is not an outage.",
            break_provider("anthropic", Fault.RATE_LIMITED, seconds=RETRY_AFTER_SECONDS),
            (
                *failed_over(ASSISTANT, "openai", limited, sign="ProviderRateLimited"),
                limited_not_blacklisted(ASSISTANT, "anthropic"),
                consumer_on("openai"),
            ),
        ),
        Step(
            "The limit is lifted; anthropic is left alone for as long as it asked, then used again.",
            break_provider("anthropic", Fault.HEALTHY),
            (*failed_back(ASSISTANT, "anthropic"), left_alone(fake, RETRY_AFTER_SECONDS, RETURN_SECONDS)),
        ),
    )


def bad_key() -> tuple[Step, ...]:
    """Return a revoked key and the new one."""
    return (
        Step(
            "anthropic's key is revoked.",
            revoke_key("anthropic"),
            (*failed_over(ASSISTANT, "openai", rejected_key(ASSISTANT, "anthropic")), consumer_on("openai")),
        ),
        Step(
            "The new key is put into the Secret.",
            renew_secret("anthropic"),
            failed_back(ASSISTANT, "anthropic"),
            shown=f'kubectl patch secret {SECRET} --type=merge -p \'{{"stringData":{{"anthropic":"..."}}}}\'',
        ),
    )


def other_policy() -> tuple[Step, ...]:
    """Return a failover that is none of the other policy's business."""
    down = state(SEARCH, "jina", HealthState.DOWN)
    return (
        Step(
            "jina's proxy answers 502 with an HTML page: the other policy fails over by itself.",
            break_provider("jina", Fault.HTML_PROXY),
            (*failed_over(SEARCH, "jina-standby", down), never_empty()),
        ),
    )


def build_story(fakes: Mapping[str, FakeProvider]) -> tuple[Step, ...]:
    """Return all steps in order."""
    return (
        *beginning(),
        *operations.drill("anthropic", "openai"),
        *outage(),
        *rate_limit(fakes["anthropic"]),
        *bad_key(),
        *operations.override("anthropic", "google"),
        *other_policy(),
    )
