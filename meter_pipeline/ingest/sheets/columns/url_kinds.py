"""What a URL most likely leads to, by its host, path, file name and query alone: a photo, a map, a file, a page."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

LONGEST_WORD = 200
"""Characters of a folder's or file's name that is judged; what is longer is a key or a signature, not a word."""
LONGEST_PLACE = 500
"""Characters of host and path that tell a map or a form by the service that it comes from."""
SMALL_PIXELS = 320
"""A width or height asked for in a URL, up to which the picture is a thumbnail: no meter can be read on it."""


class UrlKind(StrEnum):
    """Kinds of URLs; the value says in words what a column of them holds."""

    PHOTO = "photos"
    LIKELY_PHOTO = "photos, by their path"
    SHARED = "pages that show a shared file"
    UNKNOWN = "URLs that say nothing of what is behind them"
    THUMBNAIL = "small versions of pictures"
    SIGNATURE = "signatures"
    CODE = "QR codes or barcodes"
    PORTRAIT = "logos or pictures of people"
    MAP = "links to maps"
    FILE = "files that are no photos"
    RECORD = "pages of records or forms"
    SITE = "home pages of web sites"


PICTURES = frozenset({UrlKind.PHOTO, UrlKind.LIKELY_PHOTO})


class SeenUrl(NamedTuple):
    """A URL's kind, and the file extension or service that it was known by (may be empty)."""

    kind: UrlKind
    detail: str = ""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PHOTO_EXTENSIONS = _words(
    "jpg jpeg jpe jfif pjpeg png webp heic heics heif heifs hif avif tif tiff bmp gif jxl jp2 j2k dng"
)
_OTHER_EXTENSIONS = _words(
    "csv tsv json jsonl xml txt log md rtf pdf ps doc docx docm odt xls xlsx xlsm xlsb ods ppt pptx odp msg eml ics vcf"
    " mp4 m4v mov avi mkv webm wmv mpg mpeg 3gp 3gpp 3g2 mts mp3 m4a wav ogg oga opus amr aac flac wma caf"
    " zip rar 7z gz tgz tar bz2 xz kml kmz gpx geojson shp dwg dxf svg svgz ico eps ai psd parquet db sqlite apk exe"
    " dmg iso yaml yml"
)
_SHOWN_AS = re.compile(r"\.([a-z0-9]{2,7})\b(?!\.[a-z])")
_FILE_NAME = re.compile(r"[^/\\?&=;:\"']\.([a-z0-9]{2,7})(?:[\"']?(?:;.*)?)$")

_MAP_HOSTS = re.compile(
    r"(?:maps\.google\.[a-z.]+|maps\.app\.goo\.gl|maps\.apple\.com|earth\.google\.com|(?:www\.)?openstreetmap\.\w+"
    r"|(?:www\.)?osm\.org|(?:\w+\.)*tile\.openstreetmap\.org|(?:www\.|ul\.)?waze\.com|(?:www\.)?what3words\.com|w3w\.co"
    r"|(?:share|wego)\.here\.com|2gis\.\w+|(?:\w+\.)?mapy\.\w+|map\.baidu\.com|(?:ditu|www|uri|surl)\.amap\.com"
    r"|map\.qq\.com|map\.naver\.com|naver\.me|map\.kakao\.com|yandex\.\w+\.maps|g\.page|geohack\.toolforge\.org"
    r"|maps\.googleapis\.com|(?:api|a|b)\.(?:tiles\.)?mapbox\.com|(?:www\.)?mapillary\.com|osmand\.net|plus\.codes)(?:[/#]|$)"
)
_MAP_PATHS = re.compile(
    r"(?:google\.[a-z.]+/(?:maps|search/maps)|goo\.gl/maps|bing\.com/maps|yandex\.[a-z.]+/(?:maps|harita)"
    r"|arcgis\.com/(?:home/(?:webmap|webscene)|apps/(?:webappviewer|mapviewer|instant|dashboards))"
    r"|apps/mapviewer|facilmap\.org|umap\.[a-z.]+/)"
)
_COORDINATES = re.compile(r"(?:loc:|@)?[+-]?\d{1,2}(?:\.\d+)?°?\s*[,;+ ]\s*[+-]?\d{1,3}(?:\.\d+)?°?")
_PLACE_KEYS = _words("q query ll sll saddr daddr destination origin center centre loc cp location point pt")
_LATITUDE = re.compile(r"[ml]?lat(?:itude)?")
_LONGITUDE = re.compile(r"[ml]?l(?:on|ng|ong)(?:itude)?")
_MAP_WORDS = _words("map maps mapa mapas karte karten carte webmap mapviewer geo location")
_COORDINATES_IN_PATH = re.compile(r"/@[+-]?\d+\.\d+,[+-]?\d+\.\d+|#map=\d")

