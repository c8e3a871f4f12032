"""What is shown while the story runs: the present step, its checklist, and a timeline. Printing is the screen's."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from providerswitch.demo.expectations import Checklist
from providerswitch.demo.fakes import FakeProvider
from providerswitch.demo.world import SeenEvent, World


class LineKind(StrEnum):
    """What a line of the timeline tells."""

    STEP = "step"
    COMMAND = "command"
    NORMAL = "event"
    WARNING = "warning"
    SEEN = "seen"
    MISSED = "missed"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the timeline.

    Attributes:
        at: seconds since the demo began.
    """

    at: float
    kind: LineKind
    text: str


@dataclass(slots=True)
class Show:
    """The state of the performance.

    Attributes:
        began: `time.monotonic()` when the demo began.
        fakes: the providers by name, who know best when they were probed.
        on_line: told each line, for screens that print instead of drawing.
    """

    world: World
    fakes: Mapping[str, FakeProvider] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    on_line: Callable[[Line], None] = lambda _: None
    title: str = ""
    checklist: Checklist | None = None
    lines: list[Line] = field(default_factory=list)

    def say(self, kind: LineKind, text: str) -> None:
        """Add a line to the timeline."""
        line = Line(time.monotonic() - self.began, kind, text)
        self.lines.append(line)
        self.on_line(line)

    def begin(self, title: str, command: str) -> None:
        """Begin a step."""
        self.title = title
        self.say(LineKind.STEP, title)
        if command:
            self.say(LineKind.COMMAND, f"$ {command}")

    def end(self, checklist: Checklist) -> None:
        """End a step: say what was seen of its expectations, and after which time."""
        for observation in checklist.observations():
            if observation.after is None:
                self.say(LineKind.MISSED, f"{observation.what}: not within {observation.within:g} s")
            else:
                self.say(LineKind.SEEN, f"{observation.what} (after {observation.after:.2f} s)")

    def tell_event(self, event: SeenEvent) -> None:
        """Add a Kubernetes Event to the timeline."""
        kind = LineKind.WARNING if event.type == "Warning" else LineKind.NORMAL
        self.say(kind, f"{event.policy} {event.reason}: {event.note}")
