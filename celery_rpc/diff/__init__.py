"""Two catalogs compared: what differs, and whom it breaks."""
