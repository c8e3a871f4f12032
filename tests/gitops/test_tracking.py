"""What is published belongs to its policy, and to no GitOps tool: none of them may prune it."""

import pytest
from tests.gitops.verdicts import TRACKING_ANNOTATION, TRACKING_LABELS, tracks
from tests.publish.choices import choose_one

from providerswitch.publish.targets import build_objects


def test_nothing_that_is_published_bears_the_mark_of_a_tool() -> None:
    published = build_objects(choose_one()).values()
    assert [tracks(obj) for obj in published] == [frozenset()] * len(published)
    assert all(obj["metadata"]["ownerReferences"] for obj in published)


@pytest.mark.parametrize("label", sorted(TRACKING_LABELS))
def test_a_mark_of_a_tool_is_seen(label: str) -> None:
    assert tracks({"metadata": {"labels": {label: "x"}}}) == {label}
    assert tracks({"metadata": {"annotations": {TRACKING_ANNOTATION: "x"}}}) == {TRACKING_ANNOTATION}
