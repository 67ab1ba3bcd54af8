"""What connect() may be told, and where it comes from."""
