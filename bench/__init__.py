"""Benchmarks: `python3 manage.py bench NAME` runs the script of that name in this folder."""
