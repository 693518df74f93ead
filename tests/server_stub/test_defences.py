"""Defences as written: what fits together, and what is said otherwise."""

import pytest
from pydantic import ValidationError

from server_stub.config import ServerConfig
from server_stub.defences import RetryAfter

BUCKET = {"kind": "token_bucket", "rate": 10.0, "burst": 5}


def test_a_number_of_seconds_is_a_fixed_retry_after():
    """The same for everybody."""
    assert ServerConfig(retry_after=3.0).retry_after == RetryAfter(at_least=3.0)
    assert ServerConfig(retry_after="none").retry_after is None


@pytest.mark.parametrize(
    "settings",
    [
        {"retry_after": 3},
        {"retry_after": {"at_least": 1.0, "spread": 10.0, "per_waiting": 0.1}},
        {"reconnect_window": 20.0},
        {"admission": BUCKET},
        {"admission": {"kind": "queue", "limit": 1}},
        {"max_per_address": {"connections": 3}},
        {"max_per_address": {"rate": 0.5, "burst": 4}},
        {"order": "lifo"},
    ],
)
def test_settings_survive_their_file(settings):
    """As JSON, which is how TOML is made."""
    config = ServerConfig(**settings)
    assert ServerConfig(**config.model_dump(mode="json", exclude_none=True)) == config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"retry_after": -1.0}, "retry_after.at_least\n.*greater than or equal to 0"),
        ({"retry_after": {"spraed": 1.0}}, "Extra inputs are not permitted"),
        ({"admission": {"kind": "queue"}}, "kind = 'queue' needs limit"),
        ({"admission": {"kind": "queue", "limit": 0}}, "greater than 0"),
        ({"admission": {"kind": "token_bucket"}}, "needs rate; kind = 'token_bucket' needs burst"),
        ({"admission": {**BUCKET, "limit": 3}}, "limit belongs to kind = 'queue'"),
        ({"admission": {**BUCKET, "kind": "queue"}}, "rate belongs to kind = 'token_bucket'"),
        ({"admission": {"kind": "bouncer"}}, "'queue' or 'token_bucket'"),
        ({"max_per_address": {}}, "needs connections, or rate, or both"),
        ({"max_per_address": {"connections": 3, "burst": 2}}, "burst needs rate"),
        ({"order": "random"}, "'fifo' or 'lifo'"),
    ],
)
def test_nonsense_is_refused(settings, message):
    """With a message that says what is wrong."""
    with pytest.raises(ValidationError, match=message):
        ServerConfig(**settings)
