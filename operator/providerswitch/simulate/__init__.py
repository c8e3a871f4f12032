"""The product's own decisions in virtual time: the same core, under providers and a network that are played."""
