"""What is said at the end."""

import io
from pathlib import Path

from rich.console import Console
from tests.demo import seen

from providerswitch.demo.acts import Stage
from providerswitch.demo.expectations import Observation
from providerswitch.demo.kubectl import Kubectl
from providerswitch.demo.playing import Played
from providerswitch.demo.story import Step
from providerswitch.demo.summary import print_failure, print_invitation, print_times
from providerswitch.demo.world import World


async def nothing(_stage: Stage) -> float:
    return 0.0


STEP = Step("openai goes down", nothing, ())
MISSED = Played(STEP, (Observation("openai is Down", 10, 2.5), Observation("Event FailedOver", 10, None)))
SWITCH = {
    "time": "2026-11-24T00:00:00.000001Z", "from": "openai", "to": "google", "revision": 2, "trigger": "Failover",
    "reason": "r", "detectMillis": 601, "switchMillis": 13, "outcome": "Succeeded",
}  # fmt: skip


def a_console() -> Console:
    return Console(file=io.StringIO(), width=140)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_failure_says_what_was_expected_and_what_was_seen(tmp_path: Path) -> None:
    log = tmp_path / "operator.log"
    log.write_text("first\nlast words\n")
    console = a_console()
    world = seen.world_with(seen.policy(active="openai", states={"openai": "Suspect Timeout"}))
    print_failure(console, MISSED, world, log)
    text = printed(console)
    assert "FAILED: openai goes down" in text
    assert "expected within 10 s: Event FailedOver" in text
    assert "openai is Down" not in text
    assert "seen: assistant: primary openai, active openai, published nothing; openai Suspect (Timeout)" in text
    assert "last words" in text


def test_a_failure_before_anything_was_seen_can_be_told(tmp_path: Path) -> None:
    log = tmp_path / "operator.log"
    log.write_text("")
    console = a_console()
    print_failure(console, MISSED, World(), log)
    assert "seen: assistant: primary ?, active none" in printed(console)


def test_the_times_of_steps_and_switches_are_printed() -> None:
    console = a_console()
    print_times(console, [MISSED], seen.world_with(seen.policy(history=[SWITCH])))
    text = printed(console)
    assert ("2.50 s" in text, "not seen" in text) == (True, True)
    assert ("601 ms" in text, "13 ms" in text, "Failover" in text) == (True, True, True)


def test_three_commands_are_offered(tmp_path: Path) -> None:
    console = a_console()
    print_invitation(console, Kubectl(tmp_path / "kubeconfig"), "http://127.0.0.1:1")
    lines = printed(console).splitlines()
    assert f"  export KUBECONFIG={tmp_path / 'kubeconfig'}" in lines
    assert sum(line.startswith(("  kubectl", "  curl")) for line in lines) == 3
