"""The commands that ask the user's cluster about a policy: their flags, and how each ends.

Exit codes: 0, done; 1, refused, and nothing was changed; 3, it is unknown whether something was changed.
"""

import argparse
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TextIO

from providerswitch.api.errors import ApiServerError, UserError
from providerswitch.cli import cluster, revisions, rollback
from providerswitch.cli.configurations import wants_colour
from providerswitch.cli.terminal import clean
from providerswitch.kube.objects import ObjectKey

REFUSED: Final = 1
UNKNOWN: Final = 3
NO_ANSWER: Final = "No answer came, so it is unknown whether the spec was changed. See: kubectl get pswitch -o yaml"


def add_commands(commands: Any, environ: Mapping[str, str]) -> None:
    """Add a parser for each command.

    Args:
        commands: what `argparse.ArgumentParser.add_subparsers` returned.
        environ: whose KUBECONFIG is the default.
    """
    for verb, told in ((revisions, "list the configurations of a policy"), (rollback, "return to an earlier one")):
        name = verb.__name__.rpartition(".")[2]
        layout = argparse.RawDescriptionHelpFormatter
        parser = commands.add_parser(name, help=told, description=verb.__doc__, formatter_class=layout)
        verb.add_flags(parser)
        cluster.add_flags(parser, environ)


async def run(
    flags: argparse.Namespace, stdout: TextIO, stderr: TextIO, *, now: datetime, environ: Mapping[str, str]
) -> int:
    """Run a command; say on standard error why it was not done. Return the exit code."""
    colour = wants_colour(stdout, environ)
    try:
        async with cluster.open_cluster(cluster.read_place(flags)) as (client, namespace):
            key = ObjectKey(namespace, flags.policy)
            if flags.command == "rollback":
                wish = rollback.Wish(flags.to_revision, flags.dry_run)
                await rollback.run(client, key, wish, stdout, colour=colour)
            elif flags.diff is not None:
                await revisions.show_difference(client, key, stdout, number=flags.diff, colour=colour)
            else:
                await revisions.show(client, key, stdout, now=now, output=flags.output)
    except (UserError, ApiServerError, rollback.UnknownOutcomeError) as error:
        print(clean(_explain(error)), file=stderr)
        return UNKNOWN if isinstance(error, rollback.UnknownOutcomeError) else REFUSED
    return 0


def _explain(error: Exception) -> str:
    match error:
        case UserError():
            return error.message
        case ApiServerError():
            return cluster.explain(error)
        case _:
            return NO_ANSWER
