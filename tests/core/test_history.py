"""Which configurations are kept, under which number, and which is marked as the last good."""

from hypothesis import given
from hypothesis import strategies as st

from providerswitch.core.history import Amendments, Kept, amend

names = st.sampled_from([f"chat-{letter}" for letter in "abcdefgh"])
kept_ones = st.builds(Kept, names, st.integers(0, 12), st.booleans())
histories = st.lists(kept_ones, unique_by=lambda each: each.name)


def after(kept: list[Kept], done: Amendments) -> dict[str, Kept]:
    """Return what is kept once the amendments are made."""
    found = {each.name: each for each in (*kept, *done.put)}
    return {name: each for name, each in found.items() if name not in done.remove}


def test_a_first_configuration_is_kept_and_the_last_good_once_it_is_published() -> None:
    assert amend([], Kept("chat-a", 1), None, 10) == Amendments((Kept("chat-a", 1),))
    assert amend([], Kept("chat-a", 1), 1, 10) == Amendments((Kept("chat-a", 1, good=True),))


def test_nothing_is_to_do_when_all_is_as_it_should_be() -> None:
    kept = [Kept("chat-a", 1), Kept("chat-b", 2, good=True)]
    assert amend(kept, Kept("chat-b", 2), 2, 10) == Amendments()


def test_the_mark_moves_to_a_new_configuration_that_was_published() -> None:
    assert amend([Kept("chat-a", 1, good=True)], Kept("chat-b", 2), 2, 10) == Amendments(
        (Kept("chat-b", 2, good=True), Kept("chat-a", 1))
    )


def test_one_that_is_accepted_again_gets_the_new_number() -> None:
    kept = [Kept("chat-a", 1), Kept("chat-b", 2, good=True)]
    assert amend(kept, Kept("chat-a", 3), 3, 10) == Amendments((Kept("chat-a", 3, good=True), Kept("chat-b", 2)))


def test_one_that_is_accepted_again_but_cannot_be_published_stays_the_last_good() -> None:
    kept = [Kept("chat-a", 1, good=True), Kept("chat-b", 2)]
    renumbered = Kept("chat-a", 3, good=True)
    assert amend(kept, Kept("chat-a", 3), 1, 10) == Amendments((renumbered,))
    assert amend([renumbered, Kept("chat-b", 2)], Kept("chat-a", 3), 1, 10) == Amendments()


def test_the_oldest_beyond_the_limit_go_first() -> None:
    kept = [Kept(f"chat-{number}", number, good=number == 9) for number in range(1, 10)]
    done = amend(kept, Kept("chat-9", 9), 9, 5)
    assert done == Amendments(remove=("chat-1", "chat-2", "chat-3"))


def test_with_a_limit_of_zero_the_present_and_the_last_good_stay() -> None:
    kept = [Kept("chat-a", 1), Kept("chat-b", 2, good=True), Kept("chat-c", 3)]
    assert amend(kept, Kept("chat-d", 4), 2, 0) == Amendments((Kept("chat-d", 4),), ("chat-a", "chat-c"))


def test_one_whose_number_the_present_one_has_now_goes() -> None:
    assert amend([Kept("chat-a", 4)], Kept("chat-b", 4), 4, 10) == Amendments(
        (Kept("chat-b", 4, good=True),), ("chat-a",)
    )


@given(histories, names, st.integers(1, 12), st.none() | st.integers(1, 12), st.integers(0, 5))
def test_history_is_bounded_and_settles_at_once(
    kept: list[Kept], present: str, generation: int, good: int | None, limit: int
) -> None:
    done = amend(kept, Kept(present, generation), good, limit)
    left = after(kept, done)
    assert left[present].number == generation
    assert len(left) <= limit + 2
    assert sum(each.good for each in left.values()) <= 1
    assert not {each.name for each in done.put} & set(done.remove)
    assert amend(list(left.values()), Kept(present, generation), good, limit) == Amendments()


@given(histories, names, st.integers(1, 12), st.integers(0, 5))
def test_the_last_good_one_is_never_removed(kept: list[Kept], present: str, generation: int, limit: int) -> None:
    marked = [each for each in kept if each.good]
    left = after(kept, amend(kept, Kept(present, generation), None, limit))
    assert not marked or any(each.name in left and left[each.name].good for each in marked)
