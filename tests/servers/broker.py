"""A broker as most tests need it, of either kind."""

from dataclasses import dataclass

from tests.servers.rabbit import RabbitBroker
from tests.servers.redis import RedisBroker
from tests.servers.rights import limited_url


@dataclass(frozen=True, slots=True)
class Broker:
    """A URL under which nobody else has anything, on a server that all tests share.

    Whoever freezes or stops a server starts one for that, see RedisBroker and RabbitBroker.

    Attributes:
        kind: "redis" or "rabbitmq".
        url: Its database or virtual host.
        client_url: The same place, for clients with no more rights than docs/security.md asks for.
        server: The server itself; `server.fresh_url()` is another empty place.
    """

    kind: str
    url: str
    client_url: str
    server: RedisBroker | RabbitBroker

    @classmethod
    def on(cls, server: RedisBroker | RabbitBroker) -> "Broker":
        """Return an empty place on a server."""
        url = server.fresh_url()
        return cls(server.kind, url, limited_url(server, url), server)

    def waiting(self, queue: str) -> int:
        """Return how many messages are in a queue and with no worker."""
        if isinstance(self.server, RedisBroker):
            with self.server.client(self.url) as client:
                return int(client.llen(queue))
        state = self.server.queues(self.url.rpartition("/")[2]).get(queue)
        return state.ready if state else 0

    def unfinished(self, queue: str) -> int:
        """Return how many messages are in a queue, or with a worker that could give them back.

        Redis gives back what a dead worker had after an hour: there only the queue counts.
        """
        if isinstance(self.server, RedisBroker):
            return self.waiting(queue)
        state = self.server.queues(self.url.rpartition("/")[2]).get(queue)
        return state.messages if state else 0
