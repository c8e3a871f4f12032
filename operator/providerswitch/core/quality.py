"""How good a provider's answers are: golden prompts are judged, and the verdicts are counted. Pure.

A provider that answers fast nonsense looks healthy to every probe. Only a question whose good answer is known tells.

The quality is a Bayesian mean: what the policy declares (0.5 where it declares nothing) counts as much as
`PRIOR_ANSWERS` judged answers, so that one unlucky answer changes little and twenty change nearly everything:

    quality    = (declared * 5 + passed) / (5 + judged)
    confidence = judged / (5 + judged)

The last 50 answers count. A provider that is declared 0.8 and then fails 15 checks in a row is at 4 / 20:

>>> estimate(Tally((False,) * 15), declared=0.8)
(0.2, 0.75)

One of which nothing is declared, with 3 good answers of 5, is at (2.5 + 3) / 10:

>>> estimate(Tally((True, False, True, True, False)), declared=None)
(0.55, 0.5)
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from providerswitch.api.health_check import EmbeddingNear, Expectation, GoldenPrompt, QualityChecks
from providerswitch.core.re2_patterns import UnreadablePatternError, check_pattern, matches

REMEMBERED: Final = 50
"""Answers that count; older ones are forgotten. Two days at the default interval."""

PRIOR_ANSWERS: Final = 5
"""How many judged answers the declared quality is worth."""

UNDECLARED: Final = 0.5
"""Quality that is assumed where nothing is declared: right in the middle."""

LONGEST_JUDGED: Final = 4096
"""Characters of an answer that are looked at; golden prompts ask for at most 256 tokens."""

FENCE: Final = "```"


@dataclass(frozen=True, slots=True)
class Tally:
    """Verdicts on the answers of one provider, newest last, at most 50."""

    results: tuple[bool, ...] = ()


def add(tally: Tally, passed: bool) -> Tally:  # noqa: FBT001  # the verdict is the value itself, not a switch
    """Return the tally after one more judged answer."""
    return Tally((*tally.results, passed)[-REMEMBERED:])


def estimate(tally: Tally, declared: float | None) -> tuple[float | None, float]:
    """Return quality and confidence, each 0..1, by the formula of this module.

    The quality is None only where nothing is declared and nothing was judged; the confidence is then 0.
    """
    judged = len(tally.results)
    if judged == 0:
        return declared, 0.0
    prior = UNDECLARED if declared is None else declared
    weight = PRIOR_ANSWERS + judged
    return (prior * PRIOR_ANSWERS + sum(tally.results)) / weight, judged / weight


def recall(quality: float, confidence: float, declared: float | None) -> Tally:
    """Return a tally of which `estimate` says the same: the way back, after a restart.

    What passed counts as newer, for nobody knows the order any more. Figures that no tally gives come near one.
    """
    judged = (
        min(REMEMBERED, round(PRIOR_ANSWERS * confidence / (1 - confidence))) if 0 <= confidence < 1 else REMEMBERED
    )
    prior = UNDECLARED if declared is None else declared
    passed = round(quality * (PRIOR_ANSWERS + judged) - prior * PRIOR_ANSWERS)
    good = max(0, min(judged, passed))
    return Tally((False,) * (judged - good) + (True,) * good)


def judge(text: str, expect: Expectation) -> bool:
    """Tell whether a text is what is expected.

    An expectation that `find_mistake` complains of is never met, and neither is one of vectors.
    """
    return find_fault(text, expect) is None


def find_fault(text: str, expect: Expectation) -> str | None:
    """Return what a text lacks, as a short phrase that quotes nothing of it; None where it is what is expected."""
    if expect.embedding_near or _find_flaw(expect):
        return "no text can be what is expected"
    seen = text[:LONGEST_JUDGED]
    if expect.contains is not None and expect.contains.casefold() not in seen.casefold():
        return "the expected words are missing"
    if expect.regex is not None and not matches(expect.regex, seen):
        return "the expression does not match"
    if expect.json_object and not _is_json_object(seen):
        return "not a JSON object"
    return None


def _is_json_object(text: str) -> bool:
    try:
        found = json.loads(_unfenced(text), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _unfenced(text: str) -> str:
    """Return what stands inside a code fence that holds all of a text, or the text."""
    stripped = text.strip()
    if not (stripped.startswith(FENCE) and stripped.endswith(FENCE)):
        return stripped
    inside = stripped.removeprefix(FENCE).removesuffix(FENCE)
    language, _, rest = inside.partition("\n")
    return rest if not language.strip() or language.strip().isalnum() else inside


def find_distance(prompt: str, near: EmbeddingNear, vectors: tuple[Sequence[float], Sequence[float]]) -> str | None:
    """Return what is wrong with the vectors of a prompt and of the text it must be near; None where nothing is.

    A provider that has one and the same vector for everything would be near everything, so that is wrong, too.
    """
    first, second = vectors
    if len(first) != len(second) or not first:
        return "the vectors are not of one length"
    if tuple(first) == tuple(second) and _words(prompt) != _words(near.text):
        return "one and the same vector for two texts"
    similarity = cosine(first, second)
    return None if similarity >= near.similarity else f"a similarity of {similarity:.2f}, expected {near.similarity:g}"


def _words(text: str) -> list[str]:
    """Return what even a model that knows no capital letters keeps apart."""
    return text.casefold().split()


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the cosine similarity of two vectors, -1..1; 0 where one of them has no direction.

    Raises:
        ValueError: they differ in length.
    """
    product = math.fsum(x * y for x, y in zip(_unit(a), _unit(b), strict=True))
    return max(-1.0, min(1.0, product))


