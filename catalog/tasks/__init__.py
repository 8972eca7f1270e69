"""The to-do API: tasks, each perhaps about a product. Not background work, which is in jobs."""
