"""The queues of services, seen from outside."""
