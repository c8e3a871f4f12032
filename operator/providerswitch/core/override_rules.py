"""What becomes of an override: taken in once, judged by what its policy knows, and finished for good. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from providerswitch.api.durations import format_duration
from providerswitch.api.override import FINISHED, LONGEST_OVERRIDE, OverrideState
from providerswitch.api.policy import PolicySpec
from providerswitch.api.status import HealthState
from providerswitch.core.case import Case
from providerswitch.core.memory import Memory
from providerswitch.core.override import Override
from providerswitch.core.situation import Situation, build_case
from providerswitch.core.wording import complaint, shorten

GRACE: Final = timedelta(seconds=5)
"""A policy may come a moment after its override, as in one `kubectl apply`."""
LOOKED_AT: Final = 20
"""Open overrides of a policy that are judged, the newest; who makes more does not want the older ones."""
LONGEST_MESSAGE: Final = 1024
ARRIVAL_STEP: Final = timedelta(microseconds=1)
OUT_OF_SERVICE: Final = frozenset({HealthState.DOWN, HealthState.RATE_LIMITED})


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an override stands, as its status tells.

    Attributes:
        accepted_at: when its policy first took it in; None before.
    """

    state: OverrideState = OverrideState.PENDING
    reason: str = ""
    message: str = ""
    accepted_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def finished(self) -> bool:
        """Whether it is over for good."""
        return self.state in FINISHED


@dataclass(frozen=True, slots=True)
class Request:
    """An override as it was made; its spec never changes.

    Attributes:
        order: what is in force if it is accepted.
        created_at: by the API server, whole seconds.
    """

    order: Override
    policy: str
    created_at: datetime
    duration: timedelta
    generation: int = 1
    standing: Standing = field(default_factory=Standing)

    @property
    def age(self) -> tuple[datetime, datetime, str]:
        """What makes one newer than another."""
        never = datetime.max.replace(tzinfo=self.created_at.tzinfo)
        return self.created_at, self.standing.accepted_at or never, self.name

    @property
    def name(self) -> str:
        """Its name."""
        return self.order.name


@dataclass(frozen=True, slots=True)
class Bench:
    """What a policy's overrides are judged by.

    Attributes:
        longest: what the administrator allows.
    """

    spec: PolicySpec
    memory: Memory
    situation: Situation
    longest: timedelta = LONGEST_OVERRIDE

    @property
    def now(self) -> datetime:
        """The moment of the judgement."""
        return self.situation.now

    def case(self, order: Override) -> Case:
        """Return the case of its task as if it were in force."""
        task = next((each for each in self.spec.tasks if each.name == order.task), None)
        seen = replace(self.situation, overrides={order.task: order})
        return build_case(self.spec, self.memory, seen, task)


Ruling = tuple[OverrideState, str, str]
"""State, reason and sentence."""


def judge(requests: Sequence[Request], bench: Bench) -> tuple[Standing, ...]:
    """Return where each of a policy's overrides stands now; they come in the order in which they arrived."""
    looked_at = {each.name for each in sorted(_open(requests), key=lambda each: each.age)[-LOOKED_AT:]}
    taken = [
        _take(each, number, bench) if each.name in looked_at else _give_up(each, bench.now)
        for number, each in enumerate(requests)
    ]
    return _supersede(taken, bench.now)


def orders_of(requests: Iterable[Request]) -> Mapping[str | None, Override]:
    """Return the override in force for each task, and for the policy itself."""
    active = [each for each in requests if each.standing.state is OverrideState.ACTIVE]
    return {each.order.task: each.order for each in sorted(active, key=lambda each: each.age)}


def judge_alone(request: Request, now: datetime, alone_since: datetime, *, exists: bool) -> Standing:
    """Return where an override stands whose policy is not there, or is there and cannot be served."""
    if request.standing.finished:
        return request.standing
    if over := _expired(request, now):
        return _settle(request, over, now)
    if exists:
        message = f'policy "{request.policy}" is not served, its condition Ready says why; the override waits for it'
        waiting = OverrideState.PENDING, "PolicyNotServed", message
        return request.standing if request.standing.state is OverrideState.ACTIVE else _settle(request, waiting, now)
    if now - max(alone_since, request.created_at) < GRACE:
        waiting = OverrideState.PENDING, "PolicyNotFound", f'waiting for policy "{request.policy}" to be there'
        return request.standing if request.standing.state is OverrideState.ACTIVE else _settle(request, waiting, now)
    message = (
        f'policy "{request.policy}" does not exist in this namespace (spec.policyRef.name). Create another override '
        "with the name of a policy that `kubectl get pswitch` lists."
    )
    return _settle(request, (OverrideState.REJECTED, "PolicyNotFound", message), now)


def next_due(requests: Iterable[Request]) -> datetime | None:
    """Return when time alone changes where one of them stands."""
    return min((each.order.until for each in _open(requests)), default=None)


def _open(requests: Iterable[Request]) -> list[Request]:
    return [each for each in requests if not each.standing.finished]


def _take(request: Request, number: int, bench: Bench) -> Request:
    if request.standing.finished:
        return request
    ruling = next(ruling for rule in RULES if (ruling := rule(request, bench)))
    standing = _settle(request, ruling, bench.now)
    if ruling[0] in {OverrideState.PENDING, OverrideState.ACTIVE} and standing.accepted_at is None:
        standing = replace(standing, accepted_at=bench.now + number * ARRIVAL_STEP)
    return replace(request, standing=standing)


