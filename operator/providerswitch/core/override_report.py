"""Tell of the overrides that hold: the condition Overridden, and what a restart needs to know. Pure."""

from collections.abc import Sequence

from providerswitch.api.status import OverrideInForce
from providerswitch.core.case import Case
from providerswitch.core.memory import Memory
from providerswitch.core.override import Detour, Override
from providerswitch.core.verdict import Verdict
from providerswitch.core.wording import complaint, shorten, spell

LONGEST_TEXT = 253


def judge_overridden(cases: Sequence[Case]) -> Verdict:
    """Overridden: an order of a person stands above the rules, of the policy itself or of a task."""
    told = [_tell(case, case.override) for case in cases if case.override]
    if not told:
        return Verdict("False", "NotOverridden", "the rules of the policy hold")
    waits = any(case.override and case.active != case.override.provider for case in cases)
    return Verdict("True", "OverrideWaits" if waits else "OverrideActive", "; ".join(told))


def _tell(case: Case, order: Override) -> str:
    whose = f'for task "{order.task}" ' if order.task else ""
    if case.active == order.provider:
        return f'"{order.provider}" serves {whose}by {order.why}'
    if case.may_serve(order.provider) or (order.force and case.suits(order.provider)):
        return f'{order.why} asks {whose}for "{order.provider}", which could not be published yet'
    why = spell((complaint(case, order.provider),))
    return f'{order.why} asks {whose}for "{order.provider}", which may not serve ({why}); the rules choose meanwhile'


def tell_overrides(memory: Memory) -> list[OverrideInForce]:
    """Return what the status holds of each override that is to be undone."""
    return [_held(detour.override, detour) for detour in memory.detours.values() if detour.override]


def _held(order: Override, detour: Detour) -> OverrideInForce:
    return OverrideInForce(
        name=order.name,
        uid=order.uid,
        task=order.task,
        provider=order.provider,
        force=order.force,
        requested_by=shorten(order.requested_by, LONGEST_TEXT) or None,
        reason=shorten(order.reason, LONGEST_TEXT),
        until=order.until,
        origin=detour.origin,
    )
