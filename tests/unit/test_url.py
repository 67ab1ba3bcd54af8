"""BrokerUrl: checked early, and never shown with its password."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celery_rpc.errors import ConfigurationError
from celery_rpc.settings.broker_url import BrokerUrl, masked


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@host:6379/0", "redis://:***@host:6379/0"),
        ("amqp://user:secret@host//", "amqp://user:***@host//"),
        (
            "sentinel://:secret@a:1;sentinel://:secret@b:2",
            "sentinel://:***@a:1;sentinel://:***@b:2",
        ),
        ("redis://host?ssl_password=secret&x=1", "redis://host?ssl_password=***&x=1"),
        ("redis://host", "redis://host"),
        ("redis://:sec@ret@host", "redis://:***@host"),
    ],
)
def test_passwords_are_masked(url: str, shown: str) -> None:
    assert str(BrokerUrl(url)) == shown
    assert "secret" not in repr(BrokerUrl(url))


@given(st.from_regex(r"[A-Za-z0-9%!$&'()*+,;=:/-]{4,20}", fullmatch=True))
def test_S09_no_password_is_ever_shown(password: str) -> None:
    text = f"cannot connect to amqp://user:{password}@host:5672/v and so on"
    assert f":{password}@" not in masked(text)


@pytest.mark.parametrize("url", ["rediss//:secret@host", "user:secret@host"])
def test_what_is_no_url_is_not_shown_with_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="@host") as caught:
        BrokerUrl.parse(url)
    assert "secret" not in str(caught.value)


def test_families() -> None:
    families = {url: BrokerUrl.parse(url).family for url in (
        "redis://h", "rediss://h", "valkey://h", "amqp://h", "amqps://h", "memory://", "sqs://",
    )}  # fmt: skip
    assert set(families.values()) == {"redis", "amqp", "kombu"}


def test_database_and_vhost() -> None:
    assert BrokerUrl("redis://h/3").database == 3
    assert BrokerUrl("redis://h").database == 0
    assert BrokerUrl("amqp://h//").vhost == "/"
    assert BrokerUrl("amqp://h/a%2Fb").vhost == "a/b"


@pytest.mark.parametrize(
    ("url", "doubt"),
    [
        ("redis://localhost:6379/0", ""),
        ("amqp://guest:guest@127.0.0.1//", ""),
        ("redis://[::1]:6379/0", ""),
        ("redis+socket:///run/redis.sock", ""),
        ("sentinel://127.0.0.1:1;sentinel://localhost:2", ""),
        ("memory://", ""),
        ("rediss://example.org/0", ""),
        ("amqps://u:secret@example.org/v", ""),
        ("redis://example.org/0", "without TLS and without a password"),
        ("amqp://u:secret@example.org/v", "without TLS: see amqps://"),
        ("redis://localhost.example.org/0", "without TLS"),
        ("sentinel://127.0.0.1:1;sentinel://example.org:2", "without TLS"),
    ],
)
def test_S09_a_broker_elsewhere_without_tls_or_password_is_doubted(url: str, doubt: str) -> None:
    said = BrokerUrl.parse(url).doubt
    assert bool(said) == bool(doubt)
    assert doubt in said
    assert "secret" not in said
