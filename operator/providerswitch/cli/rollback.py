"""Put a policy's spec back to an earlier configuration; nothing else of the policy is touched.

    providerswitch rollback chat -n team-a --dry-run
    providerswitch rollback chat -n team-a --to-revision 3

Where Git holds the policy, the lasting rollback is a revert in Git: docs/guide/rollback.md.

Exit codes: 0, done (or would be, with --dry-run); 1, refused, and nothing was changed; 2, the command line is wrong;
3, no answer came, so that it is unknown whether it was done.
"""

import argparse
from dataclasses import dataclass
from typing import Final, TextIO

from providerswitch.api.errors import ApiServerError, UserError
from providerswitch.cli.configurations import (
    FIELD_MANAGER,
    Configuration,
    PolicyHistory,
    compare,
    fetch_history,
    managed_by,
    print_difference,
)
from providerswitch.kube.client import KubeClient, Object
from providerswitch.kube.objects import CONFLICT, POLICIES, ObjectKey, path_of

JSON_PATCH: Final = "application/json-patch+json"
NOT_VALID: Final = frozenset({400, 422, 500})
"""What a spec is refused with that the API server accepted earlier: its schema has changed, or a webhook says no."""


class UnknownOutcomeError(Exception):
    """The API server did not answer to the write itself."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for.

    Attributes:
        number: of the revision to return to; None for the one before the present.
        dry_run: nothing is written.
    """

    number: int | None = None
    dry_run: bool = False


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("policy", metavar="POLICY", help="name of the policy")
    parser.add_argument("--to-revision", type=int, metavar="N", help="default: the one before the present")
    parser.add_argument("--dry-run", action="store_true", help="show what would change; the API server checks it")


async def run(client: KubeClient, key: ObjectKey, wish: Wish, out: TextIO, *, colour: bool) -> None:
    """Show the difference, have the API server rehearse it, and write it unless that is not wished for.

    Raises:
        UserError: it is refused, and nothing was changed.
        ApiServerError: something could not be read, and nothing was changed.
        UnknownOutcomeError: it is unknown whether it was done.
    """
    history = await fetch_history(client, key)
    wanted = history.before() if wish.number is None else history.numbered(wish.number)
    lines = compare(history, wanted)
    if not lines:
        raise UserError("NothingToDo", f"The spec is that of revision {wanted.number} already.")
    print_difference(lines, out, colour=colour)
    await _write(client, key, history, wanted, {"dryRun": "All"})
    if wish.dry_run:
        print(f"\nRevision {wanted.number} would be accepted. Nothing was changed (dry run).", file=out)
        return
    stored = await _commit(client, key, history, wanted)
    print(f'\nPolicy "{key.name}" has the spec of revision {wanted.number} again.', _next(history, stored), file=out)


async def _commit(client: KubeClient, key: ObjectKey, history: PolicyHistory, wanted: Configuration) -> Object:
    try:
        return await _write(client, key, history, wanted, {})
    except ApiServerError as error:
        if error.status is None:
            raise UnknownOutcomeError from error
        raise


async def _write(
    client: KubeClient, key: ObjectKey, history: PolicyHistory, wanted: Configuration, query: dict[str, str]
) -> Object:
    """Replace the spec if the policy is still as it was read.

    Raises:
        UserError: it is refused.
        ApiServerError: there was no clear answer, or the right for it lacks.
    """
    patch = [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": history.policy["metadata"]["resourceVersion"]},
        {"op": "replace", "path": "/spec", "value": dict(wanted.spec)},
    ]
    try:
        return await client.request(
            "PATCH",
            path_of(POLICIES, key),
            what=f'change {POLICIES.kind} "{key}"',
            body=patch,
            query={"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict", **query},
            content_type=JSON_PATCH,
        )
    except ApiServerError as error:
        raise _refusal(error, wanted) or error from error


def _refusal(error: ApiServerError, wanted: Configuration) -> UserError | None:
    if error.status == CONFLICT:
        message = "Somebody changed the policy meanwhile, so nothing was changed. Look at it, and try again."
        return UserError("Changed", message)
    if error.status in NOT_VALID:
        message = (
            f"The API server does not accept revision {wanted.number} any more, so nothing was changed: "
            f"{error.detail or f'HTTP {error.status}'}. Edit the policy instead: kubectl edit pswitch."
        )
        return UserError("NotAccepted", message)
    return None


def _next(history: PolicyHistory, stored: Object) -> str:
    """Return what happens to a rollback that was made."""
    tool = managed_by(history.policy)
    if tool:
        return f"It is managed by {tool}, which puts back what Git says. To make it last, revert the change in Git."
    return f"The operator takes it in as revision {stored['metadata'].get('generation')}."
