"""The Service for hints is pointed at whoever leads, in virtual time."""

import asyncio

import pytest
from tests.controller.played_cluster import PlayedApi

from providerswitch.api.errors import ApiServerError
from providerswitch.controller.hints.announcing import Announcer
from providerswitch.kube.client import NOT_LEADING, Object
from providerswitch.kube.endpoint_slices import build_slice
from providerswitch.kube.objects import ObjectKey

pytestmark = pytest.mark.looptime(start=0)

KEY = ObjectKey("system", "ps-hints")
SERVICE = "/api/v1/namespaces/system/services/ps-hints"
SLICE = "/apis/discovery.k8s.io/v1/namespaces/system/endpointslices/ps-hints"


def service() -> Object:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "ps-hints", "namespace": "system", "uid": "u"}}


class Replica:
    def __init__(self, api: PlayedApi, address: str, *, leads: bool) -> None:
        self.api = api
        self.leads = leads
        self.announcer = Announcer(api, KEY, address, 8443, lambda: self.leads)
        self.task = asyncio.create_task(self.announcer.run())

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


@pytest.fixture
def api() -> PlayedApi:
    made = PlayedApi()
    made.objects[SERVICE] = service()
    return made


def endpoint(api: PlayedApi) -> str | None:
    found = api.objects.get(SLICE)
    return str(found["endpoints"][0]["addresses"][0]) if found else None


async def test_who_leads_points_the_service_at_itself_and_who_stands_by_does_not(api: PlayedApi) -> None:
    leader, other = Replica(api, "10.0.0.1", leads=True), Replica(api, "10.0.0.2", leads=False)
    await asyncio.sleep(100)
    assert endpoint(api) == "10.0.0.1"
    for each in (leader, other):
        await each.stop()


async def test_whoever_begins_to_lead_is_the_endpoint_at_once(api: PlayedApi) -> None:
    first, second = Replica(api, "10.0.0.1", leads=True), Replica(api, "10.0.0.2", leads=False)
    await asyncio.sleep(10)
    first.leads, second.leads = False, True
    second.announcer.wake()
    await asyncio.sleep(0.1)
    assert endpoint(api) == "10.0.0.2"
    await asyncio.sleep(100)
    assert endpoint(api) == "10.0.0.2"
    for each in (first, second):
        await each.stop()


async def test_a_slice_that_somebody_deleted_comes_back_within_half_a_minute(api: PlayedApi) -> None:
    leader = Replica(api, "10.0.0.1", leads=True)
    await asyncio.sleep(1)
    del api.objects[SLICE]
    await asyncio.sleep(30)
    assert endpoint(api) == "10.0.0.1"
    await leader.stop()


@pytest.mark.parametrize("trouble", [403, 500, 0])
async def test_trouble_is_told_once_and_tried_again_every_second(
    api: PlayedApi, trouble: int, caplog: pytest.LogCaptureFixture
) -> None:
    api.trouble = lambda _method, _path: trouble
    leader = Replica(api, "10.0.0.1", leads=True)
    await asyncio.sleep(20)
    assert caplog.text.count("hints do not reach this replica") == 1
    api.trouble = lambda _method, _path: None
    await asyncio.sleep(1.1)
    assert endpoint(api) == "10.0.0.1"
    await leader.stop()


async def test_an_api_server_that_asks_for_rest_is_left_alone(api: PlayedApi) -> None:
    overloaded = ApiServerError("read", 429, "", 10.0)
    api.trouble = lambda _method, _path: overloaded
    leader = Replica(api, "10.0.0.1", leads=True)
    await asyncio.sleep(35)
    assert len(api.asked) == 4
    await leader.stop()


async def test_a_service_that_is_not_there_is_told_and_waited_for(
    api: PlayedApi, caplog: pytest.LogCaptureFixture
) -> None:
    del api.objects[SERVICE]
    leader = Replica(api, "10.0.0.1", leads=True)
    await asyncio.sleep(5)
    assert 'Service "system/ps-hints": HTTP 404: there is no such Service' in caplog.text
    api.objects[SERVICE] = service()
    await asyncio.sleep(1.1)
    assert endpoint(api) == "10.0.0.1"
    await leader.stop()


async def test_who_lost_the_lease_without_knowing_it_changes_nothing(api: PlayedApi) -> None:
    fenced = ApiServerError("apply", None, NOT_LEADING)
    api.trouble = lambda method, _path: fenced if method != "GET" else None
    leader = Replica(api, "10.0.0.1", leads=True)
    await asyncio.sleep(60)
    assert endpoint(api) is None
    await leader.stop()


@pytest.mark.parametrize(("address", "kind"), [("10.0.0.1", "IPv4"), ("fd00::1", "IPv6")])
def test_a_slice_belongs_to_its_service_and_goes_with_it(address: str, kind: str) -> None:
    made = build_slice(service(), address, 8443, "hints")
    assert made["addressType"] == kind
    assert made["metadata"]["labels"]["kubernetes.io/service-name"] == "ps-hints"
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Service", "u")
    assert made["ports"] == [{"name": "hints", "port": 8443, "protocol": "TCP"}]
