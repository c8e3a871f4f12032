"""The commands of `providerswitch`, one file per verb."""