_SHARES = {
    "Google Drive": re.compile(r"(?:drive|docs)\.google\.com/(?:.*/)?(?:file/|open|uc|folders|drive/|leaf|thumbnail)"),
    "Google Photos": re.compile(r"(?:photos\.google\.com|photos\.app\.goo\.gl|goo\.gl/photos)"),
    "Dropbox": re.compile(r"(?:www\.)?dropbox\.com/|db\.tt/"),
    "OneDrive": re.compile(r"1drv\.ms/|onedrive\.live\.com/"),
    "SharePoint": re.compile(r"[\w.-]+\.sharepoint\.(?:com|cn|de|us)/"),
    "iCloud": re.compile(r"(?:www\.)?icloud\.com/|share\.icloud\.com/"),
    "Box": re.compile(r"(?:[\w-]+\.)?(?:app\.)?box\.com/(?:s/|file/|v/)"),
    "WeTransfer": re.compile(r"we\.tl/|(?:[\w-]+\.)?wetransfer\.com/"),
    "Yandex Disk": re.compile(r"(?:disk\.yandex\.[a-z.]+|yadi\.sk)/"),
    "Nextcloud": re.compile(r"[^?]*/(?:index\.php/)?s/[a-z0-9]{15}(?:[/?#]|$)"),
    "Fulcrum": re.compile(r"(?:web|app)\.fulcrumapp\.com/(?:photos|shares)"),
}
_RECORD_PAGES = re.compile(
    r"(?:docs\.google\.com/forms/|forms\.gle/|forms\.office\.com/|arcgis\.com/(?:home/item|share/|survey)|survey123\."
    r"|arcgis\.app|lightning\.force\.com/|/lightning/r/|airtable\.com/(?:app|tbl|shr|rec|viw)|fulcrumapp\.com/records"
    r"|(?:typeform|jotform|surveymonkey|formstack|cognitoforms|wufoo)\.com/|enketo|notion\.so/|trello\.com/"
    r"|kobotoolbox\.org/#|docs\.google\.com/(?:spreadsheets|document)/|/#/(?:forms|records|projects)/)"
)
_RECORD_WORDS = _words(
    "submission submissions record records response responses edit viewform formresponse entry entries browse issues"
    " ticket tickets workorder workorders workflow questionnaire survey surveys webform detail details"
)
_PHOTO_WORDS = re.compile(
    r"(?:photo|foto|image|imagen|picture|bild|img|pic|camera|snapshot|jpe?g|png)(?:s|es|en|er)?(?:\d+)?"
    r"|\w*(?:photo|image|picture|foto)\w*"
)
_THUMB_WORDS = re.compile(
    r"(?:\w*[_.-])?(?:thumb|thumbs|thumbnail|thumbnails|tn|preview|previews|vorschau|miniature|miniatures|vignette|small)"
    r"(?:[_.-]?\d{1,3}(?:x\d{1,3})?)?(?:\.\w+)?|.*[_-](?:thumb|thumbnail|tn|small|preview)\.\w+|\.?attachmentthumbnails?"
    r"|(?:thumb|thumbnail|tn|small|preview)[_-].*\.\w+"
)
_SIZE_IN_NAME = re.compile(r"[-_](\d{2,4})x(\d{2,4})\.\w+$")
_SIZE_SEGMENT = re.compile(r"(?:.*,)?[wh]_(\d{2,4})(?:,.*)?|s(\d{2,3})-c|(\d{2,4})x(\d{2,4})|(\d{2,3})px(?:-.*)?")
_SIZE_KEYS = _words("w h width height maxwidth maxheight maxw maxh sz size")
_SIZE_VALUE = re.compile(r"[wh]?(\d{2,4})(?:px)?(?:x(\d{2,4}))?")
_SMALL_VALUES = _words("thumb thumbnail thumbnails small preview xs icon mini")
_SIGNATURE_WORDS = re.compile(r"\w*(?:signature|unterschrift|podpis|assinatura)\w*|sign|sig_\w*")
_CODE_WORDS = re.compile(r"\w*(?:qr_?code|barcode)\w*|qr")
_PORTRAIT_WORDS = re.compile(r"(?:\w*[_-])?(?:logo|logos|avatar|avatars|profile|profiles|favicon|icons?)(?:[_.-].*)?")
_QR_HOSTS = re.compile(r"api\.qrserver\.com|chart\.googleapis\.com|quickchart\.io|qrcode\.\w+")
_PORTRAIT_HOSTS = re.compile(r"(?:\w+\.)?gravatar\.com|ui-avatars\.com|lh\d\.googleusercontent\.com/a[-/]")
_NAME_KEYS = re.compile(r"\w*(?:file|name|path|media|image|photo|src|key|comp_?id|url|img|disposition|download)\w*")


