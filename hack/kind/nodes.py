"""The Kubernetes versions that the tests run on, as images of kind's nodes."""

from typing import Final

NODES: Final = {
    "1.35": "kindest/node:v1.35.8@sha256:07b2536e30b803ed61d1677a79df6115f798ce64c80f9e22f6ed45afd09323c0",
    "1.36": "kindest/node:v1.36.4@sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed",
    "1.37": "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5",
}
"""Made for kind 0.33 (hack/kind/go.mod), whose release notes list them: a newer kind has newer ones."""
NEWEST: Final = max(NODES, key=lambda version: tuple(map(int, version.split("."))))
