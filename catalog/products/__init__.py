"""Products: the catalog itself."""
