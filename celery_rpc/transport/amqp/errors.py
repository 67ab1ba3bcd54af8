"""What py-amqp raises, in our words."""

import struct

import amqp

from celery_rpc.errors import (
    EncodeError,
    PayloadTooLarge,
    PermissionRefused,
    RpcError,
    Unavailable,
)
from celery_rpc.settings.broker_url import masked
from celery_rpc.transport.amqp import frames
from celery_rpc.transport.call_message import Envelope

#: What py-amqp raises for a value that its tables cannot hold.
_NO_TABLE = (struct.error, amqp.exceptions.FrameSyntaxError, OverflowError, TypeError, ValueError)

#: What a link that broke raises.
BROKEN = (OSError, amqp.exceptions.ConnectionError, amqp.exceptions.AMQPError, AttributeError)


def encoded(envelope: Envelope, channel: int, frame_max: int) -> bytes:
    """Return the frames of a message.

    Raises:
        EncodeError: a header is nothing that AMQP's tables can hold.
    """
    try:
        return frames.publish(envelope, channel, frame_max)
    except _NO_TABLE as error:
        raise EncodeError(
            f"{envelope.task}: a header cannot be sent over AMQP: {error}", path="headers"
        ) from error


def translated(error: BaseException, broker: str) -> RpcError:
    """Return our error for one of py-amqp's, for what was not sent."""
    text = masked(str(error))
    code = getattr(error, "reply_code", None)
    if code == 403 or isinstance(error, amqp.exceptions.AccessRefused):
        return PermissionRefused(f"{broker} refused: {text}")
    if code == 530 or isinstance(error, amqp.exceptions.NotAllowed):
        return PermissionRefused(f"{broker} refused (is there such a vhost?): {text}")
    if code == 406 and "larger than" in text:
        return PayloadTooLarge(f"{broker} refused the message: {text}", size=0, limit=0)
    return Unavailable(f"no connection to {broker}: {text}")
