"""Which columns hold the photos, in sheets as many programs write them; and what is said about the others."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets.columns.judging import LOOKS_PER_COLUMN, LOOKS_PER_FILE
from meter_pipeline.ingest.sheets.spreadsheets import Spreadsheet, read_spreadsheet
from meter_pipeline.settings import SheetSettings
from meter_pipeline_tests.support.sheet_writers import write_xlsx

ROWS = 6
MAPS = {
    "Google Maps": "https://www.google.com/maps?q=-33.86{i},151.20{i}",
    "Google Maps place": "https://www.google.co.in/maps/place/12.97{i},77.59{i}",
    "Google Maps at": "https://www.google.com/maps/@52.5{i},13.4{i},17z",
    "Google Maps search": "https://www.google.com/maps/search/?api=1&query=47.59{i},-122.33{i}",
    "short Google link": "https://maps.app.goo.gl/Ab{i}Xyz",
    "old short Google link": "https://goo.gl/maps/{i}aBc",
    "maps.google": "http://maps.google.com/?q=loc:48.1{i},11.5{i}",
    "static map": "https://maps.googleapis.com/maps/api/staticmap?center=1.{i},2.{i}&zoom=15&format=png",
    "OpenStreetMap": "https://www.openstreetmap.org/?mlat=52.{i}&mlon=13.{i}#map=18/52.{i}/13.{i}",
    "OpenStreetMap way": "https://www.openstreetmap.org/node/{i}",
    "osm.org": "https://osm.org/go/0D{i}--",
    "Bing": "https://www.bing.com/maps?cp=47.{i}~-122.{i}",
    "Apple": "https://maps.apple.com/?ll=50.89{i},4.34{i}",
    "Waze": "https://www.waze.com/ul?ll=45.6{i},-73.5{i}&navigate=yes",
    "Baidu": "https://map.baidu.com/poi/x{i}",
    "AutoNavi": "https://uri.amap.com/marker?position=116.{i},39.{i}",
    "Yandex": "https://yandex.ru/maps/?ll=37.{i},55.{i}",
    "2GIS": "https://2gis.ru/moscow/geo/{i}",
    "Mapy": "https://mapy.cz/s/abc{i}",
    "HERE": "https://share.here.com/l/50.{i},8.{i}",
    "what3words": "https://w3w.co/filled.count.soap{i}",
    "coordinates in a query": "https://gis.example.org/viewer?q=50.1{i},8.6{i}",
    "latitude and longitude": "https://gis.example.org/viewer?lat=50.1{i}&lon=8.6{i}",
    "web map": "https://utility.maps.arcgis.com/apps/webappviewer/index.html?id=abc&marker={i}",
}
FILES = {
    name: f"https://kc.example.org/media/att/{{i}}/{name}"
    for name in [
        *["audit.csv", "data.json", "form.pdf", "clip.mp4", "clip.mov", "voice.m4a", "voice.mp3", "voice.amr"],
        *["note.docx", "note.txt", "list.xlsx", "all.zip", "track.gpx", "place.kml", "place.geojson"],
        *["drawing.svg", "plan.dwg", "answers.xml"],
    ]
} | {"a file in the query": "https://kc.example.org/get?media_file=user%2Faudit{i}.csv"}
SMALL = {
    "a folder of thumbnails": "https://store.example/thumb/{i}.jpg",
    "thumbs": "https://store.example/thumbs/a/{i}.jpg",
    "_thumb": "https://store.example/photos/{i}_thumb.jpg",
    "thumb_": "https://store.example/photos/thumb_{i}.jpg",
    "WordPress": "https://store.example/wp-content/uploads/{i}-150x150.jpg",
    "w=100": "https://store.example/photos/{i}.jpg?w=100",
    "width and height": "https://store.example/photos/{i}.jpg?width=200&height=150",
    "size=small": "https://store.example/photos/{i}.jpg?size=small",
    "Kobo small": "https://kc.kobotoolbox.org/media/small?media_file=u%2Fattachments%2F{i}.jpg",
    "Cloudinary": "https://res.cloudinary.com/demo/image/upload/w_150,h_150,c_fill/v1/{i}.jpg",
    "Airtable": "https://dl.airtable.com/.attachmentThumbnails/abc/{i}",
    "preview": "https://store.example/preview/{i}.jpg",
    "Wikimedia": "https://upload.example.org/wikipedia/commons/thumb/a/{i}.jpg/120px-{i}.jpg",
}
RECORDS = {
    "Google Forms": "https://docs.google.com/forms/d/e/1FAI/viewform?edit2=2_{i}",
    "ArcGIS item": "https://www.arcgis.com/home/item.html?id=abc{i}",
    "Survey123": "https://survey123.arcgis.com/share/abc?mode=edit&globalId={i}",
    "Kobo": "https://kf.kobotoolbox.org/#/forms/aXyz/data/{i}",
    "Enketo": "https://ee.kobotoolbox.org/edit/abc?instance_id={i}",
    "Salesforce": "https://utility.lightning.force.com/lightning/r/Case/500{i}/view",
    "Airtable": "https://airtable.com/appA/tblB/rec{i}",
    "Fulcrum": "https://web.fulcrumapp.com/records/{i}-a",
    "submissions": "https://forms.example.org/v1/projects/1/submissions/{i}",
    "edit": "https://tool.example.org/meters/{i}/edit",
    "Jira": "https://jira.example.org/browse/MET-{i}",
    "Microsoft Forms": "https://forms.office.com/r/abc{i}",
}
PHOTOS = {
    "plain": "https://store.example/photos/{i}.jpg",
    "upper case": "https://store.example/IMG_{i}.JPG",
    "HEIC": "https://store.example/a/{i}.heic",
    "signed": "https://bucket.s3.amazonaws.com/m/{i}.jpeg?X-Amz-Signature=abc&X-Amz-Expires=3600",
    "Azure": "https://acc.blob.core.windows.net/c/{i}.png?sv=2020&sig=abc%3D",
    "file in the query": "https://dms.example/ContentServer?get&docId={i}&compId=data{i}.jpg",
    "Kobo": "https://kc.kobotoolbox.org/media/original?media_file=u%2Fattachments%2F17{i}.jpg",
    "image service": "https://store.example/api/image?id={i}",
    "ArcGIS attachment beside": "https://services.arcgis.com/x/FeatureServer/0/{i}/attachments/{i}",
    "opaque": "https://store.example/get/{i}",
    "Drive": "https://drive.google.com/open?id=1aBcD{i}",
}


def _csv(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8")
    return path


def _read(tmp_path: Path, header: Sequence[str], *patterns: str | None, **how: Any) -> Spreadsheet:
    """Read a sheet of an account number and of columns made from patterns; None is a column without URLs."""
    rows = [[f"m{i}", *("" if p is None else p.replace("{i}", str(i)) for p in patterns)] for i in range(ROWS)]
    return read_spreadsheet(_csv(tmp_path / "a.csv", [["Meter", *header], *rows]), **how)


@pytest.mark.parametrize("photo", PHOTOS)
@pytest.mark.parametrize("other", ["Google Maps", "short Google link", "coordinates in a query"])
def test_photos_beside_maps(tmp_path: Path, photo: str, other: str) -> None:
    found = _read(tmp_path, ["Location", "Photo"], MAPS[other], PHOTOS[photo])
    assert (found.url_columns, len(found.rows), found.in_doubt) == (["Photo"], ROWS, [])
    assert found.passed_over[0] == "Location (links to maps)"


@pytest.mark.parametrize("kind", MAPS)
def test_a_map_is_known_by_its_url_whatever_the_header_says(tmp_path: Path, kind: str) -> None:
    found = _read(tmp_path, ["Link", "Evidence"], MAPS[kind], PHOTOS["plain"])
    assert (found.url_columns, found.passed_over) == (["Evidence"], ["Link (links to maps)"])


@pytest.mark.parametrize("kind", FILES)
def test_files_that_are_no_photos(tmp_path: Path, kind: str) -> None:
    found = _read(tmp_path, ["Attachment 1", "Attachment 2"], FILES[kind], PHOTOS["plain"])
    assert (found.url_columns, len(found.rows)) == (["Attachment 2"], ROWS)
    assert found.passed_over[0].startswith("Attachment 1 (.")


@pytest.mark.parametrize("kind", SMALL)
def test_small_versions_are_passed_over_beside_the_photos_and_taken_alone(tmp_path: Path, kind: str) -> None:
    both = _read(tmp_path, ["A", "B"], SMALL[kind], PHOTOS["plain"])
    assert (both.url_columns, both.passed_over) == (["B"], ["A (small versions of pictures)"])
    alone = _read(tmp_path, ["A", "B"], SMALL[kind], None)
    assert (alone.url_columns, len(alone.rows), alone.refused) == (["A"], ROWS, [])


@pytest.mark.parametrize("kind", RECORDS)
def test_pages_of_the_records(tmp_path: Path, kind: str) -> None:
    found = _read(tmp_path, ["Link", "Meter picture"], RECORDS[kind], PHOTOS["opaque"])
    assert (found.url_columns, found.passed_over) == (["Meter picture"], ["Link (pages of records or forms)"])


@pytest.mark.parametrize(
    "header",
    [
        *[
            "Photo",
            "IMAGE",
            "photo_URL",
            "imgUrl",
            "Meter picture",
            "Bild (Link)",
            "Zählerfoto",
            "Photo de l'index",
            "Photo 1",
        ],
        *[
            "Foto del medidor",
            "Imagen",
            "Imagem",
            "Immagine",
            "Zdjęcie",
            "Fénykép",
            "Fotó",
            "Billede",
            "Görsel",
            "Gambar",
        ],
        *[
            "Снимок",
            "Фото счётчика",
            "Изображение",
            "Зображення",
            "Εικόνα",
            "صورة",
            "عکس",
            "תמונה",
            "รูปภาพ",
            "Ảnh",
            "Hình ảnh",
        ],
        *["照片", "照片链接", "图片", "圖片", "写真", "写真URL", "画像", "사진", "이미지"],
        *["फोटो", "मीटर का चित्र", "ছবি", "படம்", "ఫోటో"],
    ],
)
def test_headers_of_many_languages_say_where_the_photos_are(tmp_path: Path, header: str) -> None:
    opaque = "https://store.example/{kind}/{i}"
    found = _read(tmp_path, ["ID-Ref", header], opaque.replace("{kind}", "a"), opaque.replace("{kind}", "b"))
    assert header in found.url_columns
    assert found.in_doubt == [f"https://store.example/a/{i}" for i in (0, 3, 5)]
    assert found.url_columns == [header]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Signature", "called signatures"),
        ("Unterschrift", "called signatures"),
        ("Подпись", "called signatures"),
        ("Firma", "called signatures"),
        ("签名", "called signatures"),
        ("QR code", "called QR codes or barcodes"),
        ("Logo", "called logos or pictures of people"),
        ("Profile picture", "called logos or pictures of people"),
        ("avatar_url", "called logos or pictures of people"),
        ("Thumbnail", "called small versions"),
        ("Vorschau", "called small versions"),
        ("Lageplan", "called places on a map"),
        ("Document", "called documents or recordings"),
    ],
)
def test_pictures_of_something_else(tmp_path: Path, header: str, reason: str) -> None:
    found = _read(tmp_path, [header, "Photo"], "https://store.example/x/{i}.png", PHOTOS["plain"])
    assert (found.url_columns, found.passed_over) == (["Photo"], [f"{header} ({reason})"])
    assert _read(tmp_path, [header], "https://store.example/x/{i}.png").url_columns == [header]


def test_one_url_in_all_rows_is_a_logo_and_one_placeholder_in_some_is_not(tmp_path: Path) -> None:
    found = _read(tmp_path, ["Brand", "Shot"], "https://store.example/brand.png", PHOTOS["plain"])
    assert (found.url_columns, found.passed_over) == (["Shot"], [f"Brand (the same URL in all {ROWS} rows)"])
    rows = [["Shot"], *[[f"https://store.example/{i if i % 2 else 'none'}.png"] for i in range(8)]]
    assert len(read_spreadsheet(_csv(tmp_path / "b.csv", rows)).rows) == 8
    assert len(_read(tmp_path, ["Panel"], "https://store.example/panel.jpg").rows) == ROWS


NO_PHOTO = [
    *[
        "no photo",
        "No Photo!",
        "n/a",
        "N.A.",
        "-",
        "--",
        "—",
        "none",
        "None",
        "null",
        "NaN",
        "keine",
        "kein Foto",
        "nein",
    ],
    *[
        "Foto fehlt",
        "ohne Bild",
        "sin foto",
        "no hay foto",
        "sem foto",
        "pas de photo",
        "aucune",
        "nessuna foto",
        "geen foto",
    ],
    *[
        "brak",
        "brak zdjęcia",
        "нет",
        "нет фото",
        "без фото",
        "无",
        "无照片",
        "没有照片",
        "なし",
        "写真なし",
        "없음",
        "फोटो नहीं",
        "fotoğraf yok",
    ],
    *["missing", "not available", "pending", "TBD", "x", "?", "0", "."],
]


@pytest.mark.parametrize("word", NO_PHOTO)
def test_words_for_no_photo_exclude_no_column_and_say_why(tmp_path: Path, word: str) -> None:
    rows = [["Meter", "Location", "Photo"]]
    rows += [[f"m{i}", f"https://x.example/map/{i}", word if i > 1 else PHOTOS["plain"].format(i=i)] for i in range(10)]
    found = read_spreadsheet(_csv(tmp_path / "a.csv", rows))
    assert found.url_columns == ["Photo"]
    assert len(found.rows) == 10
    assert {(row.image_url, row.reason) for row in found.refused} == {
        (word, "no URL: the cell says that there is none")
    }


@pytest.mark.parametrize("text", ["too dark", "zu dunkel", "17.jpg", "in the cellar", "dog in the yard", "7"])
def test_other_text_is_no_word_for_no_photo(tmp_path: Path, text: str) -> None:
    rows = [["Photo"], [PHOTOS["plain"].format(i=1)], [text]]
    assert read_spreadsheet(_csv(tmp_path / "a.csv", rows)).rows[1].reason == "not a URL"


def test_several_photo_columns_sparse_ones_too(tmp_path: Path) -> None:
    header = ["Meter", "Photo 1", "Photo 2", "Photo 3", "Back", "Map"]
    rows = [header] + [
        [
            f"m{i}",
            f"https://s.example/a{i}.jpg",
            f"https://s.example/b{i}.jpg" if i == 3 else "n/a",
            "",
            f"https://s.example/c{i}.jpg" if i in (1, 2) else "",
            f"https://maps.google.com/?q={i}.5,7.5",
        ]
        for i in range(20)
    ]
    found = read_spreadsheet(_csv(tmp_path / "a.csv", rows))
    assert found.url_columns == ["Photo 1", "Photo 2", "Back"]
    assert (len(found.rows), found.refused) == (23, [])
    of_row = [row for row in found.rows if row.row_number == 5]
    assert [row.image_url[18:] for row in of_row] == ["a3.jpg", "b3.jpg"]
    assert of_row[0].other_columns is of_row[1].other_columns


def test_sizes_and_copies_of_one_photo_are_taken_once(tmp_path: Path) -> None:
    base = "https://kc.example/media/{size}?media_file=u%2F{i}.jpg"
    sizes = ["download_url", "download_large_url", "download_medium_url", "download_small_url"]
    found = _read(tmp_path, sizes, *(base.replace("{size}", s) for s in ("original", "large", "medium", "small")))
    assert found.url_columns == ["download_url"]
    found = _read(tmp_path, ["Photo", "Photo link"], PHOTOS["plain"], PHOTOS["plain"])
    assert (found.url_columns, found.passed_over) == (["Photo"], ["Photo link (the same URLs as in Photo)"])


def test_what_is_in_doubt_is_decided_by_a_look(tmp_path: Path) -> None:
    columns = ["Front", "Ticket link"], "https://a.example/x/{i}", "https://b.example/y/{i}"
    columns = ["Front", "Side"], *columns[1:]
    doubt = _read(tmp_path, *columns)
    assert doubt.url_columns == ["Front", "Side"]
    assert doubt.in_doubt == [f"https://{h}/{i}" for i in (0, 3, 5) for h in ("a.example/x", "b.example/y")]
    looked = {url: "b.example" in url for url in doubt.in_doubt}
    sure = _read(tmp_path, *columns, looked=looked)
    assert (sure.url_columns, sure.in_doubt) == (["Side"], [])
    assert sure.passed_over == ["Front (no photo was behind 3 of its URLs)"]
    partly = _read(tmp_path, *columns, looked={"https://a.example/x/3": True})
    assert partly.url_columns == ["Front"]
    assert partly.passed_over == ["Side (nothing says that they are photos)"]
    nowhere = _read(tmp_path, *columns, looked={})
    assert (nowhere.url_columns, nowhere.in_doubt) == (["Front", "Side"], [])
    nothing = _read(tmp_path, *columns, looked=dict.fromkeys(doubt.in_doubt, False))
    assert len(nothing.rows) == ROWS


def test_few_urls_are_looked_at(tmp_path: Path) -> None:
    header = [f"Field {n}" for n in range(9)]
    found = _read(tmp_path, header, *(f"https://s{n}.example/{{i}}" for n in range(9)))
    assert len(found.in_doubt) == len(set(found.in_doubt)) == LOOKS_PER_FILE
    assert {url.partition(".")[0] for url in found.in_doubt} == {f"https://s{n}" for n in range(9)}
    one = _read(tmp_path, ["Photo", "Other"], PHOTOS["plain"], "https://s.example/{i}")
    assert (one.url_columns, len(one.in_doubt)) == (["Photo"], LOOKS_PER_COLUMN)
    assert _read(tmp_path, ["Other"], "https://s.example/{i}").in_doubt == []


def test_the_only_urls_are_taken_whatever_they_look_like(tmp_path: Path) -> None:
    found = _read(tmp_path, ["audit_URL"], FILES["audit.csv"])
    assert (found.url_columns, len(found.rows)) == (["audit_URL"], ROWS)
    assert found.passed_over == ["audit_URL was taken for want of others (.csv files)"]


def test_a_person_wins_over_all(tmp_path: Path) -> None:
    found = _read(
        tmp_path, ["Map", "Photo"], MAPS["Google Maps"], PHOTOS["plain"], choice=SheetSettings(url_column="Map")
    )
    assert (found.url_columns, found.in_doubt, len(found.rows)) == (["Map"], [], ROWS)


def test_sheets_of_one_workbook_agree(tmp_path: Path) -> None:
    may = [["Meter", "Ref", "Map"], *[[i, f"https://s.example/{i}.jpg", f"https://osm.org/{i}"] for i in range(4)]]
    june = [["Meter", "Ref", "Map"], *[[i, f"https://s.example/get/{i}", f"https://osm.org/{i}"] for i in range(4)]]
    july = [["Meter", "Ref", "Map"], *[[i, "no photo", f"https://osm.org/{i}"] for i in range(4)]]
    found = read_spreadsheet(write_xlsx(tmp_path / "a.xlsx", {"May": may, "June": june, "July": july}))
    assert found.url_columns == ["May!Ref", "June!Ref"]
    assert (len(found.rows), found.in_doubt) == (8, [])
    assert found.skipped == ["July (no URL column)"]
    assert "July!Map (links to maps)" in found.passed_over


LAYOUTS: dict[str, tuple[dict[str, str], list[str]]] = {
    "Kobo": (
        {
            "serial": "00{i}",
            "_gps": "52.5 13.4 0 0",
            "photo": "17{i}.jpg",
            "photo_URL": "https://kc.kobotoolbox.org/media/original?media_file=u%2Fattachments%2F17{i}.jpg",
            "audit": "audit.csv",
            "audit_URL": "https://kc.kobotoolbox.org/media/original?media_file=u%2Fattachments%2F{i}%2Faudit.csv",
        },
        ["photo_URL"],
    ),
    "Kobo v2": (
        {
            "photo": "17{i}.jpg",
            "photo_URL": "https://kf.kobotoolbox.org/api/v2/assets/aX/data/{i}/attachments/att{i}/",
            "audit_URL": "https://kf.kobotoolbox.org/api/v2/assets/aX/data/{i}/attachments/aud{i}/",
        },
        ["photo_URL"],
    ),
    "Airtable": (
        {
            "Name": "m{i}",
            "Attachments": "IMG {i}.jpg (https://v5.airtableusercontent.com/v3/u/29/29/17/abc{i}/def)",
            "Manual": "manual {i}.pdf (https://v5.airtableusercontent.com/v3/u/29/29/17/xyz{i}/def)",
        },
        ["Attachments"],
    ),
    "Survey123": (
        {
            "GlobalID": "{i}-a",
            "Survey link": "https://survey123.arcgis.com/share/abc?mode=view&globalId={i}",
            "Feature": "https://www.arcgis.com/home/item.html?id=a{i}",
            "Meter photo": "https://services1.arcgis.com/x/arcgis/rest/services/s/FeatureServer/0/{i}/attachments/{i}",
        },
        ["Meter photo"],
    ),
    "Google Forms": (
        {
            "Timestamp": "2026/05/01 10:00:0{i}",
            "Take a picture of the meter": "https://drive.google.com/open?id=1aB{i}",
            "Where are you?": "https://maps.app.goo.gl/{i}",
            "Edit your response": "https://docs.google.com/forms/d/e/1F/viewform?edit2=2_{i}",
        },
        ["Take a picture of the meter"],
    ),
    "SAP": (
        {
            "Equipment": "1000{i}",
            "Objektlink": "https://sap.example/sap/bc/gui/sap/its/webgui?~transaction=IE03&EQUNR=1000{i}",
            "Originaldatei": "http://dms.example:8080/ContentServer?get&pVersion=0045&contRep=Z1&docId={i}&compId=f{i}.JPG",
        },
        ["Originaldatei"],
    ),
    "ODK Central": (
        {
            "meter-photo": "https://central.example/v1/projects/1/forms/m/submissions/uuid:{i}/attachments/17{i}.jpg",
            "instance": "https://central.example/v1/projects/1/forms/m/submissions/uuid:{i}",
            "signature": "https://central.example/v1/projects/1/forms/m/submissions/uuid:{i}/attachments/s{i}.png",
        },
        ["meter-photo"],
    ),
    "Fulcrum": (
        {
            "fulcrum_id": "{i}-b",
            "record_url": "https://web.fulcrumapp.com/records/{i}-b",
            "photos": "{i}-c",
            "photos_url": "https://web.fulcrumapp.com/photos/view?photos={i}-c",
            "signature_url": "https://web.fulcrumapp.com/signatures/{i}",
            "videos_url": "https://web.fulcrumapp.com/videos/view?videos={i}",
        },
        ["photos_url"],
    ),
    "Salesforce": (
        {
            "Case": "500{i}",
            "Case Link": "https://u.lightning.force.com/lightning/r/Case/500{i}/view",
            "Owner Photo": "https://u.file.force.com/profilephoto/005/T",
            "Meter Image": "https://u.my.salesforce.com/sfc/servlet.shepherd/version/download/068{i}",
        },
        ["Meter Image"],
    ),
    "iAuditor": (
        {
            "Audit link": "https://app.safetyculture.com/inspection/audit_{i}",
            "Media": "https://api.safetyculture.io/audits/audit_{i}/media/{i}.jpg",
            "PDF": "https://app.safetyculture.com/report/{i}.pdf",
        },
        ["Media"],
    ),
    "Device Magic": (
        {
            "Form": "https://www.devicemagic.com/forms/1/submissions/{i}",
            "Front of meter": "https://s3.amazonaws.com/dm/{i}/front.jpg",
            "Back of meter": "https://s3.amazonaws.com/dm/{i}/back.jpg",
        },
        ["Front of meter", "Back of meter"],
    ),
    "SharePoint list": (
        {
            "Title": "m{i}",
            "Picture": "https://u.sharepoint.com/sites/m/Shared%20Documents/IMG_{i}.jpg?web=1",
            "Path": "https://u.sharepoint.com/sites/m/Lists/Meters/DispForm.aspx?ID={i}",
        },
        ["Picture"],
    ),
    "JotForm": (
        {
            "Submission": "https://www.jotform.com/edit/55{i}",
            "Upload": "https://www.jotform.com/uploads/u/2/55{i}/IMG_{i}.jpeg",
            "Sign": "https://www.jotform.com/uploads/u/2/55{i}/55{i}_signature_4.png",
        },
        ["Upload"],
    ),
    "WooCommerce": (
        {
            "Permalink": "https://shop.example/product/m-{i}/",
            "Images": "https://shop.example/wp-content/uploads/m{i}.jpg, https://shop.example/wp-content/uploads/n{i}.jpg",
            "Thumbnail": "https://shop.example/wp-content/uploads/m{i}-150x150.jpg",
        },
        ["Images"],
    ),
    "Chinese utility": (
        {"表号": "{i}", "位置": "https://surl.amap.com/a{i}", "照片": "https://oss.example.cn/get?k={i}", "二维码": "https://q.example.cn/{i}.png"},
        ["照片"],
    ),
    "Indian utility": (
        {"मीटर": "{i}", "स्थान": "https://u.example.in/p/{i}", "फोटो": "https://u.example.in/f/{i}", "हस्ताक्षर": "https://u.example.in/s/{i}"},
        ["फोटो"],
    ),
    "Russian utility": (
        {"Счётчик": "{i}", "Карта": "https://yandex.ru/maps/-/C{i}", "Фото": "https://u.example.ru/f/{i}", "Подпись": "https://u.example.ru/s/{i}"},
        ["Фото"],
    ),
    "links and remarks": (
        {
            "Photo": "https://s.example/{i}.jpg",
            "Remark": "see also https://wiki.example/{i} for how to read this one",
            "Website": "https://www.utility.example/",
        },
        ["Photo"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("program", LAYOUTS)
def test_exports_of_many_programs(tmp_path: Path, program: str) -> None:
    columns, photos = LAYOUTS[program]
    rows = [list(columns), *[[text.replace("{i}", str(i)) for text in columns.values()] for i in range(ROWS)]]
    found = read_spreadsheet(_csv(tmp_path / "a.csv", rows))
    assert found.url_columns == photos
    assert not found.refused
    assert {row.row_number for row in found.rows} == set(range(2, ROWS + 2))


def test_share_pages_are_taken_and_named(tmp_path: Path) -> None:
    found = _read(tmp_path, ["Photo"], "https://drive.google.com/file/d/1aB{i}/view?usp=sharing")
    assert len(found.rows) == ROWS
    assert found.passed_over == ["Photo: its URLs are pages of Google Drive, which show a photo but are none"]


def test_a_link_in_a_title_does_not_move_the_header(tmp_path: Path) -> None:
    rows = [["Exported from the tool at https://tool.example/x"], [], ["Photo", "Account"]]
    rows += [[PHOTOS["plain"].format(i=i), f"a{i}"] for i in range(4)]
    found = read_spreadsheet(_csv(tmp_path / "a.csv", rows))
    assert [row.other_columns for row in found.rows] == [{"Account": f"a{i}"} for i in range(4)]


def test_remarks_alone_are_refused_with_what_was_seen(tmp_path: Path) -> None:
    rows = [["Account", "Remark"], ["1", "http://p.example/x"], *([str(i), "dark"] for i in range(9))]
    with pytest.raises(SpreadsheetError, match=r"Remark \(text with a URL in 1 of 10 cells\)"):
        read_spreadsheet(_csv(tmp_path / "a.csv", rows))


_OTHERS = [*MAPS.values(), *FILES.values(), *RECORDS.values()]


@given(
    photos=st.lists(st.sampled_from(["plain", "signed", "HEIC", "Azure"]), min_size=1, max_size=3),
    others=st.lists(st.sampled_from(_OTHERS), max_size=4),
    gaps=st.lists(st.sampled_from(["", "n/a", "no photo", "-"]), max_size=6),
    order=st.randoms(use_true_random=False),
    count=st.integers(2, 30),
)
def test_photos_are_found_among_any_others(
    tmp_path_factory: pytest.TempPathFactory,
    photos: list[str],
    others: list[str],
    gaps: list[str],
    order: Any,
    count: int,
) -> None:
    columns = [(f"Col {n}", PHOTOS[name].replace("{i}", f"{n}-{{i}}"), True) for n, name in enumerate(photos)]
    columns += [(f"Other {n}", pattern, False) for n, pattern in enumerate(others)]
    order.shuffle(columns)
    rows = [[pattern.replace("{i}", str(i)) for _, pattern, _ in columns] for i in range(count + len(gaps))]
    for row, gap in zip(rows[count:], gaps, strict=True):
        row[:] = [gap if is_photo else text for text, (_, _, is_photo) in zip(row, columns, strict=True)]
    path = _csv(tmp_path_factory.mktemp("sheet") / "a.csv", [[name for name, _, _ in columns], *rows])
    found = read_spreadsheet(path)
    assert found.url_columns == [name for name, _, is_photo in columns if is_photo]
    assert len([row for row in found.rows if row.reason is None]) == count * len(photos)
    assert len(found.passed_over) == len(others)
