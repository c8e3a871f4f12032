"""What is said at the end: measured times, what kubectl shows, and what to try."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from providerswitch.api.status import Switch
from providerswitch.demo.kubectl import Kubectl
from providerswitch.demo.playing import Played
from providerswitch.demo.policies import ASSISTANT
from providerswitch.demo.processes import LOG_TAIL
from providerswitch.demo.screen import draw_calls
from providerswitch.demo.world import World, describe

EVENT_COLUMNS: Final = "custom-columns=TYPE:.type,REASON:.reason,POLICY:.regarding.name,NOTE:.note"
COMMANDS: Final = (
    ("kubectl", "get", "pswitch"),
    ("kubectl", "describe", "pswitch", ASSISTANT),
    ("kubectl", "get", "events.events.k8s.io", "--sort-by=.eventTime", "-o", EVENT_COLUMNS),
)


def print_times(console: Console, played: Sequence[Played], world: World) -> None:
    """Print when each expectation was met, and each switch as the operator measured it."""
    console.print(_observations(played))
    console.print(_switches(world))
    console.print(draw_calls(world.calls))
    console.print(f"longest time without a good answer for the consumer: {world.calls.longest_outage:.2f} s\n")


def _observations(played: Sequence[Played]) -> Table:
    table = Table("STEP", "SEEN", "AFTER", title="What was seen", title_justify="left")
    for number, one in enumerate(played, start=1):
        for observation in one.observations:
            after = "not seen" if observation.after is None else f"{observation.after:.2f} s"
            table.add_row(str(number), observation.what, after)
        table.add_section()
    return table


def _switches(world: World) -> Table:
    columns = ("POLICY", "TRIGGER", "FROM", "TO", "DETECTED IN", "SWITCHED IN", "OUTCOME")
    title = "Switches as .status.history tells them: first failed probe to decision, decision to verified publication"
    table = Table(*columns, title=title, title_justify="left")
    for name, policy in sorted(world.policies.items()):
        for switch in reversed(policy.status.history):
            table.add_row(name, *_switch(switch))
    return table


def _switch(switch: Switch) -> tuple[str, ...]:
    detected = "" if switch.detect_millis is None else f"{switch.detect_millis} ms"
    way = switch.from_provider or "", switch.to
    return (switch.trigger, *way, detected, f"{switch.switch_millis} ms", switch.outcome)


async def print_kubectl(console: Console, kubectl: Kubectl) -> None:
    """Print what a user sees with kubectl."""
    for program, *arguments in COMMANDS:
        console.print(f"$ {program} {' '.join(arguments)}", style="cyan", highlight=False, soft_wrap=True)
        console.print(await kubectl(*arguments), highlight=False, markup=False, soft_wrap=True)


def print_failure(console: Console, failed: Played, world: World, log: Path) -> None:
    """Print what was expected and what was seen instead."""
    console.print(f"FAILED: {failed.step.title}", style="bold red", highlight=False)
    for observation in failed.observations:
        if observation.after is None:
            console.print(f"  expected within {observation.within:g} s: {observation.what}", highlight=False)
    for policy in sorted(world.policies) or [ASSISTANT]:
        console.print(f"  seen: {describe(world, policy)}", highlight=False, markup=False, soft_wrap=True)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL:])
    console.print(f"The end of the operator's log:\n{tail}", highlight=False, markup=False, soft_wrap=True)


def print_invitation(console: Console, kubectl: Kubectl, control: str) -> None:
    """Print how to play on."""
    fault = f"""curl -X PUT {control}/openai -d '{{"fault": "refuse"}}'"""
    primary = f"""kubectl patch pswitch {ASSISTANT} --type=merge -p '{{"spec":{{"primary":"openai"}}}}'"""
    lines = (
        "Everything stays up until Ctrl-C. In another terminal:",
        f"  export KUBECONFIG={kubectl.kubeconfig}",
        "  kubectl get pswitch --watch",
        f"  {primary}",
        f"  {fault}     # heals with healthy; hang, server-error, rate-limited, ... break it otherwise",
    )
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
