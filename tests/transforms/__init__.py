"""Transforms: the functions, the registry, the verb and the API."""