def _unit(vector: Sequence[float]) -> tuple[float, ...]:
    """Return the vector of length 1 in the same direction; first scaled, so that no square over- or underflows."""
    peak = max(map(abs, vector), default=0.0)
    if peak == 0:
        return tuple(vector)
    scaled = [value / peak for value in vector]
    length = math.hypot(*scaled)
    return tuple(value / length for value in scaled)


def find_mistake(checks: QualityChecks) -> str | None:
    """Return the first mistake in the quality checks of a policy as a sentence for its author; None without any."""
    found = (_find_prompt_mistake(number, golden) for number, golden in enumerate(checks.prompts))
    return next((mistake for mistake in found if mistake), None)


def _find_prompt_mistake(number: int, golden: GoldenPrompt) -> str | None:
    flaw = find_prompt_flaw(golden)
    return f"spec.qualityChecks.prompts[{number}].expect{flaw}" if flaw else None


def find_prompt_flaw(golden: GoldenPrompt) -> str | None:
    """Return what is wrong with the expectation of a prompt: the end of a sentence that begins with its place."""
    near = golden.expect.embedding_near
    if near and _words(near.text) == _words(golden.prompt):
        return ".embeddingNear.text is the prompt itself, which is near to itself. Set another text of like meaning."
    return _find_flaw(golden.expect)


def _find_flaw(expect: Expectation) -> str | None:
    texts = _expected_of_text(expect)
    if expect.embedding_near and texts:
        return f" sets embeddingNear beside {texts[0]}, but an answer is a vector or a text. Make two prompts of it."
    if expect.regex is not None and (flaw := _find_regex_flaw(expect.regex)):
        return f".regex {flaw}"
    if not expect.embedding_near and not texts:
        return " expects nothing, so any nonsense would pass. Set contains, regex, json or embeddingNear."
    if texts == ("regex",) and matches(expect.regex or "", ""):
        return ".regex matches even an empty answer, so any nonsense would pass. Let it demand something."
    return None


def _expected_of_text(expect: Expectation) -> tuple[str, ...]:
    wanted: tuple[tuple[str, Any], ...] = (
        ("contains", expect.contains),
        ("regex", expect.regex),
        ("json", expect.json_object),
    )
    return tuple(name for name, value in wanted if value)


def _find_regex_flaw(pattern: str) -> str | None:
    try:
        check_pattern(pattern)
    except UnreadablePatternError as error:
        return f'cannot be read: RE2 says "{error}". Correct it; RE2 has neither look-around nor back-references.'
    return None
