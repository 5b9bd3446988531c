"""What cells say: lists, markup, labels and prose around URLs; and cells that mean harm."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meter_pipeline.ingest.web.cell_urls import urls_in
from meter_pipeline.ingest.web.urls import clean_url, looks_like_schemeless_url, looks_like_url
from meter_pipeline_tests.support.bounds import costs_at_most

A, B, C = "http://h.example/a.jpg", "https://h.example/b.png?sig=x%2Fy%3D&t=1", "http://10.0.0.1:8080/get?id=7&s=q"
PLACE = "http://wiki.example/Foo_(bar)"

LISTS_OF_NAMES = [
    (f"name.jpg ({A})", [A]),
    (f"IMG 0.jpg ({A})", [A]),
    (f"a (1).jpg ({A}),b.jpg ({B})", [A, B]),
    (f"a (1).jpg ({A}), b, c.jpg ({B}), {{x}}.jpg ({C})", [A, B, C]),
    (f"a.jpg ({C}) b.jpg ({A})", [C, A]),
    (f"a.jpg ({PLACE}),b.jpg ({A})", [PLACE, A]),
    (f"a.jpg[{A}]; b.jpg[{B}]", [A, B]),
    (f"正面.jpg（{A}）、背面.jpg（{C}）", [A, C]),
    (f"front.jpg: {A}\nback.jpg: {B}", [A, B]),
    (f"front: {A} back: {B}", [A, B]),
    (f"front: {C} back.jpg: {B}", [C, B]),
    (f"Front view:{A}", [A]),
    (f"正面：{A}", [A]),
    (f"front = {A}", [A]),
    (f"front -> {A}", [A]),
    (f"label|{A}", [A]),
    (f"label|{A}|label two|{B}", [A, B]),
    (f"{A}|label", [A]),
    (f"{A} | Front view", [A]),
    (f"1) {A} 2) {C}", [A, C]),
    (f"1. {A}\n2. {C}\n", [A, C]),
    (f"- {A}\n- {C}", [A, C]),
    (f"* {A}\n* {C}", [A, C]),
    (f"#1 {A}", [A]),
    (f"{A}, Front view", [A]),
    (f"{C}, Front view", [C]),
    (f"{A}; front", [A]),
    (f"{A},Front view", [A]),
    (f"{A} front view", [A]),
    (f"{C} front view", [C]),
    (f"{A} - front", [A]),
    (f"{A}\u00a0front", [A]),
    (f"{A}，正面", [A]),
    (f"{C}。然后", [C]),
    (f"{A} (front view)", [A]),
    (f"{A}（正面）", [A]),
    (f"{A}, front, {B}, back", [A, B]),
    (f"{A} front; {B} back", [A, B]),
    (f"{A};#{A}", [A]),
    (f"{A}, {A}", [A]),
]

MARKUP = [
    (f"[text]({A})", [A]),
    (f"[a [nested] text]({A})", [A]),
    (f"![alt]({A})", [A]),
    (f'![alt]({A} "title")', [A]),
    (f"![alt]({A} 'a title')", [A]),
    (f"![alt](<{A}>)", [A]),
    (f"[{A}]({A})", [A]),
    (f"[http://h.example/a...]({A})", [A]),
    (f"[http://h.example/a…]({A})", [A]),
    (f"[![thumb]({B})]({A})", [B, A]),
    (f"[wiki]({PLACE}), [b]({B})", [PLACE, B]),
    (f"[1]: {A}", [A]),
    (f"[[{A}|the photo]]", [A]),
    (f"[{A} the photo]", [A]),
    (f"[url={A}]photo[/url]", [A]),
    (f"[img]{A}[/img]", [A]),
    (f"<{A}>", [A]),
    (f"<{A}|front>", [A]),
    (f"<URL:{A}>", [A]),
    (f"**{A}**", [A]),
    (f"_{A}_", [A]),
    (f"`{A}`", [A]),
    (f"~~{A}~~", [A]),
    (f'<a href="{A}">View</a>', [A]),
    (f'<a href="{A}" target="_blank">View</a>', [A]),
    (f"<a target=_blank href={A}>View</a>", [A]),
    (f"<A HREF='{A}'>View</A>", [A]),
    (f'<a href="{A}">{A}</a>', [A]),
    (f'<a href="{A}">http://h.exam...</a>', [A]),
    (f"<img src='{A}'>", [A]),
    (f'<img alt="x" src="{A}"/>', [A]),
    (f'<a href="{html.escape(B)}"><img src="{A}"></a>', [B, A]),
    (f'<a href="{html.escape(B)}">one</a><br/><a href="{A}">two</a>', [B, A]),
    (html.escape(f'<a href="{html.escape(B)}">one</a>'), [B]),
    (f"<p>{A}</p><p>{C}</p>", [A, C]),
    (f"<td>{A}</td>", [A]),
    (f"<url>{A}</url>", [A]),
    (f"{A}<br>{C}<br />{B}", [A, C, B]),
    (f"{A}&lt;br&gt;{C}", [A, C]),
    (f'=HYPERLINK("{A}","open")', [A]),
    (f'=HYPERLINK("{A}";"open")', [A]),
    (f'=IMAGE("{A}")', [A]),
    (f"url({A})", [A]),
    (f'background: url("{A}")', [A]),
    (f'"{A}"', [A]),
    (f"'{A}'", [A]),
    (f"\u201c{A}\u201d", [A]),
    (f"\u201e{A}\u201c", [A]),
    (f"\u2018{A}\u2019", [A]),
    (f"«{A}»", [A]),
    (f"「{A}」", [A]),
    (f"【{A}】", [A]),
]

JSON_AND_PYTHON = [
    (json.dumps([A, B]), [A, B]),
    (json.dumps([A, B], indent=2), [A, B]),
    (json.dumps([A, B]).replace("/", "\\/").replace("&", "\\u0026"), [A, B]),
    (json.dumps([{"url": A, "filename": "a.jpg"}, {"url": B, "filename": "b.jpg"}]), [A, B]),
    (json.dumps({"photos": [{"meta": {"link": A}}, [[B]]]}), [A, B]),
    (json.dumps({"id": "att1", "url": A, "thumbnails": {"small": {"url": C}, "large": {"url": C}}}), [A]),
    (json.dumps({"thumbnail": C}), [C]),
    (
        json.dumps({"serverUrl": "https://x.example", "serverRelativeUrl": "/sites/a b.jpg"}),
        ["https://x.example/sites/a%20b.jpg"],
    ),
    (json.dumps(json.dumps([A, B])), [A, B]),
    (json.dumps({"a": json.dumps({"url": A})}), [A]),
    (json.dumps(["http://h.example/my photo", A]), ["http://h.example/my%20photo", A]),
    (json.dumps(["see " + A, "x"]), [A]),
    (json.dumps(["h.example/a.jpg", "h.example/b.jpg"]), ["http://h.example/a.jpg", "http://h.example/b.jpg"]),
    (json.dumps([html.escape(B)]), [B]),
    (html.escape(json.dumps([A, B])), [A, B]),
    (json.dumps([A, B])[:-1], [A, B]),
    (json.dumps([A, B]).replace("/", "\\/")[1:-1], [A, B]),
    (json.dumps([{"url": A}, {"url": B}]).replace('"', '""'), [A, B]),
    (json.dumps([{"url": A}, {"url": B}]).replace('"', '\\"'), [A, B]),
    (str([A, B]), [A, B]),
    (str((A, B)), [A, B]),
    (str({A}), [A]),
    (str([{"url": A, "name": "it's"}, {"url": B}]), [A, B]),
    (f"[{A}, {B}]", [A, B]),
    (f"[{A},{B}]", [A, B]),
    (f"{{{A},{B}}}", [A, B]),
    (f"{{{A}}}", [A]),
    (f"array('{A}', '{B}')", [A, B]),
    (f"url={A}", [A]),
    (f"url: '{A}', name: 'x'", [A]),
    (f"- url: {A}\n  name: x", [A]),
    (f"{A}\\n{C}", [A, C]),
]

ENDS = [
    *[
        (f"{url}{end}", [url])
        for url in (A, B, C, PLACE)
        for end in (".", ",", ";", "!", "?", ":", "...", "…", ".)", "),", "»")
    ],
    *[(f"{url}{end}", [url]) for url in (A, B, C) for end in "。，、；！？：．｡､؛،؟۔।॥።፣។၊။։།·•"],
    *[(f"({url}{end})", [url]) for url in (A, B, C, PLACE) for end in (".", "!", "", ";", "。")],
    (f"See {A}. Then {C}!", [A, C]),
    (f"see {C} for details", [C]),
    (f"see {A} for details (or {C}).", [A, C]),
    (f"please look ({A}) here", [A]),
    (f"请看{A}谢谢", ["http://h.example/a.jpg谢谢"]),
    (f"请看 {A} 谢谢", [A]),
    (f"{PLACE}", [PLACE]),
    (f"({PLACE})", [PLACE]),
    (f"see ({PLACE}).", [PLACE]),
    ("http://[::1]:8080/a.jpg.", ["http://[::1]:8080/a.jpg"]),
]

SPACES = [
    ("http://h.example/my photo.jpg", ["http://h.example/my%20photo.jpg"]),
    ("http://h.example/my photo 1.jpg", ["http://h.example/my%20photo%201.jpg"]),
    ("http://h.example/photo (1).jpg", ["http://h.example/photo%20(1).jpg"]),
    ("http://h.example/my dir/photo (1).JPG?x=1 front view", ["http://h.example/my%20dir/photo%20(1).JPG?x=1"]),
    ("http://h.example/Main St, 5.jpg", ["http://h.example/Main%20St,%205.jpg"]),
    (
        "http://h.example/my photo.jpg, http://h.example/the other.jpg",
        ["http://h.example/my%20photo.jpg", "http://h.example/the%20other.jpg"],
    ),
    ("http://h.example/my photo.jpg front view", ["http://h.example/my%20photo.jpg"]),
    ("http://h.example/get?file=my photo.jpg", ["http://h.example/get?file=my%20photo.jpg"]),
    (
        "a.jpg (http://h.example/my photo.jpg),b.jpg (http://h.example/x)",
        ["http://h.example/my%20photo.jpg", "http://h.example/x"],
    ),
    ('"http://h.example/my photo"', ["http://h.example/my%20photo"]),
    ("<http://h.example/my photo>", ["http://h.example/my%20photo"]),
    ("http://h.example/100% done.jpg", ["http://h.example/100%25%20done.jpg"]),
    ("http://h.example/100% done%20now.jpg", ["http://h.example/100%25%20done%20now.jpg"]),
    ("http://h.example/5 %.jpg", ["http://h.example/5%20%25.jpg"]),
    ("http://h.example/50%/a b.jpg", ["http://h.example/50%25/a%20b.jpg"]),
    ("http://h.example/电表，1.jpg", ["http://h.example/电表，1.jpg"]),
    ("http://h.example/电表（1）.jpg", ["http://h.example/电表（1）.jpg"]),
    (f"{A}{C}", [A, C]),
]

ENTITIES = [
    (f"http://h.example/get?id=1{amp}sig=2", ["http://h.example/get?id=1&sig=2"])
    for amp in ("&amp;", "&AMP;", "&#38;", "&#038;", "&#x26;", "&#X26;", "&amp;amp;", "&amp;amp;amp;", "&amp;#38;", "&")
] + [
    ("http://h.example/get?a=1&copy=2&lt=3&sect=4", ["http://h.example/get?a=1&copy=2&lt=3&sect=4"]),
    ("&quot;" + A + "&quot;", [A]),
    (A + "&nbsp;front", [A]),
    ("http：//h.example/a.jpg", [A]),
    ("http：／／h.example/a.jpg", [A]),
    ("HTTP://H.Example/a.jpg", [A]),
    ("http:\\\\h.example\\a.jpg", [A]),
]

INSIDE = [
    f"http://proxy.example/?u={A}",
    f"http://proxy.example/{A}",
    "https://web.example/web/2020/https://h.example/a.jpg",
    "http://h.example/a,b;c|d",
    "http://h.example/a,b.jpg;v=1",
    "http://h.example/x[1]{2}(3).jpg",
    "http://h.example/d'Angelo.jpg",
    "http://h.example/a;jsessionid=1?x=(1,2)",
    "http://h.example/fonts?family=A|B",
    "http://h.example/a.jpg?rect=1,2,3;q|z",
    "http://h.example/a.jpg#xywh=1,2,3,4",
    "http://h.example/Foo–Bar",
    "http://h.example/Zähler/電表/عداد/मीटर.jpg",
    "http://h.example/a*b~c$d!e.jpg",
    "http://h.example/?q=a&amp=1",
    "http://h.example/n",
    "http://h.example/a@b:c",
    "http://h.example/sig=abc==",
    "http://h.example/-_",
]


def _urls(cell: str) -> list[str]:
    return [entry.url for entry in urls_in(cell)]


@pytest.mark.parametrize(("cell", "urls"), [*LISTS_OF_NAMES, *MARKUP, *JSON_AND_PYTHON, *ENDS, *SPACES, *ENTITIES])
def test_what_surrounds_urls_is_not_theirs(cell: str, urls: list[str]) -> None:
    assert _urls(cell) == urls
    assert all(entry.reason is None for entry in urls_in(cell))
    assert looks_like_url(cell) or looks_like_schemeless_url(cell)


@pytest.mark.parametrize("url", INSIDE)
def test_what_is_inside_a_url_stays(url: str) -> None:
    for cell in (
        url,
        f" {url} ",
        f"<{url}>",
        f'"{url}"',
        f"name ({url})",
        f"{url}, {A}",
        f"{A} {url}",
        json.dumps([url]),
    ):
        assert url in _urls(cell), cell
        assert set(_urls(cell)) <= {url, A}, cell


PART = st.lists(
    st.one_of(
        st.sampled_from("abcXYZ0189-_~.+*=&,;@$!'()[]|"),
        st.characters(categories=["Lu", "Ll", "Lo", "Nd"], codec="utf-8"),
        st.sampled_from(["%2F", "%20", "%E9"]),
    ),
    max_size=12,
).map("".join)


def _closes_all(part: str) -> bool:
    """Return whether the brackets of a URL's part come in pairs: what a lone one means, only its surroundings say."""
    depth: list[str] = []
    for character in part:
        if character in "([":
            depth.append(character)
        elif character in ")]" and (not depth or depth.pop() + character not in ("()", "[]")):
            return False
    return not depth


