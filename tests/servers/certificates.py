"""Certificates of an authority that was made for the tests, as files that servers read."""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Certificates:
    """A server's certificate for localhost, its key, and the authority that signed it."""

    authority: Path
    certificate: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> "Certificates":
        """Make them in a folder that exists."""
        authority = trustme.CA()
        server = authority.issue_cert("localhost", "127.0.0.1")
        made = cls(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
        authority.cert_pem.write_to_path(made.authority)
        server.cert_chain_pems[0].write_to_path(made.certificate)
        server.private_key_pem.write_to_path(made.key)
        return made
