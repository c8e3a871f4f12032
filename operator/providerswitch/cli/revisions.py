"""List the configurations of a policy that were in force, or show what a return to one would change.

    providerswitch revisions chat -n team-a
    providerswitch revisions chat -n team-a --diff 3

Exit codes: 0, done; 1, there is no such policy or revision, or it may not be read; 2, the command line is wrong.
"""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TextIO

import yaml

from providerswitch.cli.configurations import Configuration, PolicyHistory, compare, fetch_history, print_difference
from providerswitch.cli.terminal import clean
from providerswitch.core.spans import tell_distance
from providerswitch.kube.client import KubeClient
from providerswitch.kube.objects import ObjectKey

COLUMNS = ("REVISION", "NAME", "ACCEPTED FIRST", "PRIMARY", "IS")


class Output(StrEnum):
    """How a list is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("policy", metavar="POLICY", help="name of the policy")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("-o", "--output", type=Output, choices=list(Output), default=Output.TABLE, help="default: table")
    what.add_argument("--diff", type=int, metavar="N", help="show what a return to revision N would change")


async def show(client: KubeClient, key: ObjectKey, out: TextIO, *, now: datetime, output: Output) -> None:
    """Print the configurations of a policy, newest first.

    Raises:
        UserError: there is no such policy, or nothing is kept of it.
        ApiServerError: they could not be read.
    """
    history = await fetch_history(client, key)
    match output:
        case Output.JSON:
            print(json.dumps(_document(history, key), indent=2), file=out)
        case Output.YAML:
            print(yaml.safe_dump(_document(history, key), sort_keys=False), end="", file=out)
        case Output.TABLE:
            _print_table(history, now, out)


async def show_difference(client: KubeClient, key: ObjectKey, out: TextIO, *, number: int, colour: bool) -> None:
    """Print what a return to a revision would change.

    Raises:
        UserError: there is no such policy or revision.
        ApiServerError: they could not be read.
    """
    history = await fetch_history(client, key)
    lines = compare(history, history.numbered(number))
    print_difference(lines or [f"Nothing: the spec is that of revision {number}."], out, colour=colour)


def _document(history: PolicyHistory, key: ObjectKey) -> dict[str, Any]:
    return {
        "policy": key.name,
        "namespace": key.namespace,
        "generation": history.generation,
        "revisions": [
            {
                "revision": each.number,
                "name": each.name,
                "created": each.created,
                "present": each is history.present,
                "lastGood": each.last_good,
                "spec": dict(each.spec),
            }
            for each in history.configurations
        ],
    }


def _print_table(history: PolicyHistory, now: datetime, out: TextIO) -> None:
    rows = [COLUMNS, *(_row(each, history, now) for each in history.configurations)]
    for line in _align(rows):
        print(line, file=out)
    if history.present is None:
        print(f"\nThe spec as it stands (generation {history.generation}) is not in force; see its Ready.", file=out)


def _row(each: Configuration, history: PolicyHistory, now: datetime) -> tuple[str, ...]:
    marks = [word for word, holds in (("present", each is history.present), ("last good", each.last_good)) if holds]
    return (str(each.number), each.name, _age(each.created, now), clean(each.primary), ", ".join(marks))


def _age(created: str, now: datetime) -> str:
    try:
        return tell_distance(datetime.fromisoformat(created), now.astimezone(UTC))
    except ValueError:
        return "-"


def _align(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
