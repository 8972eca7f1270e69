"""Verbs that the supervisor and the Procfile run; people do not need them."""

import sys

import click


@click.command(hidden=True)
def supervise() -> None:
    """Run the stack in this process, as `start` does in the background."""
    from catalog.stack.project import Project
    from catalog.stack.supervisor import Supervisor

    sys.exit(Supervisor(Project()).run())


@click.command(hidden=True)
def prepare() -> None:
    """Migrate the database and, if it is an empty one for development, add sample products."""
    from catalog.commands import data

    data.prepare()


@click.command("await-migration", hidden=True)
@click.option("--seconds", default=600.0, show_default=True, help="How long to wait.")
def await_migration(seconds: float) -> None:
    """Wait until someone else has migrated the database as far as this code needs it."""
    from catalog.commands import data

    if not data.await_migration(seconds):
        raise click.ClickException(f"The database was not migrated within {seconds:.0f} s.")


@click.command(hidden=True)
@click.argument("queue")
def worker(queue: str) -> None:
    """Serve one queue."""
    from catalog import jobqueue
    from wsgi import app

    jobqueue.work(queue, app)


@click.command(hidden=True)
def clock() -> None:
    """Sweep for work that was left behind."""
    from catalog import clock as sweeper
    from wsgi import app

    sweeper.run(app)


@click.command("send-webhooks", hidden=True)
def send_webhooks() -> None:
    """Send what is due to the webhooks."""
    from catalog.webhooks import dispatch
    from wsgi import app

    dispatch.run(app)
