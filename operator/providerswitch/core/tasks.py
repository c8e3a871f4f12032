"""What the policy itself and each of its tasks choose from, and by which rules. Pure.

The policy itself is told by the task None; whatever a task leaves out it has from the policy.
"""

from providerswitch.api.policy import PolicySpec
from providerswitch.api.selection import Requirements, Selection, Task
from providerswitch.core.compatibility import Standard, apply_for, find_misfit, set_standard


def requirements_of(spec: PolicySpec, task: Task | None) -> Requirements:
    """Return what a provider must be able to do; what a task does not say, an allowed region say, the policy does."""
    own = spec.selection.requirements
    if task is None:
        return own
    said = {name: value for name in Requirements.model_fields if (value := getattr(task.requirements, name))}
    return own.model_copy(update=said)


def selection_of(spec: PolicySpec, task: Task | None) -> Selection:
    """Return the rules of choice."""
    if task is None:
        return spec.selection
    changes = {"strategy": task.strategy, "weights": task.weights}
    return spec.selection.model_copy(update={name: value for name, value in changes.items() if value is not None})


def order_of(spec: PolicySpec, task: Task | None, *besides: str | None) -> tuple[str, ...]:
    """Return the candidates in the user's order, the primary first.

    A task without a primary of its own prefers whoever fulfils its requirements, in the policy's order. Whom the
    schedule prefers now, or an override asks for, need not be a backup: they come last.
    """
    order = tuple(dict.fromkeys((*spec.order(), *(name for name in besides if name))))
    if task is None:
        return order
    if task.primary:
        return tuple(dict.fromkeys((task.primary, *order)))
    wanted = Standard(requirements_of(spec, task), task=task.name)
    return tuple(sorted(order, key=lambda name: _misfit(spec, name, wanted) is not None))


def misfits_of(spec: PolicySpec, task: Task | None, *besides: str | None) -> dict[str, str]:
    """Return the candidates that cannot be chosen whatever their health, with the reason."""
    order = order_of(spec, task, *besides)
    standard = set_standard(
        spec, requirements_of(spec, task), spec.provider(order[0]), task=task.name if task else None
    )
    found = {name: _misfit(spec, name, standard) for name in order}
    return {name: why for name, why in found.items() if why}


def _misfit(spec: PolicySpec, name: str, standard: Standard) -> str | None:
    """Quality counts here as it is declared: what is measured goes up and down, and is a matter of thresholds."""
    provider = spec.provider(name)
    assert provider is not None
    return find_misfit(apply_for(provider, standard.task, provider.quality), standard)
