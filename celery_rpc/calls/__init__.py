"""One call: the request, its options, what becomes of it."""
