"""The certificate of the endpoint, read again when its files change: whoever issues it renews it, too."""

import asyncio
import logging
import ssl
from pathlib import Path
from typing import Final

from providerswitch.api.errors import UserError

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 10.0


class Certificate:
    """A certificate and its key, PEM files; connections that are open keep what they began with.

    Raises:
        UserError: they cannot be used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._seen = self._look()
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            self.context.load_cert_chain(certificate, key, _no_password)
        except (OSError, ValueError) as error:  # SSLError is an OSError
            message = (
                f'--hints-cert "{certificate}" and --hints-key "{key}" are not readable PEM files of a certificate and '
                "its key without a password."
            )
            raise UserError("BadHintsCertificate", message) from error

    def refresh(self) -> None:
        """Take the files as they are now, if they changed; such as cannot be used change nothing."""
        seen = self._look()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*self._files, _no_password)
            self.context.load_cert_chain(*self._files, _no_password)
        except (OSError, ValueError):
            log.warning("the new certificate for hints cannot be used, so the former stays; see that its key fits")
        else:
            log.info("the certificate for hints was read again")

    async def keep_current(self, seconds: float = LOOK_SECONDS) -> None:
        """Look for changes now and then, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.refresh)

    def _look(self) -> tuple[object, ...]:
        return tuple(_stamp(path) for path in self._files)


def _stamp(path: Path) -> object:
    """Return what changes with a file; a mounted Secret changes by a link to others."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _no_password() -> str:
    """Keep OpenSSL from asking at the terminal for the password of an encrypted key."""
    return ""
