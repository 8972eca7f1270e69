"""A product catalog: REST over products, imports of millions of rows, background jobs."""

import tomllib
from pathlib import Path

with (Path(__file__).parent.parent / "pyproject.toml").open("rb") as _file:
    __version__: str = tomllib.load(_file)["project"]["version"]
