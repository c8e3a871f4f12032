"""The exception tree: one base, and texts that tell what happened."""

import pytest

from providerswitch.api import errors
from providerswitch.api.errors import ApiServerError, InvariantError, ProviderSwitchError, UserError


def test_the_tree_is_the_one_that_the_module_draws() -> None:
    found = {name for name, thing in vars(errors).items() if isinstance(thing, type) and issubclass(thing, Exception)}
    assert errors.__doc__ is not None
    assert found == {"ProviderSwitchError", "UserError", "ApiServerError", "InvariantError"}
    assert [name for name in found if name not in errors.__doc__] == []


@pytest.mark.parametrize("kind", [UserError, ApiServerError, InvariantError])
def test_all_have_one_base_and_none_is_another(kind: type[Exception]) -> None:
    assert kind.__bases__ == (ProviderSwitchError,)


def test_a_user_error_carries_a_reason_for_programs_and_a_sentence_for_people() -> None:
    error = UserError("SecretNotFound", 'Secret "a" does not exist. Create it.')
    assert (error.reason, error.message) == ("SecretNotFound", 'Secret "a" does not exist. Create it.')
    assert str(error) == error.message


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ApiServerError('read Secret "a/b"', 403, "forbidden"), 'read Secret "a/b": HTTP 403: forbidden'),
        (ApiServerError('read Secret "a/b"', 500), 'read Secret "a/b": HTTP 500'),
        (ApiServerError('read Secret "a/b"', None), 'read Secret "a/b": no answer'),
        (ApiServerError('read Secret "a/b"', None, "TimeoutError"), 'read Secret "a/b": no answer: TimeoutError'),
    ],
)
def test_an_api_server_error_says_what_was_tried_and_what_came_of_it(error: ApiServerError, text: str) -> None:
    assert str(error) == text
