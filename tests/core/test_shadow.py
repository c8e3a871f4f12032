"""What is said of shadow mode."""

from tests.core.moments import NOON, at

from providerswitch.api.status import PolicyStatus
from providerswitch.core.case import Decision, Reason
from providerswitch.core.shadow import Standing, explain_shadow, tell_shadow

DECIDED = Decision("backup", Reason.FAILED_OVER, '"openai" is down')


def test_since_when_is_told_from_the_first_look_on() -> None:
    first = tell_shadow(Standing(), PolicyStatus(), NOON)
    later = tell_shadow(Standing("openai", 3), PolicyStatus(shadow=first), at(600))
    assert (later.since, later.published_provider, later.published_revision) == (NOON, "openai", 3)


def test_the_sentence_says_who_would_serve_and_what_consumers_read() -> None:
    told = explain_shadow(tell_shadow(Standing("openai", 3), PolicyStatus(), NOON), "backup", DECIDED)
    assert told == (
        'Shadow: would publish "backup": "openai" is down. Nothing is published: "openai" (revision 3) stays as it '
        "stands; take out spec.dryRun to go live"
    )


def test_a_revision_that_cannot_be_read_is_left_out() -> None:
    told = explain_shadow(tell_shadow(Standing("openai"), PolicyStatus(), NOON), "backup", DECIDED)
    assert '"openai" stays as it stands' in told
