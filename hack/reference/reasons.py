"""docs/reference/conditions.md: each reason, what it means and what to do; and the states of a provider.

The texts stand here; which reasons there are, the code says: a reason without a text stops the generator.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from providerswitch.api.status import ConditionType, HealthState
from providerswitch.core.case import Reason, Trigger
from providerswitch.core.report import CONTESTED, LIMIT_EXCEEDED, SWITCH_REFUSED
from providerswitch.core.shadow import SHADOW
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
    Reason.SCHEDULED: Text("True", "An entry of `spec.schedule` is in force, and the provider it prefers serves."),
    Reason.BEST_SCORE: Text(
        "True", "Strategy Performance: no other provider's score is better by more than `selection.hysteresis`."
    ),
    Reason.CHEAPEST: Text("True", "Strategy Cost: no cheaper provider within the thresholds may serve."),
    Reason.HIGHEST_WEIGHT: Text("True", "Strategy Weighted: it has the largest share of the traffic now."),
    Reason.ITS_TURN: Text("True", "Strategy RoundRobin: it is its turn."),
    Reason.LESS_DEGRADED: Text(
        "True",
        "A provider that is preferred to it exceeds a threshold and was left.",
        "Nothing for the consumers. `message` says which threshold.",
    ),
    Reason.LAST_RESORT: Text(
        "True",
        "Nobody may serve by the rules, but this one answers well again and is only still blacklisted: better than one"
        " that is dead. It is left as soon as another may serve.",
        "Nothing for the consumers. `message` says what is wrong with the others.",
    ),
    Reason.MANUAL: Text("True", "The active provider stays, because `failover.mode` is `Manual`."),
    Reason.OVERRIDDEN: Text(
        "True",
        "A person on call put this provider above the rules, by a ProviderSwitchOverride.",
        "Nothing: it ends by itself. Delete the override to end it early.",
    ),
    Reason.FROZEN: Text(
        "Unknown",
        "No probed host answers any more, so the fault is probably the cluster's own network. Nothing is switched.",
        "Check the cluster's egress, DNS and proxies. It ends by itself with the first answer.",
    ),
    Reason.WAITING: Text(
        "False",
        "The policy is new, and the provider that it prefers has not been asked yet. Nothing is published.",
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
    "ActiveProviderUnsuitable": Text(
        "False",
        "The active provider no longer fulfils `selection.requirements`, or what the primary stands for, and"
        " `failover.mode` is `Manual`.",
        "Edit `spec.primary` to a provider that does, or the requirements.",
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
    LIMIT_EXCEEDED: Text(
        "False",
        "The namespace has more policies, or they list more providers, than the operator serves. This one has no place:"
        " nothing is probed for it, and what it last published stays. One that has grown goes on with its former spec"
        " until the operator restarts.",
        "Delete a policy or providers that are not needed, or ask the administrator for a higher"
        " `--max-policies-per-namespace` or `--max-providers-per-namespace`. It is then served by itself.",
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
    "KeyNotPublishable": Text(
        "False",
        "`publish.secret` is set, and a Secret with a key does not allow that its keys are copied. That provider is not"
        " chosen; one that is active stays, with what was last published.",
        'Have the Secret\'s owner set its annotation `providerswitch.dev/publish` to `"true"`, or remove'
        " `publish.secret`.",
    ),
    "SecretsNotPublished": Text(
        "False",
        "`publish.secret` is set, and the operator was not given the right to write Secrets. All else is published;"
        " what the Secret holds, if it is there, is not kept up to date.",
        "Have the administrator set the chart's `rbac.publishSecrets: true` (`--publish-secrets`), or remove"
        " `publish.secret`.",
    ),
    "TaskNotServed": Text(
        "False",
        "The policy itself is served, but no provider may serve one of its tasks. The task's last choice stays"
        " published.",
        "`message` says what is wrong with each candidate. Mend one, or add a provider that fulfils the requirements.",
    ),
    "ScheduleInvalid": Text(
        "False",
        "An entry of `spec.schedule` has a cron line or a time zone that nobody can follow. It is ignored, the others"
        " hold.",
        "Correct the field that `message` names.",
    ),
    "QualityChecksInvalid": Text(
        "False",
        "A golden prompt expects something that cannot be checked. No prompts are asked; what was measured counts.",
        "Correct the field that `message` names.",
    ),
    "NotOwned": Text(
        "False",
        "An object of the name to publish under exists and belongs to somebody else. Nothing was touched.",
        "Choose another name in `spec.publish`, delete the object, or annotate it with `providerswitch.dev/adopt:"
        ' "true"`.',
    ),
    "OverriddenToFailing": Text(
        "False",
        "A forced override holds a provider that is down or rate limited.",
        "Delete the override if that is not wanted any more.",
    ),
    "PublishRefused": Text(
        "False",
        "The API server refused an object, or it did not read back as written. The former choice is published again."
        " Tried again every 10 s.",
        "Look for an admission webhook, a quota, or another controller that manages the object.",
    ),
    CONTESTED: Text(
        "False",
        "Another writer changes a published object again and again. It is put right every 10 s at most, and consumers"
        " may read something else meanwhile.",
        "Stop the other writer, which `message` names where the API server knows it, or choose another name in"
        " `spec.publish`. It ends by itself when nothing had to be put right for a minute.",
    ),
}
"""Further reasons of Ready."""
SHADOWED: Final[Mapping[str, Text]] = {
    SHADOW: Text(
        "True",
        "Shadow mode (`spec.dryRun`): `message` says which provider would serve. Nothing is published, and what stands"
        " published (`status.shadow`) stays.",
        "Nothing. Take out `spec.dryRun` to go live.",
    ),
}
"""The reason of Ready in shadow mode, where nothing is wrong."""

FAILED_OVER: Final[Mapping[str, Text]] = {
    "PrimaryActive": Text("False", "The primary serves."),
    "PreferredActive": Text("False", "The provider serves that strategy and schedule prefer."),
    "NothingPublished": Text("False", "Nothing has been published yet."),
    SWITCH_REFUSED: Text(
        "True",
        "A backup serves, and a person asks for the primary, which may not serve.",
        "Wait until it is well (the switch is then made), or set `spec.primary` back.",
    ),
}
OVERRIDDEN: Final[Mapping[str, Text]] = {
    "OverrideActive": Text(
        "True",
        "A ProviderSwitchOverride holds. The message says whose, why, and until when.",
        "Nothing: it ends by itself. Delete the override to end it early.",
    ),
    "OverrideWaits": Text(
        "True",
        "An override holds, but the provider that it asks for may not serve now; the rules choose meanwhile.",
        "Wait until it is well (the switch is then made), delete the override, or make one with `force: true`.",
    ),
    "NotOverridden": Text("False", "No override holds."),
}
FROZEN: Final[Mapping[str, Text]] = {
    "LocalNetworkFault": Text(
        "True",
        "No probed host answers any more, so the fault is probably the cluster's own network.",
        "Check the cluster's egress, DNS and proxies. It ends by itself with the first answer.",
    ),
    "NetworkWorks": Text("False", "There is no sign of a fault of the cluster's own network."),
}
DEGRADED: Final[Mapping[str, Text]] = {
    "ThresholdExceeded": Text(
        "True",
        "The active provider works, but exceeds one of `selection.thresholds`. With `selection.switchOnDegradation` it"
        " is left for one that does not.",
        "Look at the provider, or at the thresholds.",
    ),
    "WithinThresholds": Text("False", "The active provider exceeds no threshold, or too little is known of it."),
}
BUDGET: Final[Mapping[str, Text]] = {
    "BudgetExhausted": Text(
        "True",
        "`healthCheck.budget` is used up for today (UTC). Only unbilled checks go on.",
        "Raise the budget, or lengthen the intervals of billed probes and quality checks.",
    ),
    "WithinBudget": Text("False", "There is room in `healthCheck.budget`."),
}

DRILLS: Final[Mapping[str, Text]] = {
    "Passed": Text("Passed", "The drill went as it should.", "Nothing."),
    "ObjectiveMissed": Text(
        "Failed",
        "It was not as quick as `objectives` demand, or one of them could not be measured.",
        "Probe faster, or demand less.",
    ),
    "NotDetected": Text(
        "Failed", "The fault was over before the provider was left.", "Make `duration` longer, or probe faster."
    ),
    "NoBackup": Text("Failed", "Nobody could take over.", "Add a backup that is healthy and suits."),
    "DeadlineExceeded": Text(
        "Failed",
        "It took longer than the times of the policy add up to; everything was put back.",
        "Look for flap control in `status.held` of the policy.",
    ),
    "DrillEdited": Text("Aborted", "The drill was edited while it ran.", "Make another one."),
    "DrillDeleted": Text("Aborted", "The drill was deleted while it ran.", "Nothing."),
    "PolicyEdited": Text("Aborted", "The policy was edited during the drill.", "Run it again."),
    "PolicyDeleted": Text("Aborted", "The policy was deleted during the drill.", "Nothing."),
    "RealFailure": Text(
        "Aborted", "The drilled provider, its successor or the network really fails.", "Mend that first."
    ),
    "OperatorRestarted": Text("Aborted", "The operator was started anew during the drill.", "Run it again."),
    "LeaderChanged": Text("Aborted", "Another replica leads since.", "Run it again."),
    "PolicyNotFound": Text("Refused", "There is no such policy.", "Correct `spec.policyRef`."),
    "PolicyNotReady": Text("Refused", "The policy has published nothing yet.", "Run the drill once it is Ready."),
    "ProviderNotFound": Text("Refused", "The policy does not probe that provider.", "Correct `spec.provider`."),
    "NotStable": Text("Refused", "The policy has troubles of its own.", "Mend these first; the message says which."),
    "ManualMode": Text(
        "Refused", "`failover.mode` is Manual, so nothing would be switched.", "Nothing: there is nothing to rehearse."
    ),
    "DrillRunning": Text("Refused", "Another drill runs on the policy.", "Run this one later."),
    "DryRunImpossible": Text("Refused", "`Degradation` cannot be played on paper.", "Play it without `dryRun`."),
}
TRIGGERS: Final[Mapping[Trigger, str]] = {
    Trigger.INITIAL: "the first choice of a policy",
    Trigger.MANUAL_SWITCH: "a person edited `spec.primary`, or asked for the return to the primary",
    Trigger.FAILOVER: "the active provider went down or is rate limited",
    Trigger.FAILBACK: "a preferred provider may serve again",
    Trigger.SPEC_CHANGE: "the active provider is no longer in the spec, or no longer suitable",
    Trigger.SCHEDULE: "an entry of the schedule is in force and prefers another provider",
    Trigger.DEGRADATION: "the active provider exceeds a threshold and another one does not",
    Trigger.PERFORMANCE: "another provider's score is better by more than the hysteresis",
    Trigger.COST: "a cheaper provider within the thresholds may serve",
    Trigger.WEIGHT: "another provider has the largest share of the traffic",
    Trigger.ROTATION: "it is another provider's turn",
    Trigger.OVERRIDE: "a ProviderSwitchOverride asks for the provider",
    Trigger.OVERRIDE_ENDED: "an override expired or was deleted, and the rules hold again",
    Trigger.DRILL_ENDED: "a drill is over, or was given up",
}
STATES: Final[Mapping[HealthState, str]] = {
    HealthState.UNKNOWN: "Not probed yet. Not chosen.",
    HealthState.HEALTHY: "Answers. May be chosen.",
    HealthState.SUSPECT: "Fails, but not often enough. Stays if it is active; is not newly chosen.",
    HealthState.DOWN: "Failed often enough, or in a way that settles it. Not chosen before `blacklistedUntil` (the"
    " longer, the more often it went down lately), and not before `recoveryThreshold` good probes in a row. Where"
    " nobody else may serve, those probes are enough.",
    HealthState.RATE_LIMITED: "Asks to be left alone for longer than a probe interval, or does so again and again. Not"
    " asked and not chosen until `rateLimitedUntil`; the first good probe after it brings it back.",
}


def all_reasons() -> Mapping[str, Text]:
    """Return every reason a condition, an override or a drill can have."""
    return {**DECISIONS, **PROBLEMS, **SHADOWED, **FAILED_OVER, **OVERRIDDEN, **FROZEN, **DEGRADED, **BUDGET, **DRILLS}


def build_conditions_page() -> str:
    """Return the page."""
    ready: dict[str, Text] = {reason: DECISIONS[reason] for reason in Reason}
    ready.update(PROBLEMS)
    ready.update(SHADOWED)
    serving = (
        Reason.FAILED_OVER,
        Reason.FAILBACK_HELD,
        Reason.LESS_DEGRADED,
        Reason.MANUAL,
        Reason.FROZEN,
        Reason.NO_HEALTHY_PROVIDER,
    )
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
            "A provider serves because one that is preferred to it cannot. Under strategy Priority any other than the"
            " primary (or the one the schedule prefers) is a failover.",
            _reasons(FAILED_OVER),
            f"Otherwise `True` has the reason for which the backup serves: {codes(serving)}.",
        ),
        section(
            ConditionType.FROZEN, "Probably the cluster's own network is at fault, not the providers.", _reasons(FROZEN)
        ),
        section(
            ConditionType.OVERRIDDEN, "An order of a person stands above the rules for a while.", _reasons(OVERRIDDEN)
        ),
        section(ConditionType.DEGRADED, "The active provider works, but badly.", _reasons(DEGRADED)),
        section(
            ConditionType.BUDGET_EXHAUSTED,
            "Only unbilled checks are made. Only policies with a `healthCheck.budget` have this condition.",
            _reasons(BUDGET),
        ),
        section("Column REASON", "Why the active provider is active.", _column()),
        section("Triggers", "What made a switch: in `status.history`, in metrics, in the log.", _triggers()),
        section(
            "Drills",
            "In `status.reason` of a ProviderSwitchDrill; the state it ends in stands beside it. `Overridden`,"
            " `Shadow`, `ScheduleInvalid` and `PublishRefused` are as above.",
            _reasons(DRILLS),
        ),
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
