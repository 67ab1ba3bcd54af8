"""Assembly: the parts of a client, made and put together."""

from celery_rpc.catalog.model import Catalog
from celery_rpc.catalog.signature import DeclaredError
from celery_rpc.client.caller import Caller
from celery_rpc.client.canvas_host import CanvasHost
from celery_rpc.client.contracts import Contracts
from celery_rpc.client.directory import Directory
from celery_rpc.client.refused import known_elsewhere
from celery_rpc.discovery.fleet import Fleet
from celery_rpc.settings.client_options import ClientOptions
from celery_rpc.support.timers import Clock
from celery_rpc.transport.broker import BrokerTransport
from celery_rpc.transport.link import CallTransport
from celery_rpc.validation.declared_errors import KnownErrors


def assembled(
    options: ClientOptions, transport: CallTransport | None = None, *, first: Catalog | None = None
) -> Caller:
    """Return a caller with all that is below it; nothing is connected yet.

    Args:
        transport: in place of the broker's.
        first: what is known of the services before any worker was asked.
    """

    def declared(name: str) -> DeclaredError | None:
        return fleet.signatures.errors.get(name)

    errors = KnownErrors(options.errors, declared)
    transport = transport or BrokerTransport(
        options,
        errors,
        lambda call, refusal, since: known_elsewhere(fleet, call, refusal, since),
    )
    fleet = Fleet(transport.broadcast, transport.unexpect, options, first)
    directory = Directory(options, fleet, errors)
    contracts = Contracts(options, fleet)
    host = CanvasHost(options, transport, Clock(), directory, contracts)
    return Caller(options, transport, fleet, directory, contracts, host)
