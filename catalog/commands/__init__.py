"""The verbs of the command line; `catalog/cli.py` lists them."""
