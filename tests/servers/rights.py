"""The users of docs/security.md, who may do what is written there and no more."""

from pathlib import Path
from urllib.parse import urlsplit

from tests.servers.rabbit import RabbitBroker
from tests.servers.redis import RedisBroker

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
PASSWORD = "secret"

#: How the names of the tests' queues begin: what the page calls "shop".
QUEUES = (
    "answering", "by-", "calc", "lost", "odd.name", "on-default-exchange", "other", "rogue",
    "typed",
)  # fmt: skip


def limited_url(server: RabbitBroker | RedisBroker, url: str, user: str = "shop-client") -> str:
    """Make a user of the page, and give the URL by which he comes to the same place.

    Args:
        user: "shop-client", or "shop-caller", whom only RabbitMQ has.
    """
    place = urlsplit(url).path.removeprefix("/")
    if isinstance(server, RabbitBroker):
        return _limited_rabbit_url(server, place, user)
    with server.client(url) as admin:
        admin.execute_command("ACL", "SETUSER", user, *redis_rules(user))
    return server.database_url(int(place), user=user, password=PASSWORD)


def _limited_rabbit_url(server: RabbitBroker, vhost: str, user: str) -> str:
    server.add_user(user, PASSWORD)
    # Configure, write and read, each in quotes.
    words = shown(f"rabbitmqctl set_permissions -p shop {user}").split("'")
    server.set_permissions(vhost, user=user, configure=words[1], write=words[3], read=words[5])
    return server.vhost_url(vhost, user=user, password=PASSWORD)


def redis_rules(user: str) -> list[str]:
    """Return the user's rules, with the queues of the tests."""
    rules: list[str] = []
    for rule in shown(f"ACL SETUSER {user}").split():
        queues = [rule.replace("shop", queue) for queue in QUEUES]
        rules += queues if "~shop" in rule else [rule.replace(">...", f">{PASSWORD}")]
    return rules


def shown(beginning: str) -> str:
    """Return the line of the page that begins so, without that beginning."""
    [line] = [line for line in PAGE.read_text().splitlines() if line.startswith(beginning)]
    return line.removeprefix(beginning).strip()
