"""Verbs that start, stop and show the service."""

import sys
import time
from typing import Any

import click

from catalog.stack import control
from catalog.stack.errors import StackError
from catalog.stack.project import Project
from catalog.stack.state import State
from catalog.terminal import print_table


@click.command()
def up() -> None:
    """Run in the foreground with the log on the screen; Ctrl-C stops everything."""
    from catalog.stack.logs import Follower
    from catalog.stack.supervisor import Supervisor

    project = Project()
    _refuse_if_running(project)
    project.places.create()
    follower = Follower(project.places)
    follower.skip_to_end()
    click.echo(f"{project.url}   (Ctrl-C stops it)")
    sys.exit(Supervisor(project, follower.show).run())


@click.command()
def start() -> None:
    """Run in the background; returns when the service is ready, else says why it is not."""
    project = Project()
    if control.is_running(project):
        click.echo(f"It is running already: {project.url}")
        return
    click.echo("Starting …")
    _say_ready(project, control.start(project))


@click.command()
def stop() -> None:
    """Stop the service and everything that belongs to it."""
    click.echo("Stopped." if control.stop(Project()) else "It was not running.")


@click.command()
def restart() -> None:
    """Stop, then start in the background."""
    project = Project()
    control.stop(project)
    _say_ready(project, control.start(project))


@click.command()
def fresh() -> None:
    """Delete all data of this project and start anew in the background."""
    project = Project()
    control.stop(project)
    _wipe(project)
    _say_ready(project, control.start(project))


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def clean(yes: bool) -> None:
    """Stop, and delete this project's data; other projects' and servers given by URL are left alone."""
    project = Project()
    if not yes and sys.stdin.isatty():
        click.confirm(f"Delete everything in {project.places.data}?", abort=True)
    control.stop(project)
    _wipe(project)
    click.echo("Deleted.")


@click.command()
def status() -> None:
    """Show every process with its pid, state, address and version; exit status 1 if none runs."""
    project = Project()
    if not control.is_running(project):
        click.echo("It is not running. `python3 manage.py start` starts it.")
        sys.exit(1)
    state = State(project.places).read()
    _print_processes([*state.get("processes", []), *_servers_elsewhere(project)])
    ready = "ready" if control.answers_ready(project) else "NOT ready"
    click.echo(f"{project.url} is {ready}. Data: {project.places.data}")


@click.command("logs")
@click.argument("process", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on showing new lines.")
@click.option("-n", "--lines", default=40, show_default=True, help="Lines of each log to begin with.")
def show_logs(process: str | None, follow: bool, lines: int) -> None:
    """Show the log of PROCESS, or of all."""
    from catalog.stack.logs import Follower, choose

    project = Project()
    choose(project.places, process)
    follower = Follower(project.places, process)
    follower.skip_to_last(lines)
    follower.show()
    while follow:
        time.sleep(0.2)
        follower.show()


def _refuse_if_running(project: Project) -> None:
    if control.is_running(project):
        raise StackError(f"It is running already: {project.url}   (`python3 manage.py stop` stops it)")


def _wipe(project: Project) -> None:
    project.places.wipe()
    if len(project.servers) < 3:
        click.echo("Servers that are given by URL keep their data.")


def _say_ready(project: Project, seconds: float) -> None:
    from catalog.gate import is_open

    click.echo(f"Ready after {seconds:.1f} s.\n")
    click.echo(f"  Catalog   {project.url}/")
    click.echo(f"  API       {project.url}/api/v1/products")
    click.echo(f"  Docs      {project.url}/api/docs")
    click.echo(f"  Health    {project.url}/health/ready")
    access = "open to this machine, without a key" if is_open(project.settings) else "with a key, or signed in"
    click.echo(f"  Access    {access}\n")
    click.echo("`python3 manage.py status` shows the processes, `logs -f` what they say, `stop` ends them.")


def _print_processes(processes: list[dict[str, Any]]) -> None:
    rows = [
        (each["name"], each["pid"] or "-", _state_of(each), each["address"] or "-", each["version"])
        for each in processes
    ]
    print_table(("process", "pid", "state", "address", "version"), rows, width=300, box=None, pad_edge=False)


def _state_of(process: dict[str, Any]) -> str:
    import psutil

    if "state" in process:
        return str(process["state"])
    again = f", restarted {process['restarts']} times" if process["restarts"] else ""
    return ("running" if process["pid"] and psutil.pid_exists(process["pid"]) else "down") + again


def _servers_elsewhere(project: Project) -> list[dict[str, Any]]:
    """Return a line for each server that is given by URL, its password left out."""
    from catalog.redaction import redacted

    own = {server.name for server in project.servers}
    settings = {"postgres": "DATABASE_URL", "redis-queue": "REDIS_URL", "redis-cache": "CACHE_REDIS_URL"}
    return [
        {
            "name": name,
            "pid": None,
            "state": "given by URL",
            "address": redacted(project.settings[setting]),
            "version": "",
        }
        for name, setting in settings.items()
        if name not in own
    ]
