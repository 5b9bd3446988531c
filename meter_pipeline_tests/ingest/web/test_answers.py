"""Answers without a photo, in words: which page it is, until when a link was good; nothing of it is repeated."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from meter_pipeline.ingest.web.answers import asks_to_sign_in, good_until, words_about_page, words_about_refusal
from meter_pipeline_tests.support.bounds import costs_at_most

NOW = datetime(2026, 5, 1, tzinfo=UTC)
PAGE = b"<!DOCTYPE html><html><head><title>IMG_1.jpg</title></head><body></body></html>"


@pytest.mark.parametrize(
    ("url", "end"),
    [
        ("https://b.s3.example/a?X-Amz-Date=20260401T120000Z&X-Amz-Expires=3600&X-Amz-Signature=x", "2026-04-01 13:00"),
        ("https://b.gcs.example/a?X-Goog-Date=20260401T120000Z&X-Goog-Expires=60&X-Goog-Sig=x", "2026-04-01 12:01"),
        ("https://b.s3.amazonaws.com/a.jpg?AWSAccessKeyId=A&Expires=1775044800&Signature=x", "2026-04-01 12:00"),
        ("https://d.cloudfront.net/a.jpg?Expires=1775044800&Signature=x&Key-Pair-Id=K", "2026-04-01 12:00"),
        ("https://b.oss-cn-x.aliyuncs.com/a?OSSAccessKeyId=A&Expires=1775044800&Signature=x", "2026-04-01 12:00"),
        ("https://a.blob.core.windows.net/c/a?se=2026-04-01T12%3A00%3A00Z&sig=x", "2026-04-01 12:00"),
        ("https://a.blob.core.windows.net/c/a?se=2026-04-01&sig=x", "2026-04-01 00:00"),
        ("https://cdn.discordapp.com/a.jpg?ex=69cd0ac0&is=1&hm=x", "2026-04-01 12:08"),
    ],
)  # fmt: skip
def test_a_signed_link_says_until_when_it_is_good(url: str, end: str) -> None:
    assert f"{good_until(url):%Y-%m-%d %H:%M}" == end
    words = words_about_refusal(
        403, url, b"<Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>", NOW
    )
    assert words == f"the signed link was good until {end} UTC; export the sheet again, and drop it soon after"
    assert words_about_refusal(403, url, b"", datetime(2026, 3, 1, tzinfo=UTC)) is None
    assert words_about_refusal(500, url, b"", NOW) is None


@pytest.mark.parametrize(
    "url",
    ["https://h/a.jpg", "https://h/a.jpg?expires=1775044800", "https://h/a?se=soon&sig=x", "https://h/a?ex=zzz&hm=1",
     "https://h/a?X-Amz-Date=20269999T999999Z&X-Amz-Expires=1", "https://h/a?" + "&".join("a=1" for _ in range(500)),
     "https://h/a?Expires=99999999999999999&Signature=x",
     "https://h/a?X-Amz-Date=20260401T120000Z&X-Amz-Expires=99999999999"],
)  # fmt: skip
def test_other_urls_say_nothing_of_an_end(url: str) -> None:
    assert good_until(url) is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://accounts.google.com/v3/signin/identifier?continue=x", "accounts.google.com asks to sign in"),
        ("https://login.microsoftonline.com/common/oauth2/authorize?client_id=1", "asks to sign in"),
        ("https://login.live.com/login.srf", "asks to sign in"),
        ("https://company.okta.com/app/x", "asks to sign in"),
        ("https://www.dropbox.com/login?cont=x", "asks to sign in"),
        ("https://h.example/wp-login.php?redirect_to=a", "asks to sign in"),
        ("https://h.example/Account/Login?ReturnUrl=%2fa", "asks to sign in"),
        ("https://c.sharepoint.com/_layouts/15/Authenticate.aspx?Source=a", "asks to sign in"),
        ("https://drive.google.com/file/d/ID/view?usp=sharing", "a page of Google Drive around the photo"),
        ("https://drive.google.com/drive/folders/ID", "a folder of Google Drive"),
        ("https://photos.app.goo.gl/abc", "Google Photos"),
        ("https://www.google.com/maps?q=1,2", "a map"),
        ("https://maps.app.goo.gl/abc", "a map"),
        ("https://www.dropbox.com/scl/fi/x/a.jpg?dl=0", "dl=1"),
        ("https://1drv.ms/i/s!A", "OneDrive"),
        ("https://c-my.sharepoint.com/:i:/g/personal/x", "OneDrive"),
        ("https://c.sharepoint.com/sites/a/a.jpg", "SharePoint"),
        ("https://app.box.com/s/x", "Box"),
        ("https://www.icloud.com/photos/x", "iCloud"),
        ("https://imgur.com/a/x", "page around a picture"),
    ],
)
def test_pages_around_photos_are_told_by_their_address(url: str, words: str) -> None:
    said = words_about_page(url, PAGE)
    assert said is not None
    assert said.startswith("This is a web page, not a photo: ")
    assert words in said
    assert asks_to_sign_in(url, PAGE) == ("sign in" in words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("<html><title>Google Drive - Virus scan warning</title>", "not checked for viruses"),
        ("<html><title>Google Drive - Quota exceeded</title>", "too often"),
    ],
)
def test_pages_of_google_drive_itself(body: str, words: str) -> None:
    for host in ("drive.google.com", "docs.google.com", "drive.usercontent.google.com"):
        assert words in str(words_about_page(f"https://{host}/uc?export=download&id=1", body.encode()))


@pytest.mark.parametrize(
    ("title", "words"),
    [
        *((title, "nothing at this address") for title in (
            "404", "Page not found", "Seite nicht gefunden", "Page introuvable", "Página no encontrada",
            "Страница не найдена", "页面找不到", "ページが見つかりません", "This file does not exist")),
        *((title, "asks to sign in") for title in (
            "Sign in", "Log in | X", "Anmelden", "Connexion", "Вход", "登录", "ログイン")),
        *((title, "keeps programs out") for title in (
            "Just a moment...", "Attention Required! | Cloudflare", "Captcha")),
        *((title, "an error of h.example") for title in ("500 Internal Server Error", "Service Unavailable", "Fehler")),
        ("Link expired", "link has expired"),
    ],
)  # fmt: skip
def test_pages_are_told_by_their_titles(title: str, words: str) -> None:
    for body in (f"<!DOCTYPE html><html><head><title>{title}</title>", f"<html><body><h1 class=a>{title}</h1>"):
        assert words in str(words_about_page("https://h.example/a.jpg", body.encode()))


def test_a_photo_called_after_a_sign_in_is_no_sign_in() -> None:
    assert words_about_page("https://h.example/photo/signing.jpg", PAGE) is None
    assert not asks_to_sign_in("https://login.live.com/", b"\xff\xd8\xff")


def test_nothing_of_a_hostile_answer_is_repeated_and_none_takes_long() -> None:
    hostile = [
        b"<Error><Code>EvilCode</Code><Message>SECRET</Message>",
        b"<html><title>SECRET</title>",
        b'{"error":"SECRET"}',
        b"<" * 16_384,
        b"<title" * 2_700,
        b"<input " * 2_300,
        b"<html>" + b"<code> " * 2_300,
        b"{" + b'"code":"' * 2_000,
        bytes(range(256)) * 64,
        b"expired" * 2_300,
        b"token " * 2_700,
    ]
    for body in hostile:
        with costs_at_most(0.5):
            said = [
                words_about_page("https://h.example/x", body),
                words_about_refusal(403, "https://h.example/x", body),
            ]
        assert "SECRET" not in str(said)
        assert "Evil" not in str(said)
