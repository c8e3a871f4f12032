"""What pytest loads for all tests; fixtures live in tests/support."""

from pathlib import Path

import hypothesis
import pytest
from tests.support.outside_cluster import VARIABLE, outside_kubeconfig

pytest_plugins = ["tests.support.control_plane", "tests.support.crds", "tests.support.scene"]

E2E = Path(__file__).parent / "e2e"
LOCAL_ONLY = {"test_control_plane.py": "tests the local control plane itself"}
"""Files of e2e that say nothing about an outside cluster, and why. Others skip by what they ask for."""

# A busy machine is no bug. The import has a reason of its own: left to Hypothesis's plugin it comes at the end of the
# run, where Python 3.11 fails to compile it if an unclosed event loop is collected at that moment (cpython gh-106905).
hypothesis.settings.register_profile("patient", parent=hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in tests/e2e, before -m selects."""
    for item in items:
        if item.path.is_relative_to(E2E):
            item.add_marker(pytest.mark.e2e)
            if item.path.name in LOCAL_ONLY and outside_kubeconfig():
                item.add_marker(pytest.mark.skip(reason=f"{LOCAL_ONLY[item.path.name]}, and {VARIABLE} is set"))


def pytest_report_header() -> str:
    """Say which API server the tests of e2e get."""
    return f"API server: {outside_kubeconfig() or 'a local control plane'}"
