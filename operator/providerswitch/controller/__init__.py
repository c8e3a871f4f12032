"""React: kopf handlers, the registry of policies, the reconcile loop, the switch protocol, metrics."""
