import doctest
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.api.health_check import EmbeddingNear, Expectation, GoldenPrompt, QualityChecks
from providerswitch.core import quality
from providerswitch.core.quality import (
    LONGEST_JUDGED,
    REMEMBERED,
    Tally,
    add,
    cosine,
    estimate,
    find_distance,
    find_fault,
    find_mistake,
    judge,
    recall,
)

PARIS = "The capital of France is Paris."


def expecting(**members: Any) -> Expectation:
    """Return an expectation as a policy writes it."""
    return Expectation.model_validate(members)


def checking(*expected: dict[str, Any]) -> QualityChecks:
    """Return checks with one prompt for each expectation."""
    prompts = [{"prompt": "What is the capital of France?", "expect": expect} for expect in expected]
    return QualityChecks.model_validate({"prompts": prompts})


MET = {
    "the words stand in it": (PARIS, {"contains": "Paris"}),
    "the words stand in it in other letters": (PARIS.upper(), {"contains": "paris"}),
    "letters beyond ASCII are compared alike": ("IN MÜNCHEN, AUF DER STRASSE", {"contains": "münchen, auf der straße"}),
    "an expression matches in the middle": (PARIS, {"regex": r"France\s+is"}),
    "an expression ignores case where it says so": (PARIS, {"regex": "(?i)PARIS"}),
    "an object": ('{"city": "Paris"}', {"json": True}),
    "an object with blanks around": ('\n {"city": "Paris"}\n', {"json": True}),
    "an object in a code fence": ('```json\n{"city": "Paris"}\n```', {"json": True}),
    "an object in a code fence without a language": ('```\n{"city": "Paris"}\n```\n', {"json": True}),
    "an object in a code fence on one line": ('```{"city": "Paris"}```', {"json": True}),
    "an object that begins on the line of the fence": ('```{\n"city": "Paris"}```', {"json": True}),
    "a very long number": ('{"n": ' + "9" * 4000 + "}", {"json": True}),
    "all that is set holds": ('{"city": "Paris"}', {"json": True, "contains": "paris", "regex": '^{"city'}),
}


@pytest.mark.parametrize("case", MET)
def test_a_good_answer_passes(case: str) -> None:
    text, expected = MET[case]
    assert judge(text, expecting(**expected))
    assert find_fault(text, expecting(**expected)) is None


MISSED = {
    "the words are missing": (PARIS, {"contains": "London"}),
    "nothing is there": ("", {"contains": "Paris"}),
    "the expression matches nowhere": (PARIS, {"regex": "^Paris"}),
    "the expression is about another case": (PARIS, {"regex": "PARIS"}),
    "a text where an object is wanted": (PARIS, {"json": True}),
    "an array": ("[1]", {"json": True}),
    "an object and words": ('Here it is: {"city": "Paris"}', {"json": True}),
    "half an object": ('{"city": "Par', {"json": True}),
    "half a code fence": ('```json\n{"city": "Paris"}', {"json": True}),
    "a number that is none": ('{"n": NaN}', {"json": True}),
    "brackets without end": ("[" * LONGEST_JUDGED, {"json": True}),
    "an endless object": ('{"city": "' + "x" * LONGEST_JUDGED + '"}', {"json": True}),
    "words behind the part that is looked at": ("x" * LONGEST_JUDGED + "Paris", {"contains": "Paris"}),
    "the words are there, but no object": (PARIS, {"contains": "Paris", "json": True}),
    "an object without the words": ('{"city": "London"}', {"contains": "Paris", "json": True}),
    "an object that the expression does not match": ('{"city": "London"}', {"regex": "Paris", "json": True}),
}


@pytest.mark.parametrize("case", MISSED)
def test_nonsense_fails(case: str) -> None:
    text, expected = MISSED[case]
    assert not judge(text, expecting(**expected))


def test_a_fault_says_what_is_missing_and_quotes_nothing_of_the_answer() -> None:
    assert find_fault("a secret", expecting(contains="Paris")) == "the expected words are missing"
    assert find_fault("a secret", expecting(regex="Paris")) == "the expression does not match"
    assert find_fault("a secret", expecting(json=True)) == "not a JSON object"


def test_an_expectation_with_a_mistake_is_met_by_nothing() -> None:
    near = {"text": "Paris"}
    for expected in ({}, {"regex": "("}, {"embeddingNear": near}, {"embeddingNear": near, "contains": "Paris"}):
        assert not judge(PARIS, expecting(**expected))