def kind_of_url(url: str, beside: str = "") -> SeenUrl:
    """Return what a URL most likely leads to.

    Args:
        url: cleaned.
        beside: text that stands with it, such as the file's name; asked only where the URL itself says nothing.
    """
    try:
        parts = urlsplit(url.lower())
    except ValueError:
        return SeenUrl(UrlKind.UNKNOWN)
    query = [(key, unquote(value)) for key, _, value in (one.partition("=") for one in parts.query.split("&")) if key]
    segments = [segment for segment in unquote(parts.path).split("/") if segment]
    named = [segment for segment in segments if len(segment) <= LONGEST_WORD]
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    # Without the port: it says nothing of what is there.
    whole = f"{parts.netloc.partition(':')[0]}{unquote(parts.path)}{fragment}"[:LONGEST_PLACE]
    extension = _extension(segments, query)
    service = next((name for name, pattern in _SHARES.items() if pattern.match(whole)), "")
    if _MAP_HOSTS.match(whole) or _MAP_PATHS.search(whole):
        return SeenUrl(UrlKind.MAP)
    if extension in _OTHER_EXTENSIONS:
        return SeenUrl(UrlKind.FILE, f".{extension}")
    if extension in _PHOTO_EXTENSIONS:
        special = _special_picture(whole, named, query)
        # A share page of `1.jpg` is a page all the same, but its name says that a photo is behind it.
        return SeenUrl(special) if special else SeenUrl(UrlKind.PHOTO, service)
    if service:
        return SeenUrl(UrlKind.SHARED, service)
    if _RECORD_PAGES.search(whole):
        return SeenUrl(UrlKind.RECORD)
    return _without_extension(whole, named, query, beside) if segments or query or fragment else SeenUrl(UrlKind.SITE)


def _without_extension(whole: str, segments: list[str], query: list[tuple[str, str]], beside: str) -> SeenUrl:
    if _is_place(query) or _COORDINATES_IN_PATH.search(whole):
        return SeenUrl(UrlKind.MAP)
    if special := _special_picture(whole, segments, query):
        return SeenUrl(special)
    if known := extension_beside(beside):
        return known
    words = [*segments, *(key for key, _ in query if len(key) <= LONGEST_WORD)]
    if any(_PHOTO_WORDS.fullmatch(word.rpartition(".")[0] or word) for word in words):
        return SeenUrl(UrlKind.LIKELY_PHOTO)
    if _MAP_WORDS.intersection(segments):
        return SeenUrl(UrlKind.MAP)
    if _RECORD_WORDS.intersection(segments):
        return SeenUrl(UrlKind.RECORD)
    if any(_LATITUDE.fullmatch(key) for key, _ in query) and any(_LONGITUDE.fullmatch(key) for key, _ in query):
        return SeenUrl(UrlKind.MAP)
    return SeenUrl(UrlKind.UNKNOWN)


