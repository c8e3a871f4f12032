"""Keep every workload of a Kubernetes cluster on a working LLM provider."""

__version__ = "0.1.0"
