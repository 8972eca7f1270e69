"""The verb that applies a transform, or lists them."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from catalog.transforms.registry import Transform


@click.command("transform", context_settings={"ignore_unknown_options": True})
@click.option("--list", "listed", is_flag=True, help="List all transforms instead.")
@click.argument("name", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def transform(listed: bool, name: str | None, arguments: tuple[str, ...]) -> None:
    """Apply a transform: transform add 5 7; --list shows them all."""
    from catalog.errors import CatalogError
    from catalog.transforms import service

    if listed:
        return _show(service.listing())
    if name is None:
        raise click.UsageError("Name a transform; `transform --list` shows them.")
    try:
        click.echo(service.text_of(service.call(name, list(arguments))))
    except CatalogError as error:
        said = "; ".join(f"{problem['field']}: {problem['message']}" for problem in error.errors)
        raise click.ClickException(said or error.detail) from error
    return None


def _show(transforms: "list[Transform]") -> None:
    width = max(len(each.signature) for each in transforms)
    for each in transforms:
        click.echo(f"{each.signature:<{width}}  {each.summary}")
