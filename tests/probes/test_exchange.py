"""What the values between provider types, transport and classifier promise."""

import copy
import logging
import pprint
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providerswitch.api.health import ALIVE, HealthClass
from providerswitch.probes.exchange import Finding, Question, SecretKey

VALUE = "sk-this-is-no-key"
KEY = SecretKey(VALUE)


def test_a_key_does_not_show_wherever_it_is_printed(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").error("%s %r", KEY, {"key": KEY}, extra={"key": KEY})
    texts = [str(KEY), repr(KEY), f"{KEY}", f"{KEY!r:>40}", "%s" % KEY, pprint.pformat([KEY])]  # noqa: UP031 - a way to print
    held = [repr(Question(KEY)), repr(replace(Question(KEY), model="m")), str({KEY: KEY}), str(ValueError(KEY))]
    assert VALUE not in " ".join([*texts, *held, caplog.text])
    assert str(KEY) == "***"


def test_a_key_has_no_attributes_that_a_dump_of_an_object_would_show() -> None:
    assert not hasattr(KEY, "__dict__")


def test_a_key_is_revealed_only_when_asked_for() -> None:
    assert KEY.reveal() == VALUE
    assert copy.deepcopy(KEY).reveal() == VALUE


def test_keys_are_compared_by_value() -> None:
    assert SecretKey(VALUE) == KEY
    assert hash(SecretKey(VALUE)) == hash(KEY)
    assert SecretKey("another") != KEY
    assert KEY != VALUE


@given(st.text(), st.text())
def test_fingerprints_tell_keys_apart_and_tell_nothing_else(one: str, other: str) -> None:
    mine, theirs = SecretKey(one).fingerprint(), SecretKey(other).fingerprint()
    assert (mine == theirs) is (one == other)
    assert len(mine) == 16
    assert set(mine) <= set("0123456789abcdef")


@pytest.mark.parametrize("health_class", HealthClass)
def test_a_finding_is_alive_when_its_class_is(health_class: HealthClass) -> None:
    finding = Finding(health_class, "HTTP 429", timedelta(seconds=1))
    assert finding.alive is (health_class in ALIVE)
