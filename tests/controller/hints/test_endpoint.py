"""The endpoint as the settings want it."""

from pathlib import Path
from typing import Any

import pytest
from tests.controller.played_cluster import Cluster
from tests.support.virtual_time import loop_clock

from providerswitch.api.errors import UserError
from providerswitch.controller.hints.endpoint import HintEndpoint, HintParts, build_hint_endpoint
from providerswitch.controller.hints.settings import HintSettings
from providerswitch.controller.startup import Permission, needed_for_hints
from providerswitch.kube.objects import ObjectKey

ADDRESS = ("127.0.0.1", 8443)
SERVICE = ObjectKey("system", "hints")


def build(**settings: Any) -> HintEndpoint | None:
    cluster = Cluster()
    operator = cluster.operator
    parts = HintParts(
        asking=cluster.api,
        writing=cluster.api,
        registry=operator.registry,
        reconciler=operator.reconciler,
        scheduler=operator.scheduler,
        metrics=operator.metrics,
        ready=lambda: True,
        clock=loop_clock,
        seconds=lambda: 0.0,
    )
    return build_hint_endpoint(HintSettings(**settings), parts)


def test_by_default_there_is_none_and_it_needs_no_rights() -> None:
    assert build() is None
    assert needed_for_hints(HintSettings()) == ()


def test_over_plain_http_there_is_one_only_where_somebody_says_so() -> None:
    made = build(listen=ADDRESS, insecure=True)
    assert made
    assert (made.certificate, made.announcer) == (None, None)


@pytest.mark.parametrize(("settings", "reason", "told"), [
    ({}, "HintsInsecure", "--hints-listen needs --hints-cert and --hints-key, because callers send tokens"),
    ({"certificate": "a.crt"}, "BadHintsCertificate", "--hints-cert and --hints-key go together"),
    ({"key": "a.key", "insecure": True}, "BadHintsCertificate", "--hints-cert and --hints-key go together"),
    ({"certificate": "/no/a.crt", "key": "/no/a.key"}, "BadHintsCertificate", '--hints-cert "/no/a.crt" and'),
    ({"insecure": True, "service": SERVICE}, "NoPodIP", "--hints-service needs --pod-ip"),
    ({"insecure": True, "service": SERVICE, "pod_ip": "here"}, "NoPodIP", "--hints-service needs --pod-ip"),
], ids=str)  # fmt: skip
def test_what_cannot_be_used_ends_the_start(settings: dict[str, Any], reason: str, told: str) -> None:
    with pytest.raises(UserError) as refused:
        build(listen=ADDRESS, **settings)
    assert refused.value.reason == reason
    assert told in refused.value.message


def test_with_a_service_it_asks_for_the_rights_to_lead_there(tmp_path: Path) -> None:
    made = build(listen=ADDRESS, insecure=True, service=SERVICE, pod_ip="10.0.0.1")
    assert made
    assert made.announcer
    told = [str(right) for right in needed_for_hints(HintSettings(listen=ADDRESS, service=SERVICE))]
    assert told == [
        "create tokenreviews.authentication.k8s.io",
        "create subjectaccessreviews.authorization.k8s.io",
        'get services "system/hints"',
        'create endpointslices.discovery.k8s.io "system/"',
        'patch endpointslices.discovery.k8s.io "system/hints"',
    ]
    assert len(needed_for_hints(HintSettings(listen=ADDRESS))) == 2
    assert all(isinstance(right, Permission) for right in needed_for_hints(HintSettings(listen=ADDRESS)))