GENERATED_URL = (
    st.builds(
        "{}{}/{}/{}{}{}{}".format,
        st.sampled_from(["http://", "https://"]),
        st.sampled_from(["h.example", "10.1.2.3:8080", "a-b.h.example"]),
        PART,
        PART,
        st.sampled_from(["", ".jpg", ".JPEG", "/x", "1"]),
        st.one_of(st.just(""), st.builds("?sig={}z".format, PART), st.builds("?u=http://in.example/{}z".format, PART)),
        st.sampled_from(["", "#xy"]),
    )
    .map(lambda url: url + "z" if not url[-1].isalnum() else url)
    .filter(_closes_all)
    .filter(lambda url: "'" not in url or url.count("'") % 2 == 0)
    .filter(lambda url: ".jpg|" not in url.lower() and ".jpeg|" not in url.lower() and clean_url(url) == url)
)
SURROUNDINGS: list[Callable[[str], str]] = [
    str,
    "<{}>".format,
    '"{}"'.format,
    "\u201c{}\u201d".format,
    "({})".format,
    "[{}]".format,
    "（{}）".format,
    "name.jpg ({})".format,
    "a (1).png ({})".format,
    "[text]({})".format,
    '![alt]({} "title")'.format,
    "label|{}".format,
    "front: {}".format,
    "正面：{}".format,
    "see {} for details".format,
    "{}, front view".format,
    "{} | front view".format,
    "{}.".format,
    "{}。".format,
    "{}؛".format,
    "{}।".format,
    lambda url: f'<a href="{html.escape(url, quote=False)}" target="_blank">View</a>',
    lambda url: f'<img src="{html.escape(url, quote=False)}">',
]
SEPARATORS = [
    ", ",
    "; ",
    " | ",
    "\n",
    "\r\n",
    "\t",
    " ",
    "  ",
    " / ",
    " and ",
    " und ",
    " · ",
    "•",
    "、",
    "，",
    "；",
    "<br>",
    "<br />",
    " & ",
    ",",
    ";",
    "|",
    ",\n",
    ";#",
    "\u3000",
]


