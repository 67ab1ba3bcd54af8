"""The calc service behind a Sentinel, which takes more than a URL."""

from tests.workers.calc import app

app.conf.broker_transport_options = {"master_name": "tests", "socket_timeout": 2.0}
