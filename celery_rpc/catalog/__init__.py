"""What is known of a fleet, as values."""