@given(
    st.lists(st.tuples(GENERATED_URL, st.sampled_from(SURROUNDINGS)), min_size=1, max_size=5),
    st.sampled_from(SEPARATORS),
)
@settings(max_examples=400)
def test_whatever_surrounds_them_urls_come_out_once_in_order_as_they_are(
    pieces: list[tuple[str, Callable[[str], str]]], separator: str
) -> None:
    # Without a blank, words behind a comma may as well be the URL's own.
    tight = separator in (",", ";", "|", "•", ";#")
    pieces = [(url, str if tight and re.match(r".*\w.*\0", around("\0")) else around) for url, around in pieces]
    cell = separator.join(around(url) for url, around in pieces)
    assert _urls(cell) == list(dict.fromkeys(url for url, _around in pieces))


@given(st.lists(GENERATED_URL, min_size=1, max_size=5), st.booleans(), st.booleans())
def test_lists_of_programs(urls: list[str], objects: bool, escaped: bool) -> None:
    value = [{"filename": "a.jpg", "url": url} for url in urls] if objects else urls
    written = json.dumps(value, ensure_ascii=escaped)
    once = list(dict.fromkeys(urls))
    assert _urls(written) == once
    if escaped:
        assert _urls(written.replace("/", "\\/").replace("&", "\\u0026")) == once
    if not any("'" in url for url in urls):
        assert _urls(str(value)) == once