def extension_beside(text: str) -> SeenUrl | None:
    """Return the kind of a file whose name stands in the text beside a URL; None if no known extension is there."""
    for match in _SHOWN_AS.finditer(text[:300].lower()):
        if match.group(1) in _PHOTO_EXTENSIONS:
            return SeenUrl(UrlKind.PHOTO)
        if match.group(1) in _OTHER_EXTENSIONS - {"ai", "ps", "md", "db"}:
            return SeenUrl(UrlKind.FILE, f".{match.group(1)}")
    return None


def shape_of_url(url: str) -> tuple[str, ...]:
    """Return what URLs of one column have in common: host, folders without digits, names of the query."""
    try:
        parts = urlsplit(url.lower())
    except ValueError:
        return (url,)
    folders = [re.sub(r"[0-9a-f-]*\d[0-9a-f-]*", "0", segment) for segment in parts.path.split("/")[:-1]]
    return (parts.netloc, *folders, *(one.partition("=")[0] for one in parts.query.split("&")))


def _extension(segments: list[str], pairs: list[tuple[str, str]]) -> str:
    """Return the known extension of the file that a URL names in its path or query; empty if it names none."""
    # Names in the query first: `download.php?file=1.jpg`; then the last part of the path.
    names = [value for key, value in pairs if value and _is_name(key)]
    names += [key for key, value in pairs if not value]
    names += segments[-1:] + [value for _, value in pairs if value]
    # `1.jpg/download`, `1.jpg/view`, `IMG.HEIC/full`
    names += segments[-2:-1]
    for name in names:
        found = _FILE_NAME.search(name.strip(" \"'"))
        if found and (found.group(1) in _PHOTO_EXTENSIONS or found.group(1) in _OTHER_EXTENSIONS):
            return found.group(1)
    return ""


def _is_name(key: str) -> bool:
    return len(key) <= LONGEST_WORD and _NAME_KEYS.fullmatch(key) is not None


def _is_place(pairs: list[tuple[str, str]]) -> bool:
    return any(
        key in _PLACE_KEYS and len(value) <= LONGEST_WORD and _COORDINATES.fullmatch(value.strip())
        for key, value in pairs
    ) or any(key in {"mlat", "mlon"} for key, _ in pairs)


def _special_picture(whole: str, segments: list[str], pairs: list[tuple[str, str]]) -> UrlKind | None:
    """Return the kind of a picture that is no photo of a meter by its path: a thumbnail, a signature, a logo."""
    if _PORTRAIT_HOSTS.match(whole):
        return UrlKind.PORTRAIT
    if _QR_HOSTS.match(whole):
        return UrlKind.CODE
    words = [*segments, *(value for key, value in pairs if len(value) <= LONGEST_WORD and _is_name(key))]
    if any(_CODE_WORDS.fullmatch(word.partition(".")[0]) for word in words):
        return UrlKind.CODE
    if any(_SIGNATURE_WORDS.fullmatch(word.partition(".")[0]) for word in words):
        return UrlKind.SIGNATURE
    if any(_PORTRAIT_WORDS.fullmatch(word) for word in words):
        return UrlKind.PORTRAIT
    if any(_THUMB_WORDS.fullmatch(word) for word in words) or _asks_for_small(segments, pairs):
        return UrlKind.THUMBNAIL
    return None


def _asks_for_small(segments: list[str], pairs: list[tuple[str, str]]) -> bool:
    named = _SIZE_IN_NAME.search(segments[-1]) if segments else None
    if named and max(map(int, named.groups())) <= SMALL_PIXELS:
        return True
    for segment in segments[:-1]:
        size = _SIZE_SEGMENT.fullmatch(segment)
        # A folder called `100` or `2024x1` is no size; `w_100`, `s150-c`, `150x150` and `120px-` are.
        if size and max(int(number) for number in size.groups() if number) <= SMALL_PIXELS:
            return True
    for key, value in pairs:
        if key in _SIZE_KEYS or key in {"thumb", "thumbnail", "preview", "variant", "format", "type", "version"}:
            if value in _SMALL_VALUES or (key in {"thumb", "thumbnail"} and value in {"", "1", "true", "yes"}):
                return True
            size = _SIZE_VALUE.fullmatch(value)
            if key in _SIZE_KEYS and size and max(int(n) for n in size.groups() if n) <= SMALL_PIXELS:
                return True
    return False
