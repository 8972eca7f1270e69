"""Workbooks that are wrong in every way: each seed makes another one, of bytes, of zip structures or of parts."""

import io
import random
import struct
import warnings
import zipfile
from collections.abc import Callable

from tests.imports.workbooks import packed, parts, row, strings, styles

SOUND = parts(
    row("sku", "name", "price"),
    row("A", '<c t="s"><v>0</v></c>', '<c s="1"><v>5</v></c>'),
    row("B", '<c t="s"><v>1</v></c>', '<c t="e"><v>#N/A</v></c>'),
    sst=strings("Lamp", "<r><t>De</t></r><r><t>sk</t></r>"),
    style=styles("00000", 14),
)
Parts = dict[str, str | bytes]

# What parsers of XML, zip files and numbers stumble over.
NASTY = (
    *(
        "<",
        ">",
        "&",
        "&#0;",
        "&#xD800;",
        "&lol;",
        "]]>",
        "<![CDATA[",
        "<!--",
        "<?x",
        "\0",
        "\ufffe",
        "'",
        '"',
        "=",
        "/>",
    ),
    *("<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]>", "<!DOCTYPE x SYSTEM 'file:///etc/passwd'>"),
    *("1e999", "-1", "99999999999999999999", "NaN", "\u0661", "1_0", "", " ", "_xD800_", "_x0000_", "A" * 5_000),
    *("<row>", "</row>", "<c>", "</c>", "<v>", "</v>", "<is>", "<si>", "</sheetData>", "<sheetData>", "<r>", "<rPh>"),
    *('encoding="utf-7"', 'encoding="idna"', 'encoding="x"', 'encoding="utf-16"', 'encoding="cp037"', 'xmlns:r="y"'),
    *('r="XFE1"', 'r="A0"', 'r="1048577"', 'r=""', 't="?"', 's="-1"', 's="99999999"', 'r:id="rId9"', 'date1904="x"'),
    *("<a>" * 300, "<a " + " ".join(f'a{number}=""' for number in range(300)) + "/>", "../" * 50, "xl/nothing.xml"),
)


def broken(seed: int) -> bytes:
    """Return the workbook of a seed, always the same."""
    luck = random.Random(seed)
    return luck.choice((_bytes, _bytes, _zip_fields, _texts, _texts, _texts, _missing, _doubled, _swapped))(luck)


def _bytes(luck: random.Random) -> bytes:
    """Cut off, overwrite or repeat bytes of the archive."""
    whole = packed(SOUND, luck.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED)))
    for _ in range(luck.randint(1, 4)):
        start = luck.randrange(4, len(whole))
        end = min(len(whole), start + luck.randrange(200))
        middle = luck.choice((b"", luck.randbytes(end - start), luck.randbytes(4), whole[start:end] * 2))
        whole = whole[:start] + middle + whole[end:] if luck.random() < 0.7 else whole[: max(start, 30)]
    return whole


def _zip_fields(luck: random.Random) -> bytes:
    """Overwrite fields of the directory, of the headers or of the end: sizes, checksums, methods, flags, offsets."""
    whole = bytearray(packed(SOUND))
    for _ in range(luck.randint(1, 3)):
        mark = luck.choice((b"PK\1\2", b"PK\1\2", b"PK\3\4", b"PK\5\6"))
        places = [place for place in range(len(whole)) if whole[place : place + 4] == mark]
        place = luck.choice(places) + luck.randrange(4, 22 if mark == b"PK\5\6" else 44)
        value = luck.choice((0, 1, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFE, 9, 12, 14, 99, 1 << 31, luck.getrandbits(32)))
        field = struct.pack("<I", value)[: luck.choice((1, 2, 4))]
        whole[place : place + len(field)] = field
    return bytes(whole)


def _texts(luck: random.Random) -> bytes:
    """Put nasty texts into a part."""
    found = dict(SOUND)
    for _ in range(luck.randint(1, 3)):
        name = luck.choice(list(found))
        content = str(found[name])
        start = luck.randrange(len(content) + 1)
        end = start if luck.random() < 0.5 else min(len(content), start + luck.randrange(30))
        found[name] = content[:start] + luck.choice(NASTY) + content[end:]
    return packed({name: str(content).encode("utf-8", "surrogatepass") for name, content in found.items()})


def _missing(luck: random.Random) -> bytes:
    """Leave parts out, empty them, or put noise into them."""
    found: Parts = dict(SOUND)
    for name in luck.sample(list(found), luck.randint(1, 3)):
        replacement = luck.choice((None, b"", b"\0" * 50, luck.randbytes(50), b"<x/>", b"\xff\xfe<\0x\0/\0>\0"))
        found.pop(name)
        if replacement is not None:
            found[name] = replacement
    return packed(found)


def _doubled(luck: random.Random) -> bytes:
    """Pack parts twice, with another content or another spelling."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in SOUND.items():
            file.writestr(name, content)
        name = luck.choice(list(SOUND))
        spelling: Callable[[str], str] = luck.choice(
            (str.upper, str.lower, lambda one: one.replace("/", "\\"), str.title)
        )
        file.writestr(spelling(name) + luck.choice(("", "/", " ")), luck.choice((b"", b"<x/>", SOUND[name])))
    return buffer.getvalue()


def _swapped(luck: random.Random) -> bytes:
    """Let parts change places, or refer to one another in a circle."""
    names = list(SOUND)
    return packed(dict(zip(names, luck.sample(list(SOUND.values()), len(names)), strict=True)))
