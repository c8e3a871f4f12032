"""Which provider is recommended instead of the active one, and what is said for and against it."""

import pytest
from tests.core.contenders import UNKNOWN, measured, worth

from providerswitch.api.selection import ScoreWeights
from providerswitch.core.measures import Measures
from providerswitch.core.recommend import Advice, recommend
from providerswitch.core.score import score_all

WEIGHTS = ScoreWeights()


def advise(active: str | None, /, *, at_least: float = 0, **providers: Measures) -> Advice | None:
    """Return the advice where every provider may be chosen."""
    scores = score_all(providers, WEIGHTS)
    return recommend(scores, providers, active=active, candidates=tuple(providers), at_least=at_least)


def why(active: Measures, other: Measures) -> str:
    advice = advise("active", active=active, other=other)
    assert advice is not None
    return advice.why


def test_the_provider_with_the_best_score_is_recommended_with_what_would_be_gained() -> None:
    advice = advise(
        "openai", openai=measured(0.9, cost=0.6), google=measured(0.4, cost=0.3), jina=measured(0.5, cost=0.5)
    )
    assert advice is not None
    assert (advice.provider, advice.why) == (
        "google",
        "p95 response time 0.4 s instead of 0.9 s (-56 %), cost 0.30 instead of 0.60 per million tokens (-50 %)",
    )
    assert advice.gain == pytest.approx(0.4 * (1 - 4 / 9) + 0.2 * 0.5)


def test_nothing_is_recommended_while_the_active_provider_is_the_best() -> None:
    assert advise("openai", openai=measured(0.4), google=measured(0.9)) is None


def test_nothing_is_recommended_between_equals() -> None:
    assert advise("google", openai=measured(), google=measured()) is None


def test_nothing_is_recommended_while_the_active_provider_is_not_known() -> None:
    assert advise("openai", openai=UNKNOWN, google=measured()) is None


def test_nothing_is_recommended_while_no_other_is_known() -> None:
    assert advise("openai", openai=measured(), google=UNKNOWN) is None


def test_nothing_is_recommended_to_the_only_provider() -> None:
    assert advise("openai", openai=measured(9, availability=0)) is None


def test_nothing_is_recommended_before_anything_is_active() -> None:
    assert advise(None, openai=measured(), google=measured(0.1)) is None


def test_an_active_provider_that_is_gone_is_compared_with_nobody() -> None:
    assert advise("jina", openai=measured(), google=measured(0.1)) is None


def test_only_candidates_are_recommended() -> None:
    scores = {"openai": worth(0.5), "google": worth(0.9), "jina": worth(0.7)}
    measures = dict.fromkeys(scores, measured())
    advice = recommend(scores, measures, active="openai", candidates=("openai", "jina"))
    assert advice is not None
    assert advice.provider == "jina"


def test_without_candidates_nothing_is_recommended() -> None:
    assert recommend({"openai": worth(0.5)}, {"openai": measured()}, active="openai", candidates=()) is None


def test_an_active_provider_that_may_not_be_chosen_is_only_left_for_a_better_one() -> None:
    scores = {"openai": worth(0.8), "google": worth(0.7)}
    measures = dict.fromkeys(scores, measured())
    assert recommend(scores, measures, active="openai", candidates=("google",)) is None


def test_between_equal_candidates_the_order_of_the_user_decides() -> None:
    scores = {"a": worth(0.5), "b": worth(0.9), "c": worth(0.9)}
    measures = dict.fromkeys(scores, measured())
    advice = recommend(scores, measures, active="a", candidates=("c", "b", "a"))
    assert advice is not None
    assert advice.provider == "c"


def test_a_small_gain_is_not_told() -> None:
    providers = {"openai": measured(0.42), "google": measured(0.4)}
    assert advise("openai", at_least=0.1, **providers) is None
    assert advise("openai", **providers) is not None


def test_what_would_be_worse_is_told_too() -> None:
    assert why(measured(0.9, cost=0.3), measured(0.3, cost=0.6)) == (
        "p95 response time 0.3 s instead of 0.9 s (-67 %); "
        "but cost 0.60 instead of 0.30 per million tokens (+100 %)"
    )  # fmt: skip


def test_quality_and_availability_are_told_as_they_are_measured() -> None:
    assert why(measured(quality=0.6, availability=0.9), measured(quality=0.9, availability=0.999)) == (
        "quality 0.9 instead of 0.6 (+50 %), availability 99.9 % instead of 90 %"
    )


def test_values_that_look_the_same_are_not_told() -> None:
    assert why(measured(1.0004, quality=0.5), measured(1.0001, quality=0.7)) == "quality 0.7 instead of 0.5 (+40 %)"


def test_a_change_from_nothing_has_no_percentage() -> None:
    assert why(measured(quality=0), measured(quality=0.5)) == "quality 0.5 instead of 0"


def test_where_only_the_unknown_speaks_for_it_the_score_is_told() -> None:
    assert why(measured(quality=0.1), measured()) == "score 0.750 instead of 0.630"
