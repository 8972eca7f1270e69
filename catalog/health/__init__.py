"""Whether the service is alive, ready, and what it depends on."""
