"""The endpoint for hints: consumers and gateways report calls that failed, and the provider is probed at once."""
