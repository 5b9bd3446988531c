"""What a column's header says about its URLs, in the languages that sheets come in, and the words for "no photo"."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum


class HeaderKind(StrEnum):
    """What a header calls the column's contents; the value says it in words."""

    PHOTO = "photos"
    SMALL = "small versions"
    SIGNATURE = "signatures"
    CODE = "QR codes or barcodes"
    PORTRAIT = "logos or pictures of people"
    MAP = "places on a map"
    FILE = "documents or recordings"
    RECORD = "the records themselves"
    SITE = "web sites"
    REMARK = "remarks"
    NONE = "nothing about what the URLs are"


# Words as they are after `_plain`: lower case, accents of Latin, Greek and Cyrillic letters removed. A word of `parts`
# counts inside longer words too ("Zählerfoto"), one of `words` only as a whole word.
_PARTS: dict[HeaderKind, str] = {
    HeaderKind.SIGNATURE: "signature unterschrift assinatura podpis подпис handtekening underskrift namnteckning"
    " allekirjoitus υπογραφη 签名 簽名 署名 サイン 서명 हस्ताक्षर স্বাক্ষর توقيع חתימה ลายเซ็น",
    HeaderKind.CODE: "qrcode qr_code barcode strichcode штрихкод 二维码 條碼 条码 バーコード qrコード",
    HeaderKind.PORTRAIT: "profile avatar logo selfie headshot portrait логотип аватар 头像 頭像 标志 ロゴ 로고",
    HeaderKind.SMALL: "thumb preview vorschau miniatur vignette apercu anteprima podglad nahled миниатюр превью"
    " 缩略图 縮圖 サムネ 썸네일",
    HeaderKind.PHOTO: "photo foto bild image imagen imagem immagin picture snapshot fotka billede bilder afbeelding"
    " zdjeci fotograf fenykep kepek obrazek obrazk obraz snimek snimk slika gorsel resim valokuva kuvat φωτο εικονα"
    " фото снимок снимк изображ картинк зображ знимок знiмок слика फोटो फ़ोटो चित्र तस्वीर छवि ছবি ફોટો ਫੋਟੋ படம் புகைப்பட"
    " ఫోటో చిత్రం ഫോട്ടോ ಫೋಟೋ ಚಿತ್ರ ඡායාරූප รูป ภาพ ဓာတ်ပုံ រូប ຮູບ"
    " صورة صور تصویر عکس תמונ צילום 照片 图片 圖片 相片 图像 圖像 影像 拍照"
    " 写真 画像 사진 이미지 gambar larawan ფოტო սուրաթ լուսանկար",
    HeaderKind.MAP: "geolocation coordinat koordinat latitude longitude standort landkarte lageplan kartenlink"
    " ubicacion localisation localizac posizione lokalizacj lokalita googlemap maplink mapurl openstreetmap"
    " карта местополож координат геолокац розташув 位置 地图 地圖 地点 坐标 위치 지도 नक्शा स्थान মানচিত্র"
    " موقع خريطة מיקום מפה แผนที่ konum harita",
    HeaderKind.FILE: "audit document dokument video audio voice recording aufnahme report protokoll rechnung invoice"
    " handbuch datasheet datenblatt certificat zertifikat документ видео аудио отчет"
    " 文档 文件 视频 視頻 录音 動画 音声 문서 दस्तावेज़ वीडियो",
    HeaderKind.RECORD: "submission record datensatz formular questionnaire permalink workorder arbeitsauftrag auftrag"
    " registro formulario запись анкета 记录 表单 記録",
    HeaderKind.SITE: "website webseite homepage sitioweb siteweb веб-сайт 网站 网址首页",
    HeaderKind.REMARK: "remark comment kommentar bemerkung anmerkung notiz hinweis observac osservazion remarque"
    " commentaire uwagi poznamk megjegyz примеч коммент заметк"
    " 备注 備註 備考 コメント 비고 टिप्पणी মন্তব্য ملاحظ הערות aciklama description beschreibung",
}
_WORDS: dict[HeaderKind, str] = {
    HeaderKind.SIGNATURE: "sign signed firma firm imza",
    HeaderKind.CODE: "qr ean",
    HeaderKind.PORTRAIT: "profil perfil icon favicon",
    HeaderKind.SMALL: "thumbs tn icon",
    HeaderKind.PHOTO: "pic pics img imgs bild bilds bilden pix kep kuva anh hinh picha jpg jpeg snap kamera camera",
    HeaderKind.MAP: "map maps mapa mapas gps geo geopoint location locations position karte carte plan lage lat lon lng"
    " latlon latlng coords coord osm place where",
    HeaderKind.FILE: "pdf csv doc docs log logs manual contract ticket xlsx zip",
    HeaderKind.RECORD: "form forms edit entry response responses issue survey item task object case objectid uuid self",
    HeaderKind.SITE: "site web homepage www company manufacturer hersteller vendor",
    HeaderKind.REMARK: "note notes nota notas obs uwaga text info see siehe",
}
_ORDER = (
    HeaderKind.SIGNATURE,
    HeaderKind.CODE,
    HeaderKind.PORTRAIT,
    HeaderKind.SMALL,
    HeaderKind.PHOTO,
    HeaderKind.MAP,
    HeaderKind.FILE,
    HeaderKind.RECORD,
    HeaderKind.REMARK,
    HeaderKind.SITE,
)
_ACCENTS = re.compile("[\u0300-\u036f]")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_TOKEN = re.compile(r"[^\W\d_]+")
_SIZE_WORDS = ("original", "full", "large", "big", "medium", "small")


