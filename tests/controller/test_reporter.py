"""What is made of a status that the API server refuses."""

from providerswitch.api.errors import ApiServerError
from providerswitch.controller.reporter import explain_old_crd

REFUSED = ApiServerError(
    'apply ProviderSwitchPolicy/status "team/chat"', 500, ".status.held: field not declared in schema", 3.0
)


def test_a_status_that_an_older_crd_refuses_is_told_with_what_to_apply() -> None:
    assert str(explain_old_crd(REFUSED)) == (
        'apply ProviderSwitchPolicy/status "team/chat": HTTP 500: the CustomResourceDefinition is older than the '
        "operator. Apply crds/ of this release (.status.held: field not declared in schema)"
    )


def test_the_explained_refusal_is_waited_out_as_the_api_server_asked() -> None:
    explained = explain_old_crd(REFUSED)
    assert (explained.status, explained.retry_after) == (500, 3.0)
