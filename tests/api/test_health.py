"""The groups of health classes that decisions rest on."""

import itertools

from providerswitch.api.health import ALIVE, NETWORK, TRIPS_AT_ONCE, TRIPS_WHEN_CONFIRMED, HealthClass

GROUPS = (ALIVE, NETWORK, TRIPS_AT_ONCE, TRIPS_WHEN_CONFIRMED)


def test_no_class_belongs_to_two_groups() -> None:
    assert [pair for pair in itertools.combinations(GROUPS, 2) if pair[0] & pair[1]] == []


def test_there_are_the_classes_of_the_design_and_no_others() -> None:
    assert {each.value for each in HealthClass} == {
        *("Healthy", "Slow", "AuthInvalid", "PermissionDenied", "RegionBlocked", "QuotaExhausted", "RateLimited"),
        *("Overloaded", "ModelUnavailable", "ModelLoading", "ServerError", "Timeout", "Dns", "ConnectRefused", "Reset"),
        *("Tls", "Protocol", "ProbeRequestInvalid", "ContentFiltered", "ConfigInvalid", "Unknown"),
    }


def test_what_cannot_be_judged_is_not_alive() -> None:
    assert HealthClass.UNKNOWN not in ALIVE
    assert HealthClass.CONFIG_INVALID not in ALIVE
