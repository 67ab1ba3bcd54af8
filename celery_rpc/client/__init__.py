"""What users hold: the client, its tree of proxies, and the way of a call."""