def test_an_expression_that_takes_others_years_takes_no_time_here() -> None:
    assert not judge("a" * LONGEST_JUDGED, expecting(regex="^(a+)+$b"))


@given(st.text(), st.text(min_size=1, max_size=253))
def test_every_text_can_be_judged_by_every_expectation(text: str, words: str) -> None:
    for expected in ({"contains": words}, {"regex": words}, {"contains": words, "json": True}):
        judge(text, expecting(**expected))


def test_half_a_character_in_an_answer_or_an_expression_is_no_accident() -> None:
    assert judge("\ud800 Paris", expecting(regex="Paris"))
    assert not judge("\ud800 Paris", expecting(contains="London"))
    broken = Expectation.model_construct(contains=None, regex="\ud800", json_object=False, embedding_near=None)
    assert not judge(PARIS, broken)


def test_a_vector_is_as_near_as_its_angle() -> None:
    assert cosine((1, 0), (2, 0)) == 1
    assert cosine((1, 0), (0, 3)) == 0
    assert cosine((1, 0), (-1, 0)) == -1
    assert cosine((1, 1), (1, 0)) == pytest.approx(math.sqrt(0.5))


def test_the_longest_and_the_shortest_vectors_have_a_direction_too() -> None:
    assert cosine((1.7e308, 1.7e308), (1, 1)) == pytest.approx(1)
    assert cosine((5e-324, 5e-324), (1, 0)) == pytest.approx(math.sqrt(0.5))


def test_vectors_without_a_direction_are_near_nothing() -> None:
    assert cosine((0, 0), (1, 0)) == 0
    assert cosine((0, 0), (0, 0)) == 0
    assert cosine((), ()) == 0


def test_vectors_of_two_lengths_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="argument"):
        cosine((1, 0), (1, 0, 0))


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(FLOATS, FLOATS), max_size=8))
def test_every_pair_of_vectors_has_a_similarity(pairs: list[tuple[float, float]]) -> None:
    first, second = [x for x, _ in pairs], [y for _, y in pairs]
    assert -1 <= cosine(first, second) <= 1
    assert cosine(first, second) == cosine(second, first)
    assert cosine(first, first) == pytest.approx(1.0 if any(first) else 0.0)


NEAR = EmbeddingNear(text="a big cat", similarity=0.8)


def test_vectors_of_like_texts_must_be_near_each_other() -> None:
    assert find_distance("a lion", NEAR, ((1, 0.1), (1, 0))) is None
    assert find_distance("a lion", NEAR, ((1, 1), (1, 0))) == "a similarity of 0.71, expected 0.8"
    assert find_distance("a lion", NEAR, ((1, 0), (1, 0, 0))) == "the vectors are not of one length"
    assert find_distance("a lion", NEAR, ((), ())) == "the vectors are not of one length"


def test_a_provider_with_one_vector_for_everything_is_found_out() -> None:
    assert find_distance("a lion", NEAR, ((0.1, 0.2), (0.1, 0.2))) == "one and the same vector for two texts"
    assert find_distance("A  big cat", NEAR, ((0.1, 0.2), (0.1, 0.2))) is None


def unreadable(told: str) -> str:
    """Return what is said of an expression of which RE2 says this."""
    return f'.regex cannot be read: RE2 says "{told}". Correct it; RE2 has neither look-around nor back-references.'


NOTHING = " expects nothing, so any nonsense would pass. Set contains, regex, json or embeddingNear."

