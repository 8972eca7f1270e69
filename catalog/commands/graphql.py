"""The verb for GraphQL."""

import click

from catalog import config
from catalog.stack.project import Project


@click.command("graphql")
@click.option("--export", is_flag=True, help="Write docs/schema.graphql instead.")
def playground(export: bool) -> None:
    """Open GraphiQL, a page for trying out GraphQL, in the browser."""
    if export:
        from catalog.graphql_api.schema import schema

        (config.ROOT / "docs" / "schema.graphql").write_text(schema.as_str() + "\n")
        return
    address = f"{Project().url}/graphql"
    click.echo(address)
    click.launch(address)