PIECES = st.lists(
    st.one_of(
        st.text(max_size=5),
        st.sampled_from(
            [
                "http://",
                "https://h.example/",
                "HTTP:\\\\",
                "http：／／",
                "h.example/",
                "a.jpg",
                ".jpg",
                " ",
                ", ",
                "(",
                ")",
                "[",
                "]",
                "<",
                ">",
                '"',
                "'",
                "\\",
                "\\/",
                "\\n",
                "&amp;",
                "&#38;",
                "&amp",
                "&lt;",
                "%",
                "%2F",
                "…",
                "...",
                "。",
                "（",
                "）",
                "|",
                ";",
                "{",
                "}",
                "?",
                "#",
                "@",
                ":",
                "::",
                "[::1]",
                "ftp://",
                "\u200b",
                "\u00a0",
                "*",
                "/",
            ]
        ),
    ),
    max_size=14,
).map("".join)


@given(PIECES)
@settings(max_examples=500)
@example("http://h.example/a.jpg,b c")
@example("http://¶。")
@example("http:// http://)")
@example('0"h.example/HTTP:\\\\.JPE')
def test_what_came_out_comes_out_again(cell: str) -> None:
    entries = urls_in(cell)
    assert len(set(entries)) == len(entries)
    for entry in entries:
        if entry.reason is None:
            assert clean_url(entry.url) == entry.url
            assert _urls(entry.url) == [entry.url]


