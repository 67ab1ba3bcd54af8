"""Arguments and results held against signatures."""
