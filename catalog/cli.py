"""The verbs of `python3 manage.py`: the visible list. What is heavy is imported by the verb that needs it."""

import difflib

import click

from catalog.commands import (
    backups,
    data,
    demo,
    develop,
    exports,
    graphql,
    imports,
    keys,
    linting,
    orders,
    processes,
    requirements,
    service,
    transforms,
    users,
    webhooks,
)
from catalog.stack.errors import StackError
from catalog.terminal import visible_lines


class Verbs(click.Group):
    """Shows errors that are meant for people without a traceback, and names the nearest verb to an unknown one."""

    def invoke(self, context: click.Context) -> object:
        """Run the verb; a StackError or a wrong setting becomes a message and exit status 1."""
        from catalog.config import ConfigError

        try:
            return super().invoke(context)
        except (StackError, ConfigError) as error:
            raise click.ClickException(visible_lines(error)) from error
        except BrokenPipeError:
            return context.exit(0)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; a UsageError with the nearest one if there is none of that name."""
        if self.get_command(context, args[0]) is None:
            nearest = difflib.get_close_matches(args[0], self.list_commands(context), n=1)
            meant = f" Did you mean `{nearest[0]}`?" if nearest else ""
            raise click.UsageError(f"There is no verb `{args[0]}`.{meant} `python3 manage.py help` lists them.")
        return super().resolve_command(context, args)

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the verbs in the order of the list below."""
        return list(self.commands)


@click.group(cls=Verbs, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def main(context: click.Context) -> None:
    """Run a verb of the product catalog: `python3 manage.py VERB`."""
    if context.invoked_subcommand is None:
        context.invoke(show_help)


@click.command("help")
@click.pass_context
def show_help(context: click.Context) -> None:
    """List the verbs, one line each."""
    click.echo("python3 manage.py VERB\n")
    for name, command in main.commands.items():
        if not command.hidden:
            click.echo(f"  {name:<13} {command.get_short_help_str(100)}")
    click.echo("\n`python3 manage.py VERB --help` says more.")


VERBS = (
    service.fresh,
    service.up,
    service.start,
    service.stop,
    service.restart,
    service.status,
    service.show_logs,
    service.clean,
    develop.build,
    demo.demo,
    data.init_db,
    imports.import_file,
    exports.export_file,
    backups.backup,
    backups.restore,
    transforms.transform,
    webhooks.verb,
    orders.verb,
    keys.verb,
    users.verb,
    graphql.playground,
    develop.test,
    develop.test_verbose,
    develop.test_debug,
    develop.test_faults,
    develop.test_browser,
    develop.test_api,
    linting.lint,
    develop.audit,
    requirements.lock,
    develop.bench,
    develop.shell,
    develop.database,
    develop.routes,
    show_help,
    processes.supervise,
    processes.prepare,
    processes.await_migration,
    processes.worker,
    processes.clock,
    processes.send_webhooks,
    backups.begin_restore,
    backups.finish_restore,
)

for _verb in VERBS:
    main.add_command(_verb)


if __name__ == "__main__":
    main(prog_name="manage.py")
