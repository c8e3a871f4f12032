"""The one exception tree of the package.

ProviderSwitchError
├── UserError        fix your object; retried when an input changes; carries a condition reason
├── ApiServerError   the API server did not do what was asked; retried with backoff
└── InvariantError   our bug; the last good configuration stays published

A failed probe is not an exception: it is an `Outcome` with a health class. Texts of foreign exceptions never
go into these messages, because some hold the Authorization header of the request they failed on.
"""


class ProviderSwitchError(Exception):
    """Base of everything this package raises on purpose."""


class UserError(ProviderSwitchError):
    """Something only the user can mend: says what is wrong, where, and what to do.

    Args:
        reason: CamelCase condition reason, stable, documented in the reference.
        message: one or two sentences without key material.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class ApiServerError(ProviderSwitchError):
    """The API server refused or could not be reached.

    Args:
        what: the operation and its object, e.g. `apply ConfigMap "a/b"`.
        status: the HTTP status, or None when no answer came, or none that could be read.
        detail: the API server's own `message` field, "" when there is none.
        retry_after: seconds to wait before another try, as the API server asked; 0 where it did not.
    """

    def __init__(self, what: str, status: int | None, detail: str = "", retry_after: float = 0.0) -> None:
        cause = f"HTTP {status}" if status else "no answer"
        super().__init__(f"{what}: {cause}{': ' + detail if detail else ''}")
        self.what = what
        self.status = status
        self.detail = detail
        self.retry_after = retry_after


class InvariantError(ProviderSwitchError):
    """A promise of our own code was broken."""
