"""What is used up of a burst, and comes back with time: the measure of all that is bounded by a rate. Pure."""


def drain(used: float, periods: float) -> float:
    """Return what is still used up after so many periods, each of which gives one back; a clock set back gives none."""
    return max(0.0, used - max(0.0, periods))
