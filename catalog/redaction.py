"""The last line of defence: what looks like a secret is masked in every line that is logged.

The first line is not to log them. This one is for what other people's messages carry: a driver's error with a URL, a
server's complaint about a header. Pure. RE2, since what is logged may be as long and as odd as a stranger likes.
"""

import re2

MASK = "********"

_NAMES = r"(?:pass(?:word|wd|phrase)?|pwd|secret(?:[_-]key)?|token|api[_-]?keys?|encryption[_-]keys?|credentials?)"
_HEADERS = r"(?:(?:proxy-)?authorization|cookie|set-cookie|x-api-key)"
_QUOTE = r"""(?:\\?["'])?"""
_PATTERNS = (
    # postgresql://user:password@host: up to the last @ of the word, since passwords hold @ and / as they are
    (r"(://[^\s:/@\"']*):[^\s\"\\]*@", rf"\1:{MASK}@"),
    (r"\b(cat_[a-z]{2,10}_)[\w-]+", rf"\1{MASK}"),
    (r"\b(whsec_)[\w+/=-]+", rf"\1{MASK}"),
    (rf"\b({_HEADERS}{_QUOTE}\s*[:=,]\s*{_QUOTE})[^\"'\\\r\n]+", rf"\1{MASK}"),
    (r"\b((?:bearer|basic)\s+)[\w.~+/=-]{6,}", rf"\1{MASK}"),
    # password=…, "secret": "…", token: …; in JSON, in a URL's query, in libpq's own form
    (rf"({_NAMES}{_QUOTE}\s*[=:]\s*{_QUOTE})[^\s\"'\\,;&(){{}}]+", rf"\1{MASK}"),
)
_COMPILED = tuple((re2.compile(f"(?i){pattern}"), mask) for pattern, mask in _PATTERNS)


def redacted(text: str) -> str:
    """Return a text with API keys, webhook secrets, credentials of headers and URLs, and passwords masked."""
    text = text if text.isascii() else text.encode("utf-8", "replace").decode()  # RE2 takes no half characters
    for pattern, mask in _COMPILED:
        text = pattern.sub(mask, text)
    return text


def without(text: str, secrets: tuple[str, ...]) -> str:
    """Return a text without these very secrets, also where the text was cut off within one."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    for secret in secrets:
        text = _without_beginning(text, secret)
    return text


def _without_beginning(text: str, secret: str) -> str:
    start = text.find(secret[:4], max(0, len(text) - len(secret) + 1))
    while start >= 0:
        if secret.startswith(text[start:]):
            return text[:start] + MASK
        start = text.find(secret[:4], start + 1)
    return text
