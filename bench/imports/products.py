"""Makes the product file: every row valid, every SKU unique, the same bytes for the same number of rows."""

import csv
import random
from pathlib import Path

HEADER = (
    "sku",
    "name",
    "description",
    "active",
    "price",
    "stock_quantity",
    "category",
    "image",
    "rating_rate",
    "rating_count",
)
ADJECTIVES = ("Quiet", "Foldable", "Robust", "Waterproof", "Großer", "Léger", "Wireless", "Compact", "Мягкий", "Oak")
THINGS = ("Kettle", "Backpack", "Lamp", "Keyboard", "Fahrrad", "Théière", "Headphones", "Desk", "手帳", "Monitor")
PHRASES = (
    "made to last",
    "ships in one box",
    "for home and office",
    "easy to clean",
    "with a two year warranty",
    "für drinnen und draußen",
    "très pratique",
    "軽くて丈夫",
    "spare parts available",
    "tested by hand",
    "no tools needed",
    "fits every desk",
)
CATEGORIES = ("Kitchen", "Lighting", "Audio", "Home, Office", '24" Screens', "Möbel", "Travel")
BOOLEANS = ("true", "false", "1", "0", "yes", "no")


def write(path: Path, rows: int) -> None:
    """Write `rows` products and a header line as UTF-8 CSV."""
    random_source = random.Random(20)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(_product(number, random_source) for number in range(1, rows + 1))


def _product(number: int, source: random.Random) -> tuple[object, ...]:
    name = f"{source.choice(ADJECTIVES)} {source.choice(THINGS)} {source.randrange(1000)}"
    return (
        f"P-{number:07d}-{source.randrange(4096):03x}",
        name,
        _description(number, source),
        source.choice(BOOLEANS),
        f"{source.randrange(99, 250_000) / 100:.2f}",
        source.randrange(600),
        source.choice(CATEGORIES),
        f"https://images.example.org/products/{number}.webp",
        f"{source.randrange(51) / 10:.1f}",
        source.randrange(4000),
    )


def _description(number: int, source: random.Random) -> str:
    text = ", ".join(source.choices(PHRASES, k=source.randint(2, 6)))
    return f'The "number {number}":\n{text}' if number % 40 == 0 else text
