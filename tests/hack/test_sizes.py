"""The house style's limits on functions and files."""

from tests.support.repository import sizes


def function(name: str, lines: int) -> str:
    body = "\n".join(f"    x = {number}" for number in range(lines))
    return f'def {name}():\n    """Say so.\n\n    At length.\n    """\n{body}\n\n\n'


def check(text: str) -> list[str]:
    return list(sizes.findings(sizes.measure({"a.py": text})))


def test_a_docstring_does_not_count() -> None:
    assert [body.lines for body in sizes.measure({"a.py": function("f", 3)}).bodies] == [3]


def test_small_functions_pass() -> None:
    assert check("".join(function(f"f{number}", 8) for number in range(10))) == []


def test_a_function_over_75_lines_is_named_with_its_place() -> None:
    few = "".join(function(f"f{number}", 2) for number in range(20))

    assert check(few + function("giant", 76)) == [f"a.py:{len(few.splitlines()) + 1} giant: 76 lines, over 75"]


def test_a_median_over_8_lines_is_told() -> None:
    assert check(function("f", 9)) == ["the median body has 9 lines, over 8"]


def test_more_than_one_body_in_ten_over_30_lines_is_told_with_the_longest() -> None:
    text = "".join(function(f"f{number}", 2) for number in range(8)) + function("g", 31) + function("h", 32)

    assert check(text)[0] == "one body in ten has over 30 lines; the longest:"
    assert check(text)[1].endswith("h: 32")


def test_a_file_over_400_lines_is_named() -> None:
    assert check("x = 1\n" * 401) == ["a.py: 401 lines, over 400"]


def test_nothing_to_measure_is_fine() -> None:
    assert check("") == []
