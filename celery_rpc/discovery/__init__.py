"""Discovery: live workers -> Catalog."""
