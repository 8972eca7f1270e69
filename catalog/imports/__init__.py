"""Imports of product files: received, checked row by row, loaded in chunks that survive a kill."""
