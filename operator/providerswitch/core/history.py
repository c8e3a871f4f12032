"""Which of the configurations that a policy ever had are kept, under which number, and which of them is the last good.

As a Deployment counts: the limit is of earlier ones; the present and the last good configuration stand outside of it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """A configuration that is kept.

    Attributes:
        number: generation of the policy at which it was accepted last; 0 where that cannot be read any more.
        good: it is marked as the last that was published completely.
    """

    name: str
    number: int
    good: bool = False


@dataclass(frozen=True, slots=True)
class Amendments:
    """What to do so that history is as it should be.

    Attributes:
        put: what is missing or reads otherwise, as it should read; the present configuration first.
        remove: names, oldest first.
    """

    put: tuple[Kept, ...] = ()
    remove: tuple[str, ...] = ()


def amend(kept: Collection[Kept], present: Kept, good: int | None, limit: int) -> Amendments:
    """Return what history lacks.

    Args:
        kept: one for each name.
        present: the configuration in force; its mark is not looked at.
        good: generation of the last configuration that was published completely; None before the first.
        limit: how many earlier ones are kept besides the present and the last good one, >= 0.
    """
    marked = _last_good(kept, present, good)
    earlier = sorted((each for each in kept if each.name != present.name), key=_age)
    wanted = [Kept(present.name, present.number, marked == present.name)]
    wanted += [Kept(each.name, each.number, marked == each.name) for each in earlier]
    remove = _surplus(earlier, present, marked, limit)
    lacking = (each for each in wanted if each not in kept and each.name not in remove)
    return Amendments(tuple(lacking), remove)


def _last_good(kept: Collection[Kept], present: Kept, good: int | None) -> str | None:
    """Return the name of the last good one; one that was renumbered meanwhile is known by its mark."""
    if present.number == good:
        return present.name
    of_number = (each for each in kept if each.number == good)
    of_mark = sorted((each for each in kept if each.good), key=_age, reverse=True)
    return next((each.name for each in (*of_number, *of_mark)), None)


def _surplus(earlier: Sequence[Kept], present: Kept, marked: str | None, limit: int) -> tuple[str, ...]:
    """Return the names of those beyond the limit, and of those whose number the present one has now.

    The latter reads otherwise although nobody edited it: a newer CustomResourceDefinition gave it more defaults.
    """
    counted = [each for each in earlier if each.name != marked]
    replaced = [each.name for each in counted if each.number == present.number]
    rest = [each.name for each in counted if each.number != present.number]
    return (*replaced, *rest[: max(0, len(rest) - limit)])


def _age(kept: Kept) -> tuple[int, str]:
    return kept.number, kept.name
