"""Real brokers and real workers for the tests, each started and ended by its own pid."""

from tests.servers.broker import Broker
from tests.servers.certificates import Certificates
from tests.servers.forger import Forger
from tests.servers.gate import Gate
from tests.servers.link import Way
from tests.servers.missing import missing
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess, wait_until
from tests.servers.proxy import FaultProxy
from tests.servers.rabbit import QueueState, RabbitBroker
from tests.servers.redis import RedisBroker
from tests.servers.sentinel import SentinelBroker
from tests.servers.supervisor import Supervisor
from tests.servers.valkey import ValkeyBroker
from tests.servers.venvs import celery_python
from tests.servers.worker import Worker

__all__ = [
    "Broker",
    "Certificates",
    "FaultProxy",
    "Forger",
    "Gate",
    "QueueState",
    "RabbitBroker",
    "RedisBroker",
    "SentinelBroker",
    "ServerProcess",
    "Supervisor",
    "ValkeyBroker",
    "Way",
    "Worker",
    "celery_python",
    "free_port",
    "missing",
    "wait_until",
]
