"""The tasks of mail."""

# Celery ships no types, which leaves its decorator untyped.
# mypy: disable-error-code="untyped-decorator"

import logging
import os
import time
from enum import StrEnum
from hashlib import sha256
from typing import Literal

from celery import Task

from mail import app

# How long the mail server of this example takes for one mail.
SECONDS = float(os.environ.get("MAIL_SECONDS", "0.01"))

logger = logging.getLogger("mail")


class Priority(StrEnum):
    """How soon a mail is to be read."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class MailboxBusy(Exception):
    """The mailbox takes no mail right now: its address."""


@app.task(name="mail.send")
def send(to: str, subject: str, body: str = "") -> str:
    """Send a mail; returns its message id."""
    return post(to, subject, body)


@app.task(name="mail.digest")
def digest(
    to: str,
    subjects: list[str],
    priority: Priority = Priority.NORMAL,
    style: Literal["text", "html"] = "text",
    reply_to: str | None = None,
) -> str:
    """Send one mail about several subjects; returns its message id."""
    separator = "<br>" if style == "html" else "\n"
    return post(to, f"[{Priority(priority)}] {len(subjects)} news", separator.join(subjects))


@app.task(name="mail.slow", track_started=True)
def slow(seconds: float) -> float:
    """Sleep for that many seconds, and return them."""
    time.sleep(seconds)
    return seconds


@app.task(name="mail.log", ignore_result=True)
def log(line: str, level: Literal["debug", "info", "warning"] = "info") -> None:
    """Write a line to the log of the worker; there is no result to wait for."""
    logger.log(logging.getLevelNamesMapping()[level.upper()], line)


@app.task(
    name="mail.deliver",
    bind=True,
    autoretry_for=(MailboxBusy,),
    max_retries=3,
    default_retry_delay=0.05,
)
def deliver(self: Task, to: str, busy: int = 0) -> int:
    """Deliver to a mailbox that is busy that many times; returns the attempts made.

    Raises:
        MailboxBusy: it still was after three retries.
    """
    attempts: int = self.request.retries + 1
    if attempts <= busy:
        raise MailboxBusy(to)
    return attempts


def post(to: str, subject: str, body: str) -> str:
    time.sleep(SECONDS)
    logger.info("to %s: %s", to, subject)
    return f"<{sha256(repr((to, subject, body)).encode()).hexdigest()[:16]}@shop.example>"
