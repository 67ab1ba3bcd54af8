"""Transport: the way of a call down to the broker, and of its reply back."""
