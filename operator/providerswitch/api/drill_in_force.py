"""What a policy's status holds of the drill that runs on it."""

from pydantic import Field

from providerswitch.api.fields import Model
from providerswitch.api.moments import MicroTime, Short


class DrillInForce(Model):
    """A drill that runs, or whose end could not be acted upon yet: what a restart has to undo."""

    name: Short
    """Name of the ProviderSwitchDrill."""
    uid: Short
    """Its uid."""
    provider: Short
    """The provider that seems to fail."""
    fault: Short
    """What is played."""
    origin: Short | None = None
    """The provider that served when it began."""
    tasks: list[Short] | None = Field(default=None, max_length=8)
    """The tasks that the drilled provider served when it began."""
    started_at: MicroTime
    """When it began."""
