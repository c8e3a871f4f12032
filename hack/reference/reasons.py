"""docs/reference/conditions.md: each reason, what it means and what to do; and the states of a provider.

The texts stand here; which reasons there are, the code says: a reason without a text stops the generator.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from providerswitch.api.status import ConditionType, HealthState
from providerswitch.core.decide import Reason, Trigger
from providerswitch.core.report import SWITCH_REFUSED
from reference.markdown import code, codes, page, section, table

NOTHING: Final = "Nothing."


@dataclass(frozen=True, slots=True)
class Text:
    """What a reader needs to know of a reason.

    Attributes:
        status: of the condition that carries it.
        advice: what to do.
    """

    status: str
    meaning: str
    advice: str = NOTHING


DECISIONS: Final[Mapping[str, Text]] = {
    Reason.PRIMARY_HEALTHY: Text("True", "The primary serves."),
    Reason.FAILED_OVER: Text(
        "True",
        "A backup serves, because the providers preferred to it may not. Consumers have a working provider.",
        "Nothing for the consumers. `message` says what is wrong with the preferred providers.",
    ),
    Reason.FAILBACK_HELD: Text(
        "True",
        "A backup serves and stays, because `failover.failback` is `Manual`.",
        "Ask for the return with the annotation `providerswitch.dev/failback-requested-at` when you want it.",
    ),
    Reason.MANUAL: Text("True", "The active provider stays, because `failover.mode` is `Manual`."),
    Reason.FROZEN: Text(
        "Unknown",
        "No probed host answers any more, so the fault is probably the cluster's own network. Nothing is switched.",
        "Check the cluster's egress, DNS and proxies. It ends by itself with the first answer.",
    ),
    Reason.WAITING: Text(
        "False",
        "The policy is new and its primary has not been asked yet. Nothing is published.",
        "Wait. It passes within the timeout of a probe.",
    ),
    Reason.NO_HEALTHY_PROVIDER: Text(
        "False",
        "No provider may serve. The last choice stays published; if there was none, nothing is.",
        "`message` says what is wrong with each. Mend one of them, or add a provider.",
    ),
}
"""The column REASON of `kubectl get pswitch`, and reasons of Ready."""

PROBLEMS: Final[Mapping[str, Text]] = {
    "ActiveProviderDown": Text(
        "False",
        "The active provider is down or rate limited, and `failover.mode` is `Manual`.",
        "Edit `spec.primary` to a healthy provider; `message` names one.",
    ),
    SWITCH_REFUSED: Text(
        "False",
        "In manual mode `spec.primary` asks for a provider that may not serve. The former one stays.",
        "Wait until that provider is well (the switch is then made), or set `spec.primary` back.",
    ),
    "SpecInvalid": Text(
        "False",
        "The spec breaks a rule that the API server did not check. The last good configuration stays published.",
        "Correct the field that `message` names.",
    ),
    "SecretNotFound": Text(
        "False",
        "A Secret that a provider's `auth` names is not in the policy's namespace. That provider is not chosen.",
        "Create the Secret, or correct `secretKeyRef.name`.",
    ),
    "SecretKeyNotFound": Text(
        "False",
        "The Secret has no such key. That provider is not chosen.",
        "Add the key to the Secret, or correct `secretKeyRef.key`.",
    ),
    "SecretKeyInvalid": Text(
        "False",
        "The value is empty, or holds spaces, line breaks or other characters that no API key has.",
        "Store the bare key. `kubectl create secret generic --from-literal` adds no line break.",
    ),
    "KeyHostNotAllowed": Text(
        "False",
        "The base URL is not an official `https` host of the provider's type, nor does the Secret list its host. The"
        " key is not sent.",
        "Correct `baseURL`, or have the Secret's owner list the host in its annotation `providerswitch.dev/hosts`.",
    ),
    "NotOwned": Text(
        "False",
        "An object of the name to publish under exists and belongs to somebody else. Nothing was touched.",
        "Choose another name in `spec.publish`, delete the object, or annotate it with `providerswitch.dev/adopt:"
        ' "true"`.',
    ),
    "PublishRefused": Text(
        "False",
        "The API server refused an object, or it did not read back as written. The former choice is published again."
        " Tried again every 10 s.",
        "Look for an admission webhook, a quota, or another controller that manages the object.",
    ),
}
"""Further reasons of Ready."""

FAILED_OVER: Final[Mapping[str, Text]] = {
    "PrimaryActive": Text("False", "The primary serves."),
    "NothingPublished": Text("False", "Nothing has been published yet."),
    SWITCH_REFUSED: Text(
        "True",
        "A backup serves, and a person asks for the primary, which may not serve.",
        "Wait until it is well (the switch is then made), or set `spec.primary` back.",
    ),
}
FROZEN: Final[Mapping[str, Text]] = {
    "LocalNetworkFault": Text(
        "True",
        "No probed host answers any more, so the fault is probably the cluster's own network.",
        "Check the cluster's egress, DNS and proxies. It ends by itself with the first answer.",
    ),
    "NetworkWorks": Text("False", "There is no sign of a fault of the cluster's own network."),
}

TRIGGERS: Final[Mapping[Trigger, str]] = {
    Trigger.INITIAL: "the first choice of a policy",
    Trigger.MANUAL_SWITCH: "a person edited `spec.primary`, or asked for the return to the primary",
    Trigger.FAILOVER: "the active provider went down or is rate limited",
    Trigger.FAILBACK: "a preferred provider may serve again",
    Trigger.SPEC_CHANGE: "the active provider is no longer in the spec",
}
STATES: Final[Mapping[HealthState, str]] = {
    HealthState.UNKNOWN: "Not probed yet. Not chosen.",
    HealthState.HEALTHY: "Answers. May be chosen.",
    HealthState.SUSPECT: "Fails, but not often enough. Stays if it is active; is not newly chosen.",
    HealthState.DOWN: "Failed often enough, or in a way that settles it. Not chosen before `blacklistedUntil`, and not"
    " before `recoveryThreshold` good probes in a row.",
    HealthState.RATE_LIMITED: "Asks to be left alone for longer than a probe interval, or does so again and again. Not"
    " asked and not chosen until `rateLimitedUntil`; the first good probe after it brings it back.",
}


def all_reasons() -> Mapping[str, Text]:
    """Return every reason a condition can have."""
    return {**DECISIONS, **PROBLEMS, **FAILED_OVER, **FROZEN}


def build_conditions_page() -> str:
    """Return the page."""
    ready: dict[str, Text] = {reason: DECISIONS[reason] for reason in Reason}
    ready.update(PROBLEMS)
    serving = (Reason.FAILED_OVER, Reason.FAILBACK_HELD, Reason.MANUAL, Reason.FROZEN, Reason.NO_HEALTHY_PROVIDER)
    return page(
        "Conditions, reasons and states",
        "hack/reference/reasons.py and the enums of operator/providerswitch",
        "`lastTransitionTime` moves only when the status of a condition changes. `message` is a sentence for people.",
        section(
            ConditionType.READY,
            "Consumers have a working provider, and the spec is honoured. After a successful failover it stays `True`.",
            _reasons(ready),
            "A problem (from `SpecInvalid` on) wins over the other reasons: consumers may well be served meanwhile.",
        ),
        section(
            ConditionType.FAILED_OVER,
            "Another provider than the primary serves.",
            _reasons(FAILED_OVER),
            f"Otherwise `True` has the reason for which the backup serves: {codes(serving)}.",
        ),
        section(
            ConditionType.FROZEN, "Probably the cluster's own network is at fault, not the providers.", _reasons(FROZEN)
        ),
        section("Column REASON", "Why the active provider is active.", _column()),
        section("Triggers", "What made a switch: in `status.history`, in metrics, in the log.", _triggers()),
        section("States of a provider", "In `status.providers` and in metrics.", _states()),
    )


def _reasons(texts: Mapping[str, Text]) -> str:
    rows = ((code(reason), code(text.status), text.meaning, text.advice) for reason, text in texts.items())
    return table(("reason", "status", "meaning", "what to do"), rows)


def _column() -> str:
    return table(("reason", "meaning"), [(code(reason), DECISIONS[reason].meaning) for reason in Reason])


def _triggers() -> str:
    return table(("trigger", "meaning"), [(code(trigger), TRIGGERS[trigger]) for trigger in Trigger])


def _states() -> str:
    return table(("state", "meaning"), [(code(state), STATES[state]) for state in HealthState])
