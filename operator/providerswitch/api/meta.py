"""Names that are part of the API: group, version, kinds, annotations, labels, the field manager."""

from typing import Final

GROUP: Final = "providerswitch.dev"
VERSION: Final = "v1alpha1"
POLICY_KIND: Final = "ProviderSwitchPolicy"
POLICY_PLURAL: Final = "providerswitchpolicies"
POLICY_SHORT: Final = "pswitch"
OVERRIDE_KIND: Final = "ProviderSwitchOverride"
OVERRIDE_PLURAL: Final = "providerswitchoverrides"
OVERRIDE_SHORT: Final = "psoverride"
DRILL_KIND: Final = "ProviderSwitchDrill"
DRILL_PLURAL: Final = "providerswitchdrills"
DRILL_SHORT: Final = "psdrill"
API_VERSION: Final = f"{GROUP}/{VERSION}"

FIELD_MANAGER: Final = "providerswitch"
"""Server-side apply owner of every field this operator writes."""

ADOPT_ANNOTATION: Final = f"{GROUP}/adopt"
"""`"true"` on a foreign ConfigMap, Service or Secret lets a policy take it over."""

HOSTS_ANNOTATION: Final = f"{GROUP}/hosts"
"""On a Secret: comma-separated hosts (`host` or `host:port`) its keys may be sent to besides the official ones."""

PUBLISH_ANNOTATION: Final = f"{GROUP}/publish"
"""`"true"` on a Secret: policies may copy its keys into the Secret of their `publish.secret`."""

FAILBACK_ANNOTATION: Final = f"{GROUP}/failback-requested-at"
"""On a policy: a new value asks once for the return to the primary (`failover.failback: Manual`)."""

REVISION_ANNOTATION: Final = f"{GROUP}/revision"
POLICY_LABEL: Final = f"{GROUP}/policy"
MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"

GENERATION_LABEL: Final = f"{GROUP}/generation"
"""On a ControllerRevision: the generation of the policy at which its configuration was accepted last."""

LAST_GOOD_LABEL: Final = f"{GROUP}/last-good"
"""`"true"` on the ControllerRevision of the last configuration that was published completely."""
