"""Choosing, joining and taking apart."""

from catalog.transforms import register


@register(takes_empty=True)
def default_if_empty(text: str, default: str) -> str:
    """Return the default where the text is empty or only space."""
    return text if text.strip() else default


@register(takes_empty=True)
def concat(text: str, *others: str) -> str:
    """Write texts one after the other."""
    return "".join((text, *others))


@register()
def split_take(text: str, separator: str, position: int = 1) -> str:
    """Split and take one part: 1 is the first, -1 the last; nothing where there is no such part."""
    if not separator or not position:
        raise ValueError("`separator` must not be empty, `position` not 0.")
    parts = text.split(separator)
    place = position - 1 if position > 0 else len(parts) + position
    return parts[place].strip() if 0 <= place < len(parts) else ""


@register(takes_empty=True)
def map_values(text: str, table: dict[str, str], default: str | None = None) -> str:
    """Replace a text by its entry in a table, or by the default; without one, an unknown text is an error."""
    found = table.get(text.strip(), default)
    if found is None:
        raise ValueError(f"There is no entry for {text.strip()[:50]!r}.")
    return found
