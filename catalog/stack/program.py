"""The processes of the Procfile."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from catalog import __version__
from catalog.stack import leftovers
from catalog.stack.errors import StackError
from catalog.stack.project import Project
from catalog.stack.server import Server

# All else is a comment or blank, as in other readers of the format.
_LINE = re.compile(r"^([A-Za-z0-9_-]+):\s*(.+)$", re.MULTILINE)
ONLY_WITH = {"orders": "ORDER_QUEUE_REDIS_URL"}  # a process and the setting without which it is not run


class Program(Server):
    """One line of the Procfile: `name: command`, run by the shell with our Python first on PATH."""

    version = __version__

    def __init__(self, project: Project, name: str, line: str) -> None:
        super().__init__()
        self.project = project
        self.name = name
        self.line = line
        self.log = project.places.logs / f"{name}.log"
        self.folder = project.root
        self.address = project.url if name == "web" else ""

    def command(self) -> list[str]:
        """Return the line for the shell, which it replaces, so that our signals reach it."""
        return ["/bin/sh", "-c", f"exec {self.line}"]

    def environment(self) -> Mapping[str, str]:
        """Return the project's environment, marked as this stack's."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        return {**self.project.environment, **leftovers.mark(self.project.places), "PATH": path}


def programs(project: Project) -> list[Program]:
    """Return the processes of the Procfile, in its order, without those that have nothing to do."""
    return [Program(project, name, line) for name, line in lines(project.root).items() if _is_wanted(project, name)]


def lines(root: Path) -> dict[str, str]:
    """Return the commands of the Procfile by process name. Raises StackError for a name that it has twice."""
    found = _LINE.findall((root / "Procfile").read_text())
    commands = dict(found)
    if len(commands) < len(found):
        raise StackError("The Procfile names a process twice.")
    return commands


def _is_wanted(project: Project, name: str) -> bool:
    return name not in ONLY_WITH or bool(project.settings[ONLY_WITH[name]])
