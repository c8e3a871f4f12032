"""The demo installs what the install manifest says, but for what it runs itself."""

from providerswitch.demo.installation import RUN_LOCALLY, _permissions


def test_the_operator_gets_its_real_rights_and_is_not_deployed() -> None:
    kinds = [entry["kind"] for entry in _permissions()]
    assert kinds[0] == "Namespace"
    assert {"ServiceAccount", "ClusterRole", "ClusterRoleBinding"} <= set(kinds)
    assert not set(kinds) & {*RUN_LOCALLY, "CustomResourceDefinition"}


def test_no_rights_are_added_to_those_of_the_manifest() -> None:
    bound = [entry["roleRef"]["name"] for entry in _permissions() if entry["kind"].endswith("RoleBinding")]
    assert bound
    assert "cluster-admin" not in bound
