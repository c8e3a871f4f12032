"""One file per provider type: what to ask, and how its error bodies read."""
