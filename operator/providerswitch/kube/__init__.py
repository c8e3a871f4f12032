"""Access to the API server: apply, status, Events, Secrets, watches."""
