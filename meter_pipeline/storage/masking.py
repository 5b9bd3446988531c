"""URLs for messages, logs, previews and Dagster's history: passwords, tokens and signatures in them are masked.

Tables and exports keep a URL as it came, because photos are fetched and found again by it. Everything else that names a
URL, or repeats a text that may hold one (an error of a library, a cell that was refused), goes through `mask_urls`.

What is kept is what tells URLs apart for people: scheme, host, path, the names of the query's parameters, and values
that look like no secret. Masked are user and password, fragments, values of parameters by their name (token, sig, key,
X-Amz-*, ...) or by their look (long and random); in paths, JSON web tokens, keys of bots, signatures of image servers
and what follows a step called token or the like. In doubt more is masked: who needs the URL finds it in the export.

A step of a path that only its owner knows (as in share links) is the file's address and stays.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

MASK = "***"
SHOWN_LENGTH = 200
"""Characters of a URL without its query that messages show at most."""
MOST_DECODED = 4
"""Times that a value may be percent-encoded; what is encoded more often is masked without another look."""
RANDOM_FROM = 20
"""Characters from which on letters mixed with digits count as a secret."""

_SECRET_NAMES = re.compile(
    r"token|^sig|sign(?:ature|ed)?$|signature|secret|passw|pass(?:phrase|code|key)?$|pwd|pswd|key$|key[-_]?(?:pair)?"
    r"[-_]?id$|accesskey|access[-_]?id$|auth|credential|^creds?$|session|^sess|^s?sid$|jwt|hmac|md5|digest|otp$|^pin$|"
    r"ticket|nonce|assertion|saml|policy|cookie|csrf|xsrf|bearer|hdn(?:ts|ea)|"
    r"^x-(?:amz|goog|oss|obs|tos|cos|ms|bce|qs)-|^q-(?:ak|sign|signature|key-time|sign-time)|"
    r"^(?:user(?:name)?|usr|login|e?-?mail|phone)$",
    re.IGNORECASE,
)
"""Names of parameters whose value is masked; the last line are people rather than keys."""
_SHORT_NAMES = frozenset(
    {"se", "sp", "st", "sv", "sr", "ske", "skt", "sks", "skv", "skoid", "sktid", "spr", "sip"}  # Azure's signatures
    | {"hm", "ex", "is", "oh", "oe", "hash", "h", "hs", "k", "t", "s", "code", "state", "pw", "p", "e", "vt"}
)
"""Names that stand for a secret in one place and for a height or a page in another: small numbers are kept."""
_SMALL_NUMBER = re.compile(r"\d{1,4}")
_SCHEME = re.compile(
    r"[a-z][a-z0-9+.\-]{0,30}[:\uff1a][/\\\uff0f\uff3c]+|(?<![^\s\"'(<\[{,])[/\\]{2}(?=[^/\\\s])", re.IGNORECASE
)
_RUN = re.compile(r"\S*")
_QUOTE = re.compile(r"(?<!=)(?:[<>]|\"(?!\w))|(?<==)[\"<>](?![\w<+/%~\-])")
"""Ends a URL; not where it goes on behind it, as in a value that was pasted with quotes."""
_TRAILING = "'\").,;>]}\u201d\u2019"
_PASSWORD_WITH_BLANKS = re.compile(r"[^@/?#\n]{0,100}@[\w.\-]+\S*")
_AFTER_AUTHORITY = re.compile(r"[/?#\\\uff0f\uff3c]")
_HOST = re.compile(r"(?:[^:@]*|\[[0-9a-f:.%]*\])(?::\d{0,5})?", re.IGNORECASE)
_ENCODED_AT = re.compile(r"%(?:25){0,4}40", re.IGNORECASE)
_USER_WITHOUT_SCHEME = re.compile(r"(?<![\w@/:.\-])[^\s/@:?#'\"<>]{1,100}:[^\s@'\"<>]{1,300}@(?=[\w\[])")
_USER = re.compile(r"//[^/\s@]{0,300}@")
_PARTING = re.compile(r"[&;]")
_PAIR = re.compile(
    r"(?P<before>[?&;#]|(?<![^\s\"'({\[,]))(?P<name>[A-Za-z_][\w.\-\[\]%]{0,60})="
    r"(?P<quote>[\"'<]?)(?P<value>[^\s&;#\"'<>]+(?:[\"'](?=\w)[^\s&;#\"'<>]+)*)"
)
_HEADER = re.compile(r"\b(bearer|basic|authorization:\s*\w+|(?:set-)?cookie:)\s+\S+", re.IGNORECASE)
_WEB_TOKEN = re.compile(r"\beyJ[\w\-]{6,}(?:\.[\w\-]*){1,4}")
_BOT_KEY = re.compile(r"(?<=/bot)\d{6,}:[\w\-]{20,}")
_SIGNED_STEP = re.compile(r"(?<=/)(?:s--[\w\-]{6,}--|[\w\-]{27}=|[\w\-]{43}=?)(?=/)")
"""Signatures of Cloudinary, thumbor (SHA-1 in base64) and imgproxy (SHA-256)."""
_NAMED = r"(?<=/)((?:access[_-]?)?token|sig|signature|secret|api[_-]?key|auth|jwt|session|password)(\\?/|=|:|%3d)"
_NAMED_STEP = re.compile(rf"{_NAMED}([^/?#;]+)", re.IGNORECASE)
_LOOSE_STEP = re.compile(rf"{_NAMED}(?=[^/\s]*\d)([^/?#;\s\"'<>]+)", re.IGNORECASE)
_ENCODED_QUERY = re.compile(r"%(?:25){0,4}(?:3f|23|26|3b)", re.IGNORECASE)
_ENCODED = re.compile(r"%[0-9a-f]{2}", re.IGNORECASE)
_RANDOM = re.compile(r"[A-Za-z0-9+/=_~.\-]+")
_FILE = re.compile(r"[^/]*\.(?:jpe?g|png|webp|gif|bmp|tiff?|heic|avif|pdf)", re.IGNORECASE)
_ESCAPED = re.compile(r"\\{1,8}(?:u00|x)(23|25|26|2b|2f|3a|3b|3d|3f|40)", re.IGNORECASE)
"""Signs of a URL as JSON or a program's text may spell them."""
_PATH_PAIR = re.compile(r"&(?P<name>[^&;=/?#]{1,60})=(?P<value>[^&;]+)")
"""A pair of a query whose `?` was lost."""
_REQUEST = re.compile(r"(?P<before>\b(?:url:? |GET |HEAD |POST |PUT |PATCH |DELETE ))(?P<path>/[^\s\"'<>]+)")
"""How libraries quote the path that they asked for."""
_SIGNS = ("/", "@", "=", ":\\", "\uff1a", "eyJ")


