"""The shapes users and the operator share: custom resources, health classes, provider facts, errors."""
