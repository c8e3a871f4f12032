"""One step of the story."""

from dataclasses import dataclass

from providerswitch.demo.acts import Act
from providerswitch.demo.expectations import Expectation


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        title: what happens, as a sentence.
        shown: the command a user would type, "" for what happens to a provider.
    """

    title: str
    act: Act
    expectations: tuple[Expectation, ...]
    shown: str = ""