def mask_urls(text: str) -> str:
    """Return a text with the secrets of all URLs in it masked; a text without any comes back as it is.

    Pairs `name=value`, headers that carry a key, and paths that do count also where no URL is around them, because
    libraries quote parts of URLs.
    """
    if (plain := _ESCAPED.sub(lambda sign: chr(int(sign[1], 16)), text)) != text:
        masked = mask_urls(plain)
        return text if masked == plain else masked
    if not any(sign in text for sign in _SIGNS) and _HEADER.search(text) is None:
        return text
    parts: list[str] = []
    place = 0
    while (scheme := _SCHEME.search(text, place)) is not None:
        parts.append(_masked_between(text[place : scheme.start()]))
        end = _end_of_url(text, scheme.end())
        parts.append(_masked_one(text[scheme.start() : end], scheme.end() - scheme.start()))
        place = end
    parts.append(_masked_between(text[place:]))
    return _WEB_TOKEN.sub(MASK, "".join(parts))


def forms_in_messages(text: str) -> tuple[str, ...]:
    """Return a text as messages and logs may hold it: as it is, masked, and, of a URL, without its query."""
    masked = mask_urls(text)
    place = masked.partition("?")[0].partition("#")[0] if "://" in masked else masked
    return tuple(dict.fromkeys((text, masked, place, place[:SHOWN_LENGTH] if "://" in place else place)))


def _end_of_url(text: str, start: int) -> int:
    """Return where a URL in a text ends: at a blank, a quote or another URL, without the sentence's signs behind it."""
    found = _RUN.match(text, start)
    end = found.end() if found else start
    inner = _SCHEME.search(text, start, end)
    end = inner.start() if inner else end
    quote = _QUOTE.search(text, max(start, text.rfind("@", start, end) + 1), end)
    end = quote.start() if quote else end
    authority = text[start:end]
    if ":" in authority and not _AFTER_AUTHORITY.search(authority) and "@" not in authority:
        typed = _PASSWORD_WITH_BLANKS.match(text, end)
        if typed and not _HOST.fullmatch(authority):
            return typed.end()
    while end > start and text[end - 1] in _TRAILING:
        end -= 1
    return end


def _masked_one(url: str, start: int) -> str:
    """Mask one URL whose authority begins at `start`."""
    host = _end_of_user(url, start)
    rest, hash_mark, fragment = url[host:].partition("#")
    path, question, query = rest.partition("?")
    user = f"{MASK}@" if host > start else ""
    return (
        f"{url[:start]}{user}{_masked_path(path)}{question}{_masked_query(query)}{hash_mark}{MASK if fragment else ''}"
    )


