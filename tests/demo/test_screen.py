"""What people see, on a terminal and without one."""

import io

from rich.console import Console
from tests.demo import seen

from providerswitch.demo.expectations import Checklist, active
from providerswitch.demo.fakes import Exchange, FakeProvider, Fault
from providerswitch.demo.screen import describe_probes, draw, open_screen
from providerswitch.demo.show import LineKind, Show
from providerswitch.demo.world import World


def rendered(show: Show) -> str:
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(draw(show, 10))
    return console.export_text()


def a_show() -> Show:
    states = {"openai": "Down ConnectRefused", "anthropic": "Healthy"}
    return Show(seen.world_with(seen.policy(active="anthropic", states=states)))


def line_with(text: str, word: str) -> str:
    return next(line for line in text.splitlines() if word in line)


def test_the_table_shows_who_serves_and_who_is_preferred() -> None:
    text = rendered(a_show())
    assert "->" in line_with(text, "anthropic")
    down = line_with(text, "openai (primary)")
    assert "->" not in down
    assert ("Down" in down, "ConnectRefused" in down) == (True, True)


def test_the_table_shows_when_a_provider_was_probed_last() -> None:
    fake = FakeProvider("openai")
    assert describe_probes(fake, 9) == ("0", "")
    fake.log.extend([Exchange(5, Fault.HEALTHY, "GET", status=200), Exchange(6, Fault.HANG, "GET")])
    fake.log.append(Exchange(8, Fault.HEALTHY, "POST", status=200))
    assert describe_probes(fake, 9) == ("2", " 3.0 s ago: hang")


def test_the_consumer_stands_below() -> None:
    show = a_show()
    show.world.take_call(seen.call("anthropic"))
    show.world.take_call(seen.failed_call("openai", 2))
    assert "consumer: 2 calls, 50.0% good, now served by anthropic (anthropic 1)" in rendered(show)


def test_the_checklist_is_ticked_off() -> None:
    show = a_show()
    show.begin("openai fails [really]", "")
    show.checklist = Checklist((active("assistant", "anthropic"), active("assistant", "google")), begun=1, cause=1)
    show.checklist.look(show.world, 1.25)
    text = rendered(show)
    assert "openai fails [really]" in line_with(text, "╭")
    assert "[x] status of assistant says anthropic 0.25 s" in text
    assert "[ ] status of assistant says google" in text


def test_events_are_part_of_the_timeline() -> None:
    show = a_show()
    show.world.on_event = show.tell_event
    show.world.take_event(seen.event("FailedOver", note="x [bold]y", kind="Warning"))
    assert "E assistant FailedOver: x [bold]y" in rendered(show)
    assert show.lines[-1].kind is LineKind.WARNING


def test_an_empty_world_can_be_drawn() -> None:
    assert "now served by nobody" in rendered(Show(World()))


def test_without_a_terminal_each_line_is_printed_whole() -> None:
    out = io.StringIO()
    show = Show(World())
    with open_screen(Console(file=out, width=20), show):
        show.say(LineKind.NOTE, "a long line that is not wrapped [at] all")
    assert out.getvalue().splitlines() == ["  0.00s    a long line that is not wrapped [at] all"]
