"""`backup FILE` and `restore FILE`: the whole database in one file, by pg_dump and pg_restore."""

import os
from pathlib import Path
from typing import Any

import click

FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
FORCE = click.option("--force", is_flag=True, help="Replace what the database holds.")


@click.command()
@FILE
def backup(file: Path) -> None:
    """Write the whole database to FILE, as of one moment, while the service works."""
    from catalog.stack import control, dumps
    from catalog.stack.project import Project

    project = Project()
    with control.servers_up(project):
        size = dumps.dump(project.settings["DATABASE_URL"], file)
    click.echo(f"{size:,} bytes written to {file}.")
    if not project.settings["ENCRYPTION_KEYS"]:
        click.echo(f"Keep {project.places.data}/encryption.key and secret.key as well: no backup holds keys.")


@click.command()
@FILE
@FORCE
def restore(file: Path, force: bool) -> None:
    """Put what `backup` wrote to FILE into the empty database; the service must be stopped."""
    from catalog import restoring
    from catalog.stack import control, dumps
    from catalog.stack.errors import StackError
    from catalog.stack.project import Project

    project = Project()
    if control.is_running(project):
        raise StackError("It is running: `python3 manage.py stop`, then restore.")
    dumps.check(file)
    with control.servers_up(project), _app(project).app_context():
        restoring.begin(force)
        try:
            dumps.load(project.settings["DATABASE_URL"], file)
            restoring.check()
        except BaseException:  # also Ctrl-C
            restoring.undo()
            raise
        _finish()


@click.command("begin-restore", hidden=True)
@FORCE
def begin_restore(force: bool) -> None:
    """Make room for a restore that another program carries out."""
    from catalog import restoring

    with _app().app_context():
        restoring.begin(force)


@click.command("finish-restore", hidden=True)
@click.option("--failed", is_flag=True, help="Put back what was there.")
def finish_restore(failed: bool) -> None:
    """End a restore that another program carried out."""
    from catalog import restoring
    from catalog.stack.errors import StackError

    with _app().app_context():
        if failed:
            restoring.undo()
            return
        try:
            restoring.check()
        except StackError:
            restoring.undo()
            raise
        _finish()


def _app(project: Any = None) -> Any:
    """Return the application; with a project on its servers."""
    from catalog.app import create_app

    if project is not None:
        os.environ.update(project.environment)
    return create_app(routes=False)


def _finish() -> None:
    """Make the restored database fit the code, and say whether its secrets can be read."""
    from catalog import restoring
    from catalog.commands import data
    from catalog.commands.encryption import reencrypt_all

    restoring.keep()
    data.migrate()
    restoring.forget_copies()
    tally = reencrypt_all()
    readable = tally.renewed + tally.current
    click.echo(f"Restored. {readable:,} of {readable + len(tally.unopened):,} stored secrets can be read.")
    for secret in tally.unopened:
        click.echo(f"No key opens {secret}", err=True)
    if tally.unopened:
        raise click.ClickException("Add the keys from the time of the backup to the end of ENCRYPTION_KEYS.")
