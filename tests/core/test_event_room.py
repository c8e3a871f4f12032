"""A policy's Events: a burst, and then a trickle."""

from datetime import UTC, datetime, timedelta

from providerswitch.core.event_room import BURST, REFILL, EventRoom

START = datetime(2026, 1, 1, tzinfo=UTC)


def write(room: EventRoom, now: datetime, wanted: int) -> tuple[EventRoom, int]:
    """Return what is left, and how many of the wanted Events were written."""
    written = 0
    for _ in range(wanted):
        if left := room.take(now):
            room, written = left, written + 1
    return room, written


def test_a_burst_is_written_whole_and_what_is_beyond_it_left_out() -> None:
    assert write(EventRoom(0, START), START, 10 * BURST)[1] == BURST


def test_after_a_burst_one_is_written_in_each_while() -> None:
    room, _ = write(EventRoom(0, START), START, BURST)
    assert room.take(START + REFILL / 2) is None
    assert write(room, START + 3 * REFILL, BURST)[1] == 3


def test_after_a_calm_time_the_whole_burst_is_there_again_and_no_more() -> None:
    room, _ = write(EventRoom(0, START), START, BURST)
    assert write(room, START + timedelta(days=30), 2 * BURST)[1] == BURST


def test_a_clock_that_is_set_back_neither_gives_nor_takes_room() -> None:
    room, _ = write(EventRoom(0, START), START, BURST - 1)
    assert write(room, START - timedelta(days=1), 5)[1] == 1
