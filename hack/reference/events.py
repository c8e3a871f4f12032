"""docs/reference/events.md: the reasons of Kubernetes Events."""

from collections.abc import Mapping
from typing import Final

from providerswitch.core.case import Reason
from providerswitch.core.event_room import BURST, REFILL
from providerswitch.core.memory import SWITCHES_KEPT
from providerswitch.core.narrate import SWITCH_REASONS, TOLD_OTHERWISE
from providerswitch.core.report import NOT_READY, SWITCH_REFUSED
from reference.markdown import code, codes, page, section, table
from reference.reasons import PROBLEMS

WARNING: Final = "Warning"
NORMAL: Final = "Normal"

SWITCHES: Final[Mapping[str, tuple[str, str]]] = {
    "Activated": (NORMAL, "The first choice of a policy was published."),
    "Switched": (NORMAL, "A person's switch was made, or the active provider left the spec."),
    "FailedOver": (WARNING, "The active provider went down or is rate limited, and another one serves now."),
    "FailedBack": (NORMAL, "A preferred provider has recovered and serves again."),
    "SwitchedBySchedule": (NORMAL, "An entry of the schedule brought another provider."),
    "SwitchedFromDegraded": (NORMAL, "The active provider exceeded a threshold and was left."),
    "SwitchedToBetter": (NORMAL, "Another provider has a better score, a lower price or a larger share."),
    "Rotated": (NORMAL, "It is another provider's turn under strategy RoundRobin."),
    "Overridden": (NORMAL, "A ProviderSwitchOverride put its provider above the rules."),
    "OverrideEnded": (NORMAL, "An override expired or was deleted, and the rules chose again."),
    "DrillEnded": (NORMAL, "A drill is over or was given up, and who served before it serves again."),
}
OTHERS: Final[Mapping[str, tuple[str, str]]] = {
    "SwitchRolledBack": (WARNING, "A switch could not be published completely and was undone."),
    "DriftCorrected": (
        WARNING,
        "Somebody changed or deleted a published object, and it was put right. One Event an hour for each kind.",
    ),
    "Adopted": (NORMAL, "An object that was there before was taken over, as its annotation allows."),
    "ProviderDown": (WARNING, "A provider went down. The note has the health class and what the last probe said."),
    "ProviderRateLimited": (WARNING, "A provider asks to be left alone; the note says until when."),
    "ProviderRecovered": (NORMAL, "A provider that was down or rate limited may serve again."),
    "ProviderDegraded": (WARNING, "A provider exceeds a threshold; the note says which."),
    "ProviderNotDegraded": (NORMAL, "A provider is within all thresholds again."),
    "SwitchHeld": (NORMAL, "Flap control holds back a switch for the better; the note says why and until when."),
    "BudgetExhausted": (WARNING, "The budget of billed requests is used up for today."),
    "DrillStarted": (NORMAL, "A drill begins: a failure is played to one policy."),
    "DrillPassed": (NORMAL, "A drill went as it should; the note says how long the failover took."),
    "DrillFailed": (WARNING, "A drill did not go as it should; the note says why."),
    "DrillAborted": (WARNING, "A drill was ended before its time, and everything was put back; the note says by what."),
    "DrillRefused": (WARNING, "A drill was not begun; the note says what is in its way."),
    "OverrideActive": (NORMAL, "An override is in force. Stands at the override, related to its policy."),
    "OverrideRejected": (WARNING, "An override cannot be honoured; the note says why and what to do."),
    "OverrideSuperseded": (NORMAL, "A newer override of the same policy and task holds; this one never comes back."),
    "OverrideExpired": (NORMAL, "An override is over; the note says whether it was ever in force."),
    "OverrideCleared": (NORMAL, "An override was deleted while it was in force."),
    "Frozen": (WARNING, "No probed host answers any more; nothing is switched."),
    "Thawed": (NORMAL, "A host answers again; choices are made as usual."),
}


def all_events() -> Mapping[str, tuple[str, str]]:
    """Return every reason with its type and meaning, those of Ready left out."""
    return {**{reason: SWITCHES[reason] for reason in SWITCH_REASONS.values()}, **OTHERS}


def not_ready_reasons() -> list[str]:
    """Return the reasons of Ready=False that get an Event."""
    return [*(reason for reason in Reason if reason in NOT_READY - TOLD_OTHERWISE), *PROBLEMS]


def build_events_page() -> str:
    """Return the page."""
    rows = ((code(reason), kind, meaning) for reason, (kind, meaning) in all_events().items())
    return page(
        "Events",
        "operator/providerswitch/core/narrate.py",
        "Events stand in the policy's namespace (`events.k8s.io/v1`). `kubectl describe pswitch NAME` shows them.",
        table(("reason", "type", "meaning"), rows),
        section(
            "When Ready becomes False",
            "A `Warning` with the reason and the message of the condition, once for each change: "
            f"{codes(not_ready_reasons())}. [conditions.md](conditions.md) says what to do about each.",
            f"`{SWITCH_REFUSED}` is also told in automatic mode, where it is a reason of FailedOver.",
        ),
        section(
            "Shadow mode",
            "While `spec.dryRun` is on, the Event of a switch has its usual reason and a note that begins with"
            " `Shadow: would`.",
        ),
        section(
            "Related object",
            "`related` of the Event of a switch, a repair or an adoption is the published object, so that"
            " dashboards of Events can be narrowed to what consumers read. That of a switch in shadow mode has none.",
        ),
        section(
            "Limits",
            f"The API server deletes Events after an hour by default; `status.history` keeps the last {SWITCHES_KEPT}"
            " switches. An Event that cannot be written is logged and lost: it never holds up a switch. Its name is"
            " derived from what happened, so that one told again after a crash is the same object.",
            f"A policy may cause {BURST} Events at once and one in {REFILL.total_seconds():g} s after that. What is"
            " beyond is left out; status, metrics and the log of decisions are complete.",
        ),
    )
