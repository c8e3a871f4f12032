"""Virtual time: everything in its order, and work that waits."""

from collections.abc import Callable

from tests.simulate.scenery import at

from providerswitch.simulate.timeline import Timeline, Wait, Work


def test_events_happen_in_the_order_of_their_moments_and_at_one_moment_in_the_order_of_their_planning() -> None:
    timeline, seen = Timeline(at(0)), list[str]()
    for moment, name in ((5, "c"), (1, "a"), (5, "d"), (2, "b")):
        timeline.at(at(moment), lambda name=name: seen.append(f"{name} {timeline.now:%S}"))  # type: ignore[misc]  # mypy sees no default
    timeline.run(at(60))

    assert seen == ["a 01", "b 02", "c 05", "d 05"]
    assert timeline.now == at(60)


def test_what_is_due_later_waits_for_the_next_run() -> None:
    timeline, seen = Timeline(at(0)), list[int]()
    timeline.at(at(10), lambda: seen.append(10))
    timeline.run(at(9.9))
    assert seen == []
    timeline.run(at(10))
    assert seen == [10]


def test_a_moment_that_is_over_means_now_and_time_never_goes_back() -> None:
    timeline, seen = Timeline(at(0)), list[object]()
    timeline.run(at(10))
    timeline.at(at(3), lambda: seen.append(timeline.now))
    timeline.run(at(10))

    assert seen == [at(10)]


def test_work_goes_on_with_the_first_of_what_it_waits_for() -> None:
    timeline, seen = Timeline(at(0)), list[object]()

    def either(*waits: Wait) -> Wait:
        def wait(resume: Callable[[object], None]) -> None:
            for each in waits:
                each(resume)

        return wait

    def work() -> Work:
        seen.append((yield either(timeline.pause(at(5), "late"), timeline.pause(at(2), "early"))))
        seen.append((yield timeline.pause(at(7), "then")))

    timeline.start(work(), lambda: seen.append(timeline.now))
    timeline.run(at(60))

    assert seen == ["early", "then", at(7)]


def test_an_answer_that_is_there_already_does_not_hold_up_work() -> None:
    timeline, seen = Timeline(at(0)), list[object]()

    def work() -> Work:
        seen.append((yield lambda resume: resume("at once")))

    timeline.start(work(), lambda: seen.append("done"))

    assert seen == ["at once", "done"]