MISTAKES = {
    "an expression that is not closed": ({"regex": "(Paris"}, unreadable("missing ): (Paris")),
    "an expression that only others know": (
        {"regex": "(?=Paris)", "contains": "Paris"},
        unreadable("invalid perl operator: (?="),
    ),
    "an expression that grows beyond all bounds": (
        {"regex": r"(\pL{60}){10}"},
        unreadable("pattern too large - compile failed"),
    ),
    "a line break in an expression stays out of the sentence": ({"regex": "(\n"}, unreadable("missing ): (?")),
    "an expression that everything matches": (
        {"regex": ".*"},
        ".regex matches even an empty answer, so any nonsense would pass. Let it demand something.",
    ),
    "no expectation": ({}, NOTHING),
    "an expectation switched off": ({"json": False}, NOTHING),
    "a vector and a text": (
        {"embeddingNear": {"text": "Paris"}, "contains": "Paris"},
        " sets embeddingNear beside contains, but an answer is a vector or a text. Make two prompts of it.",
    ),
    "a vector and an object": (
        {"embeddingNear": {"text": "Paris"}, "json": True},
        " sets embeddingNear beside json, but an answer is a vector or a text. Make two prompts of it.",
    ),
    "a text near itself": (
        {"embeddingNear": {"text": "what is the capital of  France?"}},
        ".embeddingNear.text is the prompt itself, which is near to itself. Set another text of like meaning.",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_told_with_its_place_and_what_to_do(case: str) -> None:
    expected, told = MISTAKES[case]
    assert find_mistake(checking({"contains": "Paris"}, expected)) == f"spec.qualityChecks.prompts[1].expect{told}"


@pytest.mark.parametrize(
    "expected",
    [
        {"contains": "Paris"},
        {"regex": r"^\s*Paris\b"},
        {"json": True},
        {"json": True, "regex": ".*"},
        {"contains": "Paris", "json": False},
        {"embeddingNear": {"text": "Which city is the capital of France?"}},
        {"embeddingNear": {"text": "Where does the president of France live?"}, "json": False},
    ],
    ids=str,
)
def test_sound_checks_have_no_mistake(expected: dict[str, Any]) -> None:
    assert find_mistake(checking(expected, {"contains": "Paris"})) is None


@given(st.text(min_size=1, max_size=253))
def test_an_expression_without_a_mistake_can_be_judged(pattern: str) -> None:
    golden = GoldenPrompt(prompt="?", expect=expecting(regex=pattern, contains="Paris"))
    if find_mistake(QualityChecks(prompts=[golden])) is None:
        judge(PARIS, golden.expect)


def test_nothing_declared_and_nothing_judged_is_unknown() -> None:
    assert estimate(Tally(), declared=None) == (None, 0.0)


def test_before_the_first_answer_the_declared_quality_stands_without_confidence() -> None:
    assert estimate(Tally(), declared=0.9) == (0.9, 0.0)
    assert estimate(Tally(), declared=0.0) == (0.0, 0.0)


def test_a_declared_zero_is_not_taken_for_nothing_declared() -> None:
    assert estimate(Tally((True,)), declared=0.0) == (pytest.approx(1 / 6), pytest.approx(1 / 6))


def test_the_examples_of_the_formula_are_right() -> None:
    assert doctest.testmod(quality) == doctest.TestResults(failed=0, attempted=2)


def test_fast_nonsense_falls_below_a_modest_rival_within_five_answers() -> None:
    praised, modest = Tally(), Tally()
    for _ in range(5):
        praised, modest = add(praised, passed=False), add(modest, passed=True)
    assert estimate(praised, declared=1.0)[0] == 0.5
    assert estimate(modest, declared=0.5)[0] == 0.75


def test_only_the_last_fifty_answers_count() -> None:
    tally = Tally()
    for number in range(REMEMBERED + 20):
        tally = add(tally, passed=number >= 20)
    assert tally.results == (True,) * REMEMBERED


def test_the_newest_answer_stands_last() -> None:
    assert add(Tally((True, True)), passed=False) == Tally((True, True, False))


RESULTS = st.lists(st.booleans(), max_size=REMEMBERED).map(tuple)
DECLARED = st.none() | st.floats(0, 1)


@given(RESULTS, DECLARED)
def test_quality_and_confidence_are_shares(results: tuple[bool, ...], declared: float | None) -> None:
    found, confidence = estimate(Tally(results), declared)
    assert found is None or 0 <= found <= 1
    assert 0 <= confidence < 1
    assert (found is None) == (declared is None and not results)


@given(RESULTS.filter(lambda results: False in results), DECLARED)
def test_a_better_answer_never_lowers_the_quality(results: tuple[bool, ...], declared: float | None) -> None:
    worse = results.index(False)
    better = (*results[:worse], True, *results[worse + 1 :])
    first, second = estimate(Tally(results), declared)[0], estimate(Tally(better), declared)[0]
    assert first is not None
    assert second is not None
    assert second > first


@given(st.lists(st.booleans(), min_size=1, max_size=REMEMBERED), st.none() | st.floats(0, 1))
def test_a_tally_comes_back_from_the_figures_that_a_status_tells(results: list[bool], declared: float | None) -> None:
    found, confidence = estimate(Tally(tuple(results)), declared)
    assert found is not None
    recalled = recall(round(found, 3), round(confidence, 3), declared)
    assert sorted(recalled.results) == sorted(results)


@given(st.floats(0, 1), st.floats(0, 1), st.none() | st.floats(0, 1))
def test_whatever_a_status_says_a_tally_can_be_made_of_it(
    found: float, confidence: float, declared: float | None
) -> None:
    assert len(recall(found, confidence, declared).results) <= REMEMBERED
