"""The scenes of the people on call: an override, and a drill that rehearses an outage nobody has."""

from collections.abc import Mapping
from typing import Any, Final

from providerswitch.api import meta
from providerswitch.api.drill import DrillState
from providerswitch.demo.acts import apply, look_on, remove
from providerswitch.demo.expectations import (
    active,
    conditions,
    consumer_on,
    drilled,
    event,
    published,
)
from providerswitch.demo.installation import NAMESPACE
from providerswitch.demo.policies import ASSISTANT
from providerswitch.demo.step import Step

OVERRIDE: Final = "maintenance"
DRILL: Final = "rehearsal"
FAULT_SECONDS: Final = 3
DRILL_SECONDS: Final = 30.0
"""The fault, the blacklist time and two good probes."""


def build_override(provider: str) -> Mapping[str, Any]:
    """Return the order of a person on call."""
    spec = {"provider": provider, "duration": "30m", "reason": "announced maintenance", "requestedBy": "on-call"}
    return _manifest(meta.OVERRIDE_KIND, OVERRIDE, spec)


def build_drill() -> Mapping[str, Any]:
    """Return the rehearsal of an outage of whoever is active."""
    spec = {"fault": "Outage", "duration": f"{FAULT_SECONDS}s", "objectives": {"failover": "5s"}}
    return _manifest(meta.DRILL_KIND, DRILL, spec)


def _manifest(kind: str, name: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "apiVersion": meta.API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"policyRef": {"name": ASSISTANT}, **spec},
    }


def override(ruled: str, ordered: str) -> tuple[Step, ...]:
    """Return an override and its end; `ruled` serves by the rules."""
    return (
        Step(
            f"Somebody on call sends assistant to {ordered} for half an hour. The policy is not edited.",
            apply(build_override(ordered)),
            (
                published(ASSISTANT, ordered),
                active(ASSISTANT, ordered),
                consumer_on(ordered),
                conditions(ASSISTANT, {"Ready": "True", "Overridden": "True", "FailedOver": "False"}),
                event(ASSISTANT, "Overridden"),
            ),
            shown=f"kubectl apply -f {OVERRIDE}.yaml",
        ),
        Step(
            "The maintenance is over early; the rules hold again at once.",
            remove(meta.OVERRIDE_SHORT, OVERRIDE),
            (
                published(ASSISTANT, ruled),
                consumer_on(ruled),
                conditions(ASSISTANT, {"Ready": "True", "Overridden": "False"}),
                event(ASSISTANT, "OverrideEnded"),
            ),
            shown=f"kubectl delete {meta.OVERRIDE_SHORT} {OVERRIDE}",
        ),
    )


def drill(ruled: str, backup: str) -> tuple[Step, ...]:
    """Return a drill; `ruled` serves by the rules, and `backup` takes over."""
    return (
        Step(
            f"A drill rehearses an outage of {ruled}, which is well: the fault is played, the failover is real.",
            apply(build_drill()),
            (
                published(ASSISTANT, backup),
                consumer_on(backup),
                event(ASSISTANT, "FailedOver"),
                conditions(ASSISTANT, {"Ready": "True", "FailedOver": "True"}),
            ),
            shown=f"kubectl apply -f {DRILL}.yaml",
        ),
        Step(
            f"The played fault ends, {ruled} comes back by the usual rules, and the drill says what it measured.",
            look_on,
            (
                published(ASSISTANT, ruled, DRILL_SECONDS),
                consumer_on(ruled, DRILL_SECONDS),
                drilled(DRILL, DrillState.PASSED, DRILL_SECONDS),
            ),
            shown=f"kubectl get {meta.DRILL_SHORT} {DRILL} -o yaml",
        ),
    )
