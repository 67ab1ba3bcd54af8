"""Servers: a private broker with one stock worker, and both clients of it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from celery import Celery
from kombu.connection import Connection

import celery_rpc
from tests.servers import RabbitBroker, ValkeyBroker, Worker
from tests.servers.worker import Pool

QUEUE = "calc"
TASK = "calc.add"
#: What the task is called with, and what it gives.
ARGS, VALUE = (1, 1), 2

BROKERS = {"redis": ValkeyBroker, "rabbitmq": RabbitBroker}


@dataclass(frozen=True)
class Servers:
    """A broker and its worker, for as long as a family of rows is measured."""

    broker: Any
    url: str
    worker: Worker
    pool: Pool
    #: Smaller canvases.
    quick: bool = False

    @contextlib.contextmanager
    def client(self) -> Iterator[Any]:
        """Return a new client of ours."""
        with celery_rpc.connect(self.url, timeout=300) as client:
            yield client

    @cached_property
    def app(self) -> Any:
        """A stock app, as a service without celery-rpc would make it."""
        return self.new_app()

    def new_app(self) -> Any:
        """Return a stock app that has no connection yet."""
        return Celery("stock", broker=self.url, backend="rpc://", set_as_current=False)

    def send(self) -> Any:
        """Send a call the stock way."""
        return self.app.send_task(TASK, ARGS, queue=QUEUE)

    def call(self) -> Any:
        """Call the stock way."""
        return self.send().get(timeout=300)

    def received(self) -> int:
        """Return the bytes that the broker has received so far; 0 where it does not say."""
        if self.broker.kind != "redis":
            return 0
        with self.broker.client() as client:
            return int(client.info("stats")["total_net_input_bytes"])

    @contextlib.contextmanager
    def idle_worker(self) -> Iterator[None]:
        """Stop the worker; what was sent meanwhile is thrown away."""
        self.worker.freeze()
        try:
            yield
            with Connection(self.url) as connection:
                connection.default_channel.queue_purge(QUEUE)
        finally:
            self.worker.thaw()
        self.call()


@contextlib.contextmanager
def serve(kind: str, pool: Pool, *, quick: bool = False) -> Iterator[Servers]:
    """Start a broker of that kind and a worker."""
    with (
        BROKERS[kind]() as broker,
        Worker.start("tests.workers.calc", broker.url, [QUEUE], pool=pool, concurrency=2) as worker,
    ):
        servers = Servers(broker, broker.url, worker.wait_ready(), pool, quick)
        servers.call()
        yield servers