def _end_of_user(url: str, start: int) -> int:
    """Return where the host begins: behind the last @.

    Passwords hold `/`, `?`, `#` and `@` where people forgot to encode them, so that the authority seems to end before
    the @: it has then no port that is a number. Where somebody's name and password are, every further @ may be theirs.
    """
    sign = _AFTER_AUTHORITY.search(url, start)
    end = sign.start() if sign else len(url)
    if "@" in url[start:end] or ("@" in url[end:] and not _HOST.fullmatch(url[start:end])):
        return url.rfind("@") + 1
    encoded = list(_ENCODED_AT.finditer(url, start, end))
    return encoded[-1].end() if encoded else start


def _masked_path(path: str) -> str:
    encoded = _ENCODED_QUERY.search(path)
    if encoded is not None:  # a query that was percent-encoded as a whole, once or several times
        rest = path[encoded.end() :]
        plain = _decoded(rest)
        path = path[: encoded.end()] + (MASK if _masked_query(plain) != plain else rest)
    if ";" in path:
        steps, *parameters = path.split(";")
        path = ";".join([steps, *(_masked_parameter(parameter) for parameter in parameters)])
    if "&" in path:
        path = _PATH_PAIR.sub(lambda pair: f"&{_masked_pair(pair[0][1:])}", path)
    path = _SIGNED_STEP.sub(MASK, _BOT_KEY.sub(MASK, path))
    return _NAMED_STEP.sub(_masked_step, path)


def _masked_step(step: re.Match[str]) -> str:
    return step[0] if _FILE.fullmatch(step[3]) else f"{step[1]}{step[2]}{MASK}"


def _masked_parameter(parameter: str) -> str:
    """Mask a parameter of a path, up to the path's next step."""
    pair, slash, rest = parameter.partition("/") if "=" in parameter else ("", "", parameter)
    return _masked_pair(pair) + slash + rest


def _masked_query(query: str) -> str:
    marks = [*_PARTING.findall(query), ""]
    return "".join(_masked_pair(pair) + mark for pair, mark in zip(_PARTING.split(query), marks, strict=True))


def _masked_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals:  # a query may be one key alone, or a pair that was percent-encoded as a whole
        plain = _decoded(pair)
        return MASK if _looks_random(plain) or ("=" in plain and _masked_query(plain) != plain) else pair
    return f"{name}={MASK}" if value and _is_secret(name, value) else pair


def _is_secret(name: str, value: str) -> bool:
    name = _decoded(name).removeprefix("amp;").strip("?[] ").rpartition("[")[2].lower()
    if _SECRET_NAMES.search(name):
        return True
    if name in _SHORT_NAMES and not _SMALL_NUMBER.fullmatch(value):
        return True
    plain = _decoded(value)
    if _looks_random(plain) or ("%25" in value and _ENCODED.search(plain)):
        return True
    return _holds_a_url_with_secrets(plain)


def _holds_a_url_with_secrets(plain: str) -> bool:
    """Return whether a value is, or has in it, a URL that itself has something to mask."""
    if "//" in plain and ("#" in plain or _USER.search(plain)):
        return True
    pairs = _PAIR.finditer(plain) if "=" in plain else ()
    named = any(_SECRET_NAMES.search(pair["name"]) or _looks_random(pair["value"]) for pair in pairs)
    return named or _WEB_TOKEN.search(plain) is not None


def _looks_random(text: str) -> bool:
    """Return whether a text is long and mixes letters and digits as keys do; names of photos do not count."""
    if len(text) < RANDOM_FROM or _RANDOM.fullmatch(text) is None or _FILE.fullmatch(text):
        return False
    return any(sign.isdigit() for sign in text) and any(sign.isalpha() for sign in text)


def _decoded(text: str) -> str:
    """Return a text without its percent-encoding, however often it was encoded."""
    for _ in range(MOST_DECODED):
        if "%" not in text or (plain := unquote(text)) == text:
            break
        text = plain
    return text


def _masked_between(text: str) -> str:
    """Mask what stands around URLs: headers, addresses whose scheme is missing, and pairs."""
    text = _HEADER.sub(lambda header: f"{header[1]} {MASK}", text)
    if "@" in text:
        text = _USER_WITHOUT_SCHEME.sub(f"{MASK}@", text)
    if "/" in text:  # paths of files on this machine too: there only what looks like a key
        text = _REQUEST.sub(lambda request: request["before"] + _masked_one(request["path"], 0), text)
        text = _LOOSE_STEP.sub(_masked_step, _BOT_KEY.sub(MASK, text))
    return _PAIR.sub(_masked_loose_pair, text) if "=" in text else text


def _masked_loose_pair(pair: re.Match[str]) -> str:
    in_query = pair["before"] in tuple("?&;#")
    secret = _is_secret(pair["name"], pair["value"]) if in_query else _SECRET_NAMES.search(pair["name"])
    return f"{pair['before']}{pair['name']}={pair['quote']}{MASK}" if secret else pair[0]
