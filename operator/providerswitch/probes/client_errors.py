"""Read what other clients wrote when they got no answer.

Only for saved texts: the operator's own probes look at the exceptions themselves (`faults.py`).
"""

import re
from typing import Final

from providerswitch.api.health import HealthClass
from providerswitch.probes.exchange import Finding

SIGNS: Final = tuple(
    (health_class, says, re.compile("|".join(signs.split())))
    for health_class, says, signs in (
        (
            HealthClass.DNS,
            "the host name cannot be resolved",
            r"getaddrinfo name.or.service.not.known name.?resolution enotfound eai_again no.such.host not.resolve",
        ),
        (HealthClass.TLS, "TLS failed", r"certificate \bssl\b sslerror \btls\b handshake"),
        (HealthClass.TIMEOUT, "timed out", r"time-?d?.?out deadline.exceeded winerror.10060 \berrno.110\b"),
        (
            HealthClass.CONNECT_REFUSED,
            "connection refused",
            r"refused winerror.10061 unreachable no.route.to.host",
        ),
        (
            HealthClass.RESET,
            "connection reset",
            r"reset aborted disconnected broken.pipe closed incomplete winerror.10054 socket.hang.up \beof\b",
        ),
    )
)
"""In the order of asking, on the text in lower case."""


def classify_client_error(text: str) -> Finding:
    """Return the class of a failure that a client reported as text."""
    lowered = text[:4000].lower()
    found = ((health_class, says) for health_class, says, signs in SIGNS if signs.search(lowered))
    health_class, says = next(found, (HealthClass.UNKNOWN, "no known kind of failure"))
    return Finding(health_class, says)
