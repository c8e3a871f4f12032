"""What can be told of the Dockerfile by reading it."""

import re

from tests.support.repository import ROOT

from image.rootfs import USER_ID  # isort: skip  # tests.support.repository puts hack/ on the path

DOCKERFILE = (ROOT / "Dockerfile").read_text()
IGNORED = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]


def test_the_final_stage_starts_from_nothing() -> None:
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)[-1] == "scratch"


def test_the_user_is_a_number_and_the_one_that_the_image_knows() -> None:
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == [f"{USER_ID}:{USER_ID}"]


def test_the_context_is_a_list_of_what_is_needed_and_all_of_it_is_there() -> None:
    allowed = [line.removeprefix("!") for line in IGNORED if line.startswith("!")]

    assert IGNORED[0] == "*"
    assert [name for name in allowed if not (ROOT / name).exists()] == []


def test_every_excused_check_says_why() -> None:
    excused = re.findall(r"^#checkov:skip=(\w+):?(.*)$", DOCKERFILE, re.MULTILINE)

    assert [check for check, reason in excused if len(reason.split()) < 5] == []
