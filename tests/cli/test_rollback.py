"""`providerswitch rollback` and `revisions` where the API server answers as a test says; tests/e2e has the real one."""

import argparse
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.policies import build_policy

from providerswitch.api.errors import ApiServerError, UserError
from providerswitch.cli import asking, cluster, revisions, rollback
from providerswitch.cli.configurations import fetch_history, managed_by, wants_colour
from providerswitch.cli.revisions import Output
from providerswitch.controller.policy import spec_text
from providerswitch.core.history import Kept
from providerswitch.kube.client import JSON, KubeClient, Object
from providerswitch.kube.objects import ObjectKey
from providerswitch.publish.choice import Owner
from providerswitch.publish.revision import build_revision

KEY = ObjectKey("team-a", "chat")
OWNER = Owner("team-a", "chat", "uid-1")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def policy(second: int, **metadata: Any) -> Object:
    made = build_policy("chat", "team-a", failover={"minDwell": f"{second}s"})
    made["metadata"] |= {"uid": "uid-1", "generation": second, "resourceVersion": "70", **metadata}
    return made


def revision(number: int, second: int, uid: str = "uid-1") -> Object:
    owner = Owner(OWNER.namespace, OWNER.name, uid)
    made = build_revision(owner, spec_text(policy(second)), Kept(f"chat-{number}", number, good=number == 2))
    made["metadata"] |= {"uid": f"u-{number}", "resourceVersion": "7", "creationTimestamp": "2026-11-24T11:58:00Z"}
    return made


@dataclass
class Server(KubeClient):
    """Says what it was given; a write fails with `refuses`, if it is none of a rehearsal or `rehearsals` says so."""

    policy: Object = field(default_factory=lambda: policy(2))
    revisions: list[Object] = field(default_factory=lambda: [revision(1, 1), revision(2, 2)])
    refuses: ApiServerError | None = None
    rehearsals: bool = False
    written: list[Any] = field(default_factory=list)

    async def request(
        self,
        method: str,
        path: str,
        *,
        what: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Object:
        if method == "GET":
            return self.policy if "providerswitchpolicies" in path else {"items": self.revisions}
        rehearsed = "dryRun" in (query or {})
        if self.refuses and rehearsed == self.rehearsals:
            raise self.refuses
        if not rehearsed:
            self.written.append(body)
        return {"metadata": {"generation": 3}}


async def roll_back(server: Server, number: int | None = None, *, dry_run: bool = False, colour: bool = False) -> str:
    out = io.StringIO()
    await rollback.run(server, KEY, rollback.Wish(number, dry_run), out, colour=colour)
    return out.getvalue()


async def test_a_write_names_the_version_that_was_read_and_the_spec_alone() -> None:
    server = Server()
    await roll_back(server)
    assert server.written == [
        [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": "70"},
            {"op": "replace", "path": "/spec", "value": policy(1)["spec"]},
        ]
    ]


async def test_a_dry_run_writes_nothing() -> None:
    server = Server()
    assert "Nothing was changed (dry run)." in await roll_back(server, dry_run=True)
    assert server.written == []


async def test_an_edit_of_somebody_else_meanwhile_is_not_overwritten() -> None:
    with pytest.raises(UserError, match="Somebody changed the policy meanwhile, so nothing was changed"):
        await roll_back(Server(refuses=ApiServerError("change", 409, "the object has been modified")))


async def test_a_spec_that_the_schema_knows_no_more_is_refused_before_anything_is_written() -> None:
    server = Server(refuses=ApiServerError("change", 422, "spec.tasks: too many"), rehearsals=True)
    with pytest.raises(UserError, match=r"does not accept revision 1 any more.*spec.tasks: too many"):
        await roll_back(server)
    assert server.written == []


async def test_no_answer_to_the_write_is_told_from_no_answer_to_the_rehearsal() -> None:
    silence = ApiServerError("change", None, "TimeoutError")
    with pytest.raises(rollback.UnknownOutcomeError):
        await roll_back(Server(refuses=silence))
    with pytest.raises(ApiServerError):
        await roll_back(Server(refuses=silence, rehearsals=True))


async def test_those_of_another_policy_of_that_name_are_none_to_return_to() -> None:
    with pytest.raises(UserError, match="No configuration is kept"):
        await roll_back(Server(revisions=[revision(1, 1, uid="uid-of-before")]))


async def test_one_whose_data_is_none_of_ours_is_passed_over() -> None:
    spoilt = {**revision(1, 1), "data": "text"}
    history = await fetch_history(Server(revisions=[spoilt, revision(2, 2)]), KEY)
    assert [each.number for each in history.configurations] == [2]


async def test_the_first_configuration_has_none_before_it() -> None:
    with pytest.raises(UserError, match="There is no revision before the present one"):
        await roll_back(Server(policy=policy(1)))


async def test_colours_are_for_terminals() -> None:
    assert "\033[32m+    minDwell: 1s\033[0m" in await roll_back(Server(), colour=True)
    assert "\033" not in await roll_back(Server())
    assert not wants_colour(io.StringIO(), {})


async def test_a_table_says_which_is_present_and_which_the_last_good() -> None:
    out = io.StringIO()
    await revisions.show(Server(), KEY, out, now=NOON, output=Output.TABLE)
    assert out.getvalue().splitlines() == [
        "REVISION   NAME     ACCEPTED FIRST   PRIMARY   IS",
        "2          chat-2   2 min ago        openai    present, last good",
        "1          chat-1   2 min ago        openai",
    ]


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        (
            {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux"}},
            "Flux (pause it: flux suspend kustomization apps -n flux)",
        ),
        (
            {"labels": {"helm.toolkit.fluxcd.io/name": "apps"}},
            "Flux (pause it: flux suspend helmrelease apps -n flux-system)",
        ),
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "chat:providerswitch.dev/x:team-a/chat"}},
            "Argo CD (pause it: argocd app set chat --sync-policy none)",
        ),
        ({}, None),
    ],
    ids=["kustomization", "helm-release", "argo-cd", "nobody"],
)
def test_the_tool_that_will_undo_it_is_told_from_the_policys_marks(metadata: Object, told: str | None) -> None:
    assert managed_by(policy(1, **metadata)) == told


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ApiServerError("read", 403, 'User "x" cannot list resource'), 'You lack a right: User "x" cannot list'),
        (ApiServerError("read", 401), "does not accept your credentials"),
        (ApiServerError("read", None, "TimeoutError"), "did not answer"),
        (ApiServerError("read", 500), "refused to read: HTTP 500"),
    ],
    ids=["forbidden", "unauthorized", "silent", "failing"],
)
def test_what_the_api_server_says_is_told_with_what_to_do(error: ApiServerError, says: str) -> None:
    assert says in cluster.explain(error)


async def test_without_a_cluster_it_says_so_and_ends_with_1(tmp_path: Any) -> None:
    flags = argparse.Namespace(
        command="revisions",
        policy="chat",
        kubeconfig=str(tmp_path / "none"),
        context=None,
        namespace=None,
        diff=None,
        output=Output.TABLE,
    )
    out, err = io.StringIO(), io.StringIO()
    assert await asking.run(flags, out, err, now=NOON, environ={}) == 1
    assert "no kubeconfig at" in err.getvalue()