def _plain(text: str) -> str:
    spaced = _CAMEL.sub(" ", text)
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", spaced))).lower()


_PLAIN_PARTS = {kind: tuple(_plain(words).split()) for kind, words in _PARTS.items()}
_PLAIN_WORDS = {kind: frozenset(_plain(words).split()) for kind, words in _WORDS.items()}


def kind_of_header(header: str) -> HeaderKind:
    """Return what a header calls its column's contents."""
    plain = _plain(header[:200])
    tokens = set(_TOKEN.findall(plain))
    for kind in _ORDER:
        if tokens & _PLAIN_WORDS.get(kind, frozenset()) or any(part in plain for part in _PLAIN_PARTS[kind]):
            return kind
    return HeaderKind.NONE


def size_named(header: str) -> tuple[str, int]:
    """Return a header without its word for a size, and the size's place: 0 is the largest, also where none is named.

    `download_url`, `download_large_url` and `download_small_url` are one photo in three sizes.
    """
    tokens = re.findall(r"[^\W_]+", _plain(header))
    for place, word in enumerate(_SIZE_WORDS):
        if word in tokens:
            return " ".join(token for token in tokens if token != word), max(0, place - 1)
    return " ".join(tokens), 0


_NO_PHOTO = re.compile(
    r"[\s.\-_–—―/\\?!*x×0()\[\]{}]*"
    r"|\W*(?:n\s*[./\\]?\s*[av]\.?|n\s*[./\\]\s*d\.?|nan|null|nil|none|undefined|false|void|empty|blank|tb[adc]|pending|nope?"
    r"|not\s+(?:available|applicable|taken|provided|uploaded|possible|yet)|unavailable|missing|skipped"
    r"|(?:no|not?\s+any|without|missing|sem|sin|sans|senza|ohne|kein|keine|keines?|geen|ingen|inga|uden|utan|bez|brak|nincs"
    r"|niet?|ei|fara|pas\s+de|pas\s+d['’]|aucune?|ninguna?|nessuna?|nenhuma?|fehlt|nema|yok|нет|без|нема(?:є)?|няма|χωρις|δεν)"
    r"(?:\s+\w+){0,2}?\s*(?:available|yet|here|vorhanden|disponible|disponivel|disponibile|beschikbaar)?"
    r"|nein|non|nao|nie|nicht\s+vorhanden|fehlt|entfallt|leer|ninguno|nenhum|nessuno|aucun|nada|vacio|vide|vuoto|vazio"
    r"|\w+\s+(?:fehlt|fehlend|missing|yok|отсутствует|brak)|отсутствует|отсутствуют"
    r"|(?:无|無|沒有|没有|暂无|缺|未拍)\w{0,4}|なし|\w{0,4}(?:なし|無し)|없음|\w{0,3}\s?없음"
    r"|(?:\w+\s+)?नही[ंँ]|कोई\s+\w+\s+नही[ंँ](?:\s+\w+)?|(?:\S+\s+)?नहीं(?:\s+\S+)?|নেই|ছবি\s+নেই|لا\s+\w+(?:\s+\w+)?|بدون(?:\s+\w+)?|אין(?:\s+\w+)?)\W*",
    re.IGNORECASE,
)
NO_PHOTO_LENGTH = 40


def says_no_photo(cell: str) -> bool:
    """Return whether a cell has a word for "there is none" in place of a URL: `no photo`, `n/a`, `-`, `keine`."""
    text = cell.strip()
    return bool(text) and len(text) <= NO_PHOTO_LENGTH and _NO_PHOTO.fullmatch(_plain_text(text)) is not None


def _plain_text(text: str) -> str:
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text))).lower()
