"""Audit: who wrote what, when and from where, and what it was before."""
