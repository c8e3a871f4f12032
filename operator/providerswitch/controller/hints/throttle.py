"""How often each of many may do something; of those who have not for long, nothing is kept."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from providerswitch.core.hints import Bucket, Rate

K = TypeVar("K")


class Throttle(Generic[K]):
    """One bucket for each key.

    Args:
        rate: of each.
        most: keys that are known at the same time; the one that was seen longest ago makes room.
        clock: seconds that never go back.
    """

    def __init__(self, rate: Rate, most: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._most = most
        self._clock = clock
        self._buckets: OrderedDict[K, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: K) -> float:
        """Count one more and return 0, or the seconds until there is room for it."""
        taken = self._buckets.get(key, Bucket()).take(self._rate, self._clock())
        if isinstance(taken, float):
            return taken
        self._buckets[key] = taken
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return 0.0
