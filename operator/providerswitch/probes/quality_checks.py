"""Ask golden prompts, round by round: one prompt of a provider each interval, in turn.

Golden prompts are billed. Whoever subscribes keeps the budget, by not subscribing when it is exhausted; policies that
want the same of the same target share its answers.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from providerswitch.api.health_check import QualityChecks
from providerswitch.probes.golden import Ask
from providerswitch.probes.golden_answer import Asked
from providerswitch.probes.rounds import Rounds
from providerswitch.probes.target import ProbeTarget

OnAnswer = Callable[[ProbeTarget, QualityChecks, Asked], None]


@dataclass(frozen=True, slots=True)
class _Item:
    """What is asked, as something that can be looked up: `written` stands for the checks, which have no hash."""

    target: ProbeTarget
    written: str
    checks: QualityChecks = field(compare=False, repr=False)


class QualityRounds:
    """Keeps asking.

    Args:
        ask: asks one prompt; never raises but for cancellation.
        on_answer: hears of every answer, of those too that could not be had.
        jitter: returns a random share of a span; puts off the first question.
    """

    def __init__(self, ask: Ask, on_answer: OnAnswer, *, jitter: Callable[[timedelta], timedelta]) -> None:
        self._ask = ask
        self._on_answer = on_answer
        self._turns: dict[_Item, int] = {}
        self._rounds = Rounds(self._ask_next, jitter=jitter)

    @property
    def alive(self) -> bool:
        """Whether everything that is wanted is asked."""
        return self._rounds.alive

    def subscribe(self, subscriber: Hashable, wanted: Mapping[ProbeTarget, QualityChecks]) -> None:
        """Ask exactly these targets for a subscriber; what nobody wants any more is not asked again.

        A target begins with the first prompt when somebody wants it anew.
        """
        items = {_item(target, checks): checks.interval for target, checks in wanted.items()}
        self._rounds.subscribe(subscriber, items)
        for item in self._turns.keys() - self._rounds.items:
            del self._turns[item]

    async def aclose(self) -> None:
        """Stop asking."""
        await self._rounds.aclose()

    async def _ask_next(self, item: _Item) -> None:
        turn = self._turns.get(item, 0)
        # The turn is over even if the question fails, or one that always fails would keep the others from being asked.
        self._turns[item] = turn + 1
        prompts = item.checks.prompts
        asked = await self._ask(item.target, prompts[turn % len(prompts)])
        self._on_answer(item.target, item.checks, asked)


def _item(target: ProbeTarget, checks: QualityChecks) -> _Item:
    return _Item(target, checks.model_dump_json(), checks)
