"""What a condition says."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Verdict:
    """The essence of a condition."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str
