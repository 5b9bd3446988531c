"""What an answer without a photo says, in words that help: an expired link, a sign-in page, a page that shows a photo.

Only what is known is said, in sentences of our own: nothing of an answer's text goes into a reason, which tables and
exports show, because it may hold keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

EXPIRED = "the signed link has expired; export the sheet again, and drop it soon after"
_SHARE = "share the photos so that everybody with the link can see them, or export links to the files themselves"

_ASKED_TOO_LATE = re.compile(
    r"has expired|token.{0,20}(?:is |has )?expired|jwt expired|expired_?(?:auth_?)?token|token out of date|"
    r"signature not valid in the specified time frame|link (?:has |is )?expired|url (?:has |is )?expired|"
    r"signature (?:has |is )?expired|expired ?(?:url|link|signature)|requestexpired|urlexpired|"
    r"no longer (?:valid|available)",
    re.IGNORECASE,
)
_CODES = {
    "signaturedoesnotmatch": "the link's signature does not fit: it was changed or cut off on its way into the sheet",
    "invalidsignature": "the link's signature does not fit: it was changed or cut off on its way into the sheet",
    "authorizationqueryparameterserror": "the link's signature is not complete: it was changed or cut off on its way"
    " into the sheet",
    "missingkey": "the link is not complete: its signature is missing",
    "nosuchkey": "the store has no file of that name",
    "blobnotfound": "the store has no file of that name",
    "nosuchbucket": "the store has no such bucket",
    "containernotfound": "the store has no such container",
    "publicaccessnotpermitted": "the store gives its files to signed links only; export the sheet with such links",
    "noauthenticationinformation": "the store gives its files to signed links only; export the sheet with such links",
    "requesttimetooskewed": "the clock of this machine or of the store is wrong",
}
_CODE = re.compile(r"<Code>\s*([\w.]{1,60})\s*</Code>|\"(?:code|error)\"\s*:\s*\"([\w.]{1,60})\"", re.IGNORECASE)
_LAPSED_STATUSES = frozenset({400, 401, 403, 404, 410})

_SIGN_IN_HOSTS = re.compile(
    r"(?:accounts\.google\.com|login\.microsoftonline\.(?:com|us|de)|login\.live\.com|login\.windows\.net|"
    r"appleid\.apple\.com|idmsa\.apple\.com|account\.box\.com|login\.yahoo\.com|login\.salesforce\.com|"
    r".*\.(?:okta|oktapreview|onelogin|auth0|b2clogin|duosecurity)\.com|(?:login|signin|sso|idp|adfs|auth)\..+)",
    re.IGNORECASE,
)
_SIGN_IN_PATH = re.compile(
    r"/(?:log-?in|sign-?in|log_in|sign_in|logon|sso|adfs|saml2?|oauth2?|wp-login\.php|account/login|_layouts/15/"
    r"authenticate\.aspx|_forms/default\.aspx|users/sign_in)(?:[/.?]|$)",
    re.IGNORECASE,
)
_PASSWORD_FIELD = re.compile(r"<input[^>]{0,300}type\s*=\s*[\"']?password", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>([^<]{0,300})|<h1[^>]*>([^<]{0,300})", re.IGNORECASE)
_SIGN_IN_TITLE = re.compile(
    r"\b(?:sign[ -]?in|log[ -]?in|logon|anmelden|anmeldung|einloggen|se connecter|connexion|iniciar sesi[oó]n|"
    r"acceder|accedi|entrar|inloggen|logga in|zaloguj|giri[sş])\b|войти|вход|登录|登入|ログイン|"
    r"로그인|लॉग इन|تسجيل الدخول",
    re.IGNORECASE,
)
_NOT_THERE_TITLE = re.compile(
    r"\b404\b|\bnot found\b|no longer (?:available|exists)|does(?: not|n[’']t) exist|nicht gefunden|introuvable|"
    r"no encontrad[oa]|non trovat[oa]|n[ãa]o encontrad[oa]|niet gevonden|nie znalezion|bulunamad|hittades inte|"
    r"не найден|找不到|不存在|見つかりません|찾을 수 없|नहीं मिला",
    re.IGNORECASE,
)
_KEPT_OUT_TITLE = re.compile(
    r"just a moment|attention required|access denied|are you (?:a )?(?:human|robot)|captcha|verify you are human|"
    r"security check|ddos|bot verification|request rejected|pardon our interruption",
    re.IGNORECASE,
)
_ERROR_TITLE = re.compile(
    r"\b(?:50[0-4]|error|exception|unavailable|maintenance|fehler|erreur)\b|ошибка|エラー", re.IGNORECASE
)


def _path_has(pattern: str) -> Callable[[str, str], bool]:
    found = re.compile(pattern, re.IGNORECASE)
    return lambda target, _: found.search(target) is not None


_PAGES: tuple[tuple[str, Callable[[str, str], bool], str], ...] = (
    (r"(?:drive|docs)\.(?:google|usercontent\.google)\.com|drive\.usercontent\.google\.com",
     lambda _, body: "virus scan warning" in body or "scan this file for viruses" in body,
     "Google Drive asks whether to download it although it was not checked for viruses; that it asks of large files"),
    (r"(?:drive|docs)\.google\.com|drive\.usercontent\.google\.com",
     lambda _, body: "quota exceeded" in body or "too many users have viewed" in body,
     "Google Drive does not give the file out any more today, because it was asked for too often"),
    (r"drive\.google\.com", _path_has(r"/drive/(?:u/\d+/)?folders/|/folderview"),
     "a folder of Google Drive, not a photo"),
    (r"(?:drive|docs)\.google\.com|drive\.usercontent\.google\.com", _path_has(""),
     "a page of Google Drive around the photo; the photo itself is at"
     " https://drive.google.com/uc?export=download&id=ID, with the ID of the page's address"),
    (r"photos\.(?:google\.com|app\.goo\.gl)", _path_has(""), f"a page of Google Photos; {_SHARE}"),
    (r"(?:www\.)?google\.[a-z.]+", _path_has("^/maps"), "a map"),
    (r"maps\.google\.[a-z.]+|maps\.app\.goo\.gl|(?:www\.)?openstreetmap\.org|maps\.apple\.com|(?:www\.)?bing\.com",
     _path_has(""), "a map or a search page"),
    (r"(?:www\.)?dropbox\.com", _path_has(""),
     "a page of Dropbox around the photo; with dl=1 instead of dl=0 at its end the link leads to the photo itself"),
    (r"1drv\.ms|onedrive\.live\.com|.*-my\.sharepoint\.com", _path_has(""),
     f"a page of OneDrive around the photo, not the photo itself; {_SHARE}"),
    (r".*\.sharepoint\.(?:com|cn|us)", _path_has(""),
     f"a page of SharePoint around the photo, not the photo itself; {_SHARE}"),
    (r"(?:.*\.)?app\.box\.com|(?:.*\.)?box\.com", _path_has(""),
     f"a page of Box around the photo, not the photo itself; {_SHARE}"),
    (r"(?:www\.)?icloud\.com|share\.icloud\.com", _path_has(""), f"a page of iCloud; {_SHARE}"),
    (r"(?:www\.)?wetransfer\.com|we\.tl", _path_has(""), "a page of WeTransfer; download the photos, and store them"
     " where links lead to them"),
    (r"(?:www\.)?(?:imgur|flickr|facebook|instagram|pinterest)\.com|imgbb\.com|ibb\.co|prnt\.sc", _path_has(""),
     "a page around a picture; take the address of the picture itself"),
    (r"airtable\.com", _path_has(""), "a page of Airtable; export the table again, the links of its attachments"
     " are good for some hours"),
)  # fmt: skip
_PAGES_BY_HOST = [(re.compile(host, re.IGNORECASE), when, words) for host, when, words in _PAGES]


def words_about_refusal(status: int, url: str, body: bytes, now: datetime | None = None) -> str | None:
    """Return what a server means that answers with an error; None if that cannot be told.

    Args:
        status: its HTTP status.
        url: the URL that was answered; its signature may say until when it was good.
        body: the first bytes of the answer.
        now: the time; now, unless a test says otherwise.
    """
    if status not in _LAPSED_STATUSES and status != 409:
        return None
    text = body.decode("utf-8", "replace")
    code = next((a or b for a, b in _CODE.findall(text)), "").rpartition(".")[2].lower()
    if _ASKED_TOO_LATE.search(_without_tags(text)) or code in {"expiredtoken", "accesstokenexpired"}:
        return EXPIRED
    if code in _CODES:
        return _CODES[code]
    end = good_until(url)
    if end is not None and end < (now or datetime.now(UTC)):
        return (
            f"the signed link was good until {end:%Y-%m-%d %H:%M} UTC; export the sheet again, and drop it soon after"
        )
    return None


def words_about_page(url: str, body: bytes) -> str | None:
    """Return what an answer of text is that came with status 200 instead of a photo; None if that cannot be told.

    Args:
        url: the URL that gave it, after all redirects.
        body: its first bytes.
    """
    text = body.decode("utf-8", "replace")
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith(("{", "[")):
        return _words_about_json(start)
    if not _is_page(start):
        code = next((a or b for a, b in _CODE.findall(text)), "").lower()
        if start.startswith("<?xml") or start.startswith("<Error"):
            if _ASKED_TOO_LATE.search(_without_tags(text)) or code == "expiredtoken":
                return f"This is an error message, not a photo: {EXPIRED}."
            return f"This is an error message, not a photo: {_CODES[code]}." if code in _CODES else None
        return None
    host, target, low = _place(url)
    page = "This is a web page, not a photo"
    if _is_sign_in(host, target, text):
        return f"{page}: {host} asks to sign in; {_SHARE}."
    for known, when, words in _PAGES_BY_HOST:
        if known.fullmatch(host) and when(low, text.lower()):
            return f"{page}: {words}."
    titles = " ".join(unescape(a or b) for a, b in _TITLE.findall(text)[:4]) or _without_tags(text)[:200]
    if _NOT_THERE_TITLE.search(titles):
        return f"{page}: it says that there is nothing at this address any more."
    if _KEPT_OUT_TITLE.search(titles):
        return f"{page}: {host} keeps programs out, or asks whether a person is there."
    if _ASKED_TOO_LATE.search(titles):
        return f"{page}: it says that the link has expired; export the sheet again, and drop it soon after."
    if _ERROR_TITLE.search(titles):
        return f"{page}: it tells of an error of {host}."
    return None


def asks_to_sign_in(url: str, body: bytes) -> bool:
    """Return whether an answer is a page that asks to sign in: what is behind it cannot be told."""
    text = body.decode("utf-8", "replace")
    host, target, _ = _place(url)
    return _is_page(text.lstrip("\ufeff \t\r\n")) and _is_sign_in(host, target, text)


def good_until(url: str) -> datetime | None:
    """Return until when a signed URL is good, by its own words; None where it does not say.

    Read are the signatures of S3 and what is like it, Google Cloud Storage, Azure, CloudFront, Alibaba and Discord.
    """
    try:
        query = {name.lower(): values[-1] for name, values in parse_qs(urlsplit(url).query, max_num_fields=200).items()}
    except ValueError:
        return None
    for prefix in ("x-amz", "x-goog", "x-oss", "x-obs", "x-tos"):
        begun, lasts = query.get(f"{prefix}-date", ""), query.get(f"{prefix}-expires", "")
        if re.fullmatch(r"\d{8}T\d{6}Z", begun) and re.fullmatch(r"\d{1,8}", lasts):
            try:
                return datetime.strptime(begun, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) + timedelta(seconds=int(lasts))
            except (ValueError, OverflowError):
                return None
    signed = {"signature", "sig", "hm", "key-pair-id", "ossaccesskeyid", "googleaccessid", "awsaccesskeyid", "token"}
    if not signed & set(query):
        return None
    moment, seconds, in_hex = query.get("se", ""), query.get("expires", ""), query.get("ex", "")
    try:
        if moment:
            end = datetime.fromisoformat(moment)
            return end if end.tzinfo else end.replace(tzinfo=UTC)
        if re.fullmatch(r"\d{10}", seconds):
            return datetime.fromtimestamp(int(seconds), UTC)
        if re.fullmatch(r"[0-9a-f]{8}", in_hex):
            return datetime.fromtimestamp(int(in_hex, 16), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _words_about_json(text: str) -> str | None:
    if '"serverRelativeUrl"' in text or ('"serverUrl"' in text and '"fileName"' in text):
        return (
            "This is SharePoint's description of a picture, not the picture: its address is serverUrl followed by"
            " serverRelativeUrl."
        )
    if _ASKED_TOO_LATE.search(text):
        return f"This is an error message, not a photo: {EXPIRED}."
    if re.match(r"[{\[]\s*\"(?:error|errors|code|message|status|statusCode|detail|success)\"", text, re.IGNORECASE):
        return "This is an error message of the server (JSON), not a photo."
    return None


def _is_sign_in(host: str, target: str, text: str) -> bool:
    if _SIGN_IN_HOSTS.fullmatch(host) or _SIGN_IN_PATH.search(target) or _PASSWORD_FIELD.search(text):
        return True
    titles = " ".join(unescape(a or b) for a, b in _TITLE.findall(text)[:2])
    return _SIGN_IN_TITLE.search(titles) is not None or "please log in" in text[:2_000].lower()


def _is_page(start: str) -> bool:
    head = start[:4_000].lower()
    return head.startswith(("<!doctype html", "<html", "<head", "<body", "<!--", "<script", "<meta", "<title")) or (
        head.startswith(("<?xml", "<")) and "<html" in head
    )


def _place(url: str) -> tuple[str, str, str]:
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}"
    return (parts.hostname or "").lower(), target, target.lower()


def _without_tags(text: str) -> str:
    return unescape(re.sub(r"<[^<>]{0,500}>", " ", text))