MEGABYTE = 1_000_000
HOSTILE = {
    "labels": "a.a-" * (MEGABYTE // 4),
    "labels of one letter": "a." * (MEGABYTE // 2),
    "brackets": "(" * MEGABYTE,
    "brackets in pairs": "(" * (MEGABYTE // 2) + ")" * (MEGABYTE // 2),
    "lists": "[" * MEGABYTE,
    "lists in pairs": "[" * (MEGABYTE // 2) + "]" * (MEGABYTE // 2),
    "objects": '{"a":' * (MEGABYTE // 5) + "}",
    "schemes": "http:" * (MEGABYTE // 5),
    "beginnings": "http://" * (MEGABYTE // 7),
    "beginnings with blanks": "http:// " * (MEGABYTE // 8),
    "beginnings with brackets": "(http://" * (MEGABYTE // 8),
    "entities": "&amp;" * (MEGABYTE // 5),
    "one entity": "&" + "amp;" * (MEGABYTE // 4),
    "percents": "%" * MEGABYTE,
    "quotes": "'" * MEGABYTE,
    "double quotes": '"' * MEGABYTE,
    "blanks": " " * MEGABYTE,
    "tabs": "\t" * MEGABYTE,
    "slashes": "/" * MEGABYTE,
    "backslashes": "\\" * MEGABYTE,
    "wide brackets": "\uff09" * MEGABYTE,
    "extensions": ".jpg" * (MEGABYTE // 4),
    "extensions with blanks": "a .jpg " * (MEGABYTE // 7),
    "pipes": ".jpg|" * (MEGABYTE // 5),
    "stops": "\u3002" * MEGABYTE,
    "ellipses": "http://h/a... " * (MEGABYTE // 14),
    "invisible": "\u200b" * MEGABYTE,
    "digits": "1" * MEGABYTE,
    "words": "a b " * (MEGABYTE // 4),
    "commas": "a,b;" * (MEGABYTE // 4),
    "tags": "<a " * (MEGABYTE // 3),
    "numbers": "[" + "1" * MEGABYTE + "]",
    "colons": ":" * MEGABYTE,
    "other schemes": "ftp://" * (MEGABYTE // 6),
    "scheme letters": "a+" * (MEGABYTE // 2) + "://",
    "number signs": "&#" * (MEGABYTE // 2),
    "zeros": "&#" + "0" * MEGABYTE,
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("before", ['"http://h.example/', "h.example/"])
def test_a_cell_that_means_harm_is_read_in_a_moment(before: str, kind: str) -> None:
    cell = before + HOSTILE[kind]
    with costs_at_most(3):  # a quarter of it on a machine that does nothing besides
        urls_in(cell)
        looks_like_url(cell)
        looks_like_schemeless_url(cell)


@pytest.mark.parametrize("separator", [",", ", ", "\n", " and ", " (x), "])
def test_many_urls_in_one_cell_cost_what_they_cost_alone(separator: str) -> None:
    urls = [f"https://photos.example/2026/{number}.jpg" for number in range(50_000)]
    with costs_at_most(3):
        found = _urls(separator.join(urls))
    assert found == urls
