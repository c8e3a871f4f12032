"""What of the product stands around the core, handed to the simulator: its own classes, constants and formulas."""

from datetime import timedelta
from typing import Final

from providerswitch.api.meta import API_VERSION
from providerswitch.api.policy import PolicySpec
from providerswitch.api.status import PolicyStatus
from providerswitch.controller.entry import Entry
from providerswitch.controller.network import Network
from providerswitch.controller.policy import Policy
from providerswitch.controller.reconciler import (
    HOUSEKEEPING_SECONDS,
    RECHECK_SECONDS,
    REFUSED_RETRY,
    VALIDATION_PATIENCE,
)
from providerswitch.controller.retrying import RETRY_SECONDS
from providerswitch.controller.wanted import cadence_of
from providerswitch.core.memory import Memory
from providerswitch.kube.objects import ObjectKey
from providerswitch.simulate.loop import Loop, Timing

PUBLISHING: Final = timedelta(milliseconds=10)
"""From the decision to the verified ConfigMap; `make bench-switch` measures it."""
HERE: Final = ObjectKey("simulated", API_VERSION.partition("/")[0])


def build_loop(spec: PolicySpec, *, publishing: timedelta = PUBLISHING) -> Loop:
    """Return the loop around the core, as the operator has it for this spec."""
    entry = Entry(HERE, "", PolicyStatus(), Memory(), policy=Policy(HERE, "", 1, "1", None, spec))
    timing = Timing(
        patience=VALIDATION_PATIENCE,
        recheck=timedelta(seconds=RECHECK_SECONDS),
        refused=REFUSED_RETRY,
        retries=tuple(timedelta(seconds=seconds) for seconds in RETRY_SECONDS),
        publishing=publishing,
        housekeeping=timedelta(seconds=HOUSEKEEPING_SECONDS),
    )
    return Loop(
        cadence_of(spec.health_check, billed=True),
        entry.rules,
        Network(),
        timing,
        entry.weighs_each_outcome,
        entry.told_apart,
    )


def build_spec(*names: str, **fields: object) -> PolicySpec:
    """Return a policy of providers on hosts of their own; the first is the primary.

    Args:
        names: of the providers.
        fields: more fields of the spec, named as in YAML.
    """
    providers = [{"name": name, "type": "openai-compatible", "baseURL": f"https://{name}.example/v1"} for name in names]
    return PolicySpec.model_validate({"primary": names[0], "providers": providers, **fields})