def _settle(request: Request, ruling: Ruling, now: datetime) -> Standing:
    state, reason, message = ruling
    former = request.standing
    if (former.state, former.reason, former.message) == (state, reason, message):
        return former
    started = now if state is OverrideState.ACTIVE and former.started_at is None else former.started_at
    return replace(
        former,
        state=state,
        reason=reason,
        message=shorten(message, LONGEST_MESSAGE),
        started_at=started,
        finished_at=now if state in FINISHED else None,
    )


def _give_up(request: Request, now: datetime) -> Request:
    if request.standing.finished:
        return request
    message = f"there are {LOOKED_AT} newer overrides of this policy. Delete those that nobody needs."
    return replace(request, standing=_settle(request, (OverrideState.SUPERSEDED, "TooMany", message), now))


def _supersede(requests: Sequence[Request], now: datetime) -> tuple[Standing, ...]:
    """The newest one in force holds; those that are older never come back."""
    newest = {
        each.order.task: each
        for each in sorted(requests, key=lambda each: each.age)
        if each.standing.state is OverrideState.ACTIVE
    }
    return tuple(_yield_to(each, newest.get(each.order.task), now) for each in requests)


def _yield_to(request: Request, newest: Request | None, now: datetime) -> Standing:
    if newest is None or request.standing.finished or request.age >= newest.age:
        return request.standing
    message = f'override "{newest.name}" is newer and holds; when it ends, the rules of the policy hold again'
    return _settle(request, (OverrideState.SUPERSEDED, "NewerOverride", message), now)


def _expired(request: Request, bench: Bench | datetime) -> Ruling | None:
    now = bench.now if isinstance(bench, Bench) else bench
    if now < request.order.until:
        return None
    until = f"{request.order.until:%Y-%m-%d %H:%M:%S} UTC"
    if request.standing.started_at:
        return OverrideState.EXPIRED, "Expired", f"it held until {until}; the rules of the policy hold again"
    return OverrideState.EXPIRED, "NeverApplied", f"it ended at {until} without having been in force: {_why(request)}"


def _why(request: Request) -> str:
    return request.standing.message or "no operator took it in before"


def _too_long(request: Request, bench: Bench) -> Ruling | None:
    if request.standing.accepted_at or request.duration <= bench.longest:
        return None
    message = (
        f"spec.duration is {format_duration(request.duration)}, and this operator allows "
        f"{format_duration(bench.longest)} (--max-override-duration). Create another override with a shorter one."
    )
    return OverrideState.REJECTED, "DurationTooLong", message


def _no_task(request: Request, bench: Bench) -> Ruling | None:
    tasks = [task.name for task in bench.spec.tasks]
    if request.order.task is None or request.order.task in tasks:
        return None
    known = f"It has: {', '.join(tasks)}" if tasks else "It has none; leave spec.task out"
    message = f'policy "{request.policy}" has no task "{request.order.task}" (spec.task). {known}.'
    return OverrideState.REJECTED, "TaskNotFound", message


def _no_provider(request: Request, bench: Bench) -> Ruling | None:
    if bench.spec.provider(request.order.provider):
        return None
    known = ", ".join(provider.name for provider in bench.spec.providers)
    message = (
        f'policy "{request.policy}" lists no provider "{request.order.provider}" (spec.provider). It lists: {known}.'
    )
    return OverrideState.REJECTED, "ProviderNotFound", message


def _goes_on(request: Request, _bench: Bench) -> Ruling | None:
    """What was in force once stays so, whatever its provider does: the rules choose while that may not serve."""
    if request.standing.state is not OverrideState.ACTIVE:
        return None
    return OverrideState.ACTIVE, request.standing.reason, request.standing.message


def _cannot_work(request: Request, bench: Bench) -> Ruling | None:
    case, name = bench.case(request.order), request.order.provider
    if name in case.config_errors:
        message = f'"{name}" cannot be used, not even with force: {case.config_errors[name]}'
        return OverrideState.REJECTED, "ProviderUnusable", message
    if name in case.misfits:
        message = f'"{name}" does not suit, not even with force: {case.misfits[name]}'
        return OverrideState.REJECTED, "ProviderUnsuitable", message
    return None


def _fails(request: Request, bench: Bench) -> Ruling | None:
    case, name = bench.case(request.order), request.order.provider
    if request.order.force or case.may_serve(name):
        return None
    why = complaint(case, name).why
    if case.health(name).state in OUT_OF_SERVICE:
        message = (
            f'"{name}" may not serve: {why}. Choose another provider, or create the override again with force: true.'
        )
        return OverrideState.REJECTED, "ProviderUnhealthy", message
    message = f'waiting until probes tell whether "{name}" works ({why}); force: true would not wait'
    return OverrideState.PENDING, "ProviderNotProven", message


def _accepted(request: Request, _bench: Bench) -> Ruling:
    return OverrideState.ACTIVE, "InForce", f'"{request.order.provider}" stands above the rules of the policy'


RULES: Final[tuple[Callable[[Request, Bench], Ruling | None], ...]] = (
    _expired,
    _too_long,
    _no_task,
    _no_provider,
    _goes_on,
    _cannot_work,
    _fails,
    _accepted,
)
"""The first that has an answer says what becomes of it; the last always has one."""
