"""The Review page as a person uses it, in a real browser, by keys; with a second person, and a server that dies."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, Dialog, Locator, Page, Request, Route, expect

from meter_pipeline.labels import NOISE
from meter_pipeline.review.reviewed_images import current_state
from meter_pipeline.review.state import State
from meter_pipeline_tests.support.browser import NEEDS_CHROMIUM
from meter_pipeline_tests.support.commands import METER, environment, free_port, wait_until_up
from meter_pipeline_tests.support.review_lake import LARGE, STRANGERS, ReviewLake, write_clusters, write_review_lake

pytestmark = [pytest.mark.slow, *NEEDS_CHROMIUM]
PATIENCE_MS = 20_000
LOOKS_FOR_CHANGES_MS = 15_000
"""The page looks every 5 seconds."""
SECONDS_PER_ROW = 1.0
"""What a person needs to look over a row of photos."""
RECONNECTS_MS = 120_000
"""Streamlit waits up to a minute between two tries."""
SLOW = 6
"""A machine of tests may be so many times slower than the one that the limits are for."""
NEXT_GROUP_MS, MARK_MS = 300, 50

# From the key to the frame that shows what it did, as the page's own clock has it.
CLOCK = """
window.clock = { took: {} };
const page = () => {
  for (const node of document.querySelectorAll("*")) {
    const root = node.shadowRoot?.querySelector("#review");
    if (root) return root;
  }
  return document.querySelector("#review");
};
const seen = {
  " ": (root) => root.querySelectorAll(".marked").length,
  "Enter": (root) => root.querySelector("h2")?.textContent,
};
window.addEventListener("keydown", (event) => {
  const look = seen[event.key], root = page();
  if (!look || !root) return;
  const start = event.timeStamp, before = look(root);
  let frames = 0;
  const wait = () => {
    if (look(page()) !== before) {
      (window.clock.took[event.key] ??= []).push(performance.now() - start);
    } else if (frames++ < 600) requestAnimationFrame(wait);
  };
  requestAnimationFrame(() => requestAnimationFrame(wait));
}, true);
"""

# Decisions on photos as a person with quick fingers makes them, through the page's own outbox.
ONE_AFTER_ANOTHER = """
(root, photos) => {
  const next = () => {
    if (!photos.length) return;
    root.review.decide("junk", [photos.shift()], { cluster_id: 0 });
    setTimeout(next, 60);
  };
  next();
}
"""


class Dashboard:
    """`meter dashboard` on a data directory; it may be killed and started again under the same address."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [*METER, "dashboard", "--port", str(self.port)],
            env=environment(self.data_dir),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        wait_until_up(self._process, self.port)

    def kill(self) -> None:
        """End it as a power cut does, with all that it started."""
        assert self._process is not None
        everything = [self._process, *psutil.Process(self._process.pid).children(recursive=True)]
        for process in everything:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for process in everything:
            process.wait(30)


class Desk:
    """One person's browser on the page Review."""

    def __init__(self, browser: Browser, url: str, by: str) -> None:
        self.context = browser.new_context(viewport={"width": 1440, "height": 900})
        self.context.add_init_script(CLOCK)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.outside: list[str] = []
        self.broken: list[str] = []
        self.page.on("request", self._asked)
        self.page.on("pageerror", lambda error: self.broken.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.goto(f"{url}/review")
        self.root: Locator = self.page.locator("div#review")
        self.cards.first.wait_for()
        box = self.page.get_by_label("Your name")
        box.fill(by)
        box.press("Enter")
        until(lambda: self.root.evaluate("root => root.review.data.by") == by, "the page knows who it is")
        self.cards.first.focus()

    def _asked(self, request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")):
            self.outside.append(request.url)

    def _dialog(self, dialog: Dialog) -> None:
        self.broken.append(f"a script opened a dialog: {dialog.message}")
        dialog.dismiss()

    @property
    def cards(self) -> Locator:
        return self.root.locator(".card")

    @property
    def photos(self) -> Locator:
        return self.root.locator(".photo")

    @property
    def title(self) -> Locator:
        return self.root.locator("h2")

    @property
    def notices(self) -> Locator:
        return self.root.locator(".notices")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def open(self, cluster_id: int) -> None:
        """Open a group by its card."""
        name = "Noise" if cluster_id == NOISE else f"Group {cluster_id}:"
        self.cards.filter(has_text=name).dblclick()
        expect(self.title).to_contain_text(name)

    def back(self) -> None:
        self.press("b")
        self.cards.first.wait_for()

    def name(self, label: str) -> None:
        """Type a class into the palette and take what Enter takes."""
        self.root.get_by_label("Name of the class").fill(label)
        self.root.locator('.choice[aria-selected="true"]').wait_for()
        self.press("Enter")

    def arrive(self, words: str) -> None:
        """Wait for a group; photos that come back without their name before it are passed over."""
        again = self.title.filter(has_text="named in bulk")
        there = self.title.filter(has_text=words)
        while True:
            expect(again.or_(there)).to_be_visible()
            if there.count():
                return
            shown = self.photos.first.get_by_role("img").get_attribute("src")
            self.press("s")
            expect(self.root.locator(f'.single img[src="{shown}"]')).to_have_count(0)

    def stored(self) -> None:
        """Wait until everything that was decided is acknowledged."""
        until(lambda: not self.root.evaluate("root => root.review.outbox.length"), "all is stored", 60)

    def says(self, words: str | re.Pattern[str], timeout: float = PATIENCE_MS) -> None:
        expect(self.notices).to_contain_text(words, timeout=timeout)

    def took(self, key: str) -> list[float]:
        """Return how many ms each press of a key took until its effect was on the screen."""
        found: list[float] = self.page.evaluate("key => window.clock.took[key] ?? []", key)
        return found

    def close(self) -> None:
        assert self.outside == []
        assert self.broken == []
        self.context.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> ReviewLake:
    return write_review_lake(tmp_path_factory.mktemp("review") / "data")


@pytest.fixture(scope="module")
def served(written: ReviewLake) -> Iterator[Dashboard]:
    dashboard = Dashboard(written.layout.root)
    dashboard.start()
    yield dashboard
    dashboard.kill()


@pytest.fixture
def lake(written: ReviewLake, served: Dashboard) -> ReviewLake:
    """The lake as it was written, with no decision; the same dashboard serves it to all tests."""
    shutil.rmtree(written.layout.decisions, ignore_errors=True)
    write_clusters(written.layout, written.members)
    return written


@pytest.fixture
def sit(browser: Browser, served: Dashboard, lake: ReviewLake) -> Iterator[Callable[[str], Desk]]:
    """Let a person open the page; nothing may be asked of any other machine, and no script may fail."""
    desks: list[Desk] = []

    def open_page(by: str = "anna") -> Desk:
        desks.append(Desk(browser, served.url, by))
        return desks[-1]

    yield open_page
    for desk in desks:
        desk.close()


def files_of(lake: ReviewLake) -> list[dict[str, Any]]:
    """Return the decision files, the oldest first; what a kill left half written does not count anywhere."""
    found = [json.loads(path.read_bytes()) for path in lake.layout.decisions.glob("*/[!.]*.json")]
    return sorted(found, key=lambda content: content["at"])


def has_files(lake: ReviewLake, number: int) -> bool:
    return len(files_of(lake)) >= number


def words_of(lake: ReviewLake) -> dict[str, tuple[str, str | None]]:
    """Return what counts now: photo to action and class."""
    state: State = current_state(lake.layout)
    return {image_id: (word.decision.action.value, word.label) for image_id, word in state.words.items()}


def until(true: Callable[[], bool], what: str, timeout_s: float = 20) -> None:
    """Wait until something on the disk is so."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_three_hundred_photos_with_twelve_strangers_are_named_by_keys_alone(
    sit: Callable[[str], Desk], lake: ReviewLake
) -> None:
    desk = sit("anna")
    expect(desk.cards.first).to_contain_text("Group 0")
    start = time.monotonic()
    desk.press("Enter")
    expect(desk.title).to_contain_text(f"Group 0: {LARGE} photos")
    first = [desk.photos.nth(place).get_attribute("data-index") for place in range(3)]
    assert first == ["0", "1", "2"]
    for _ in range(3):
        desk.press("Space")
        desk.press("Space")
    out = desk.root.locator(".photo.out")
    desk.press("x", "Home", "x")
    expect(out).to_have_count(0)
    desk.press("Home", *["Shift+ArrowRight"] * (STRANGERS - 1), "x")
    expect(out).to_have_count(STRANGERS)
    desk.press("Enter")
    desk.name("HPL WHITE")
    expect(desk.title).to_contain_text("Group 1")
    seconds = time.monotonic() - start
    rows = len(desk_rows(desk, LARGE))
    marks, nexts = desk.took(" "), desk.took("Enter")
    print(
        f"\n300 photos: {seconds:.1f} s of the machine, {seconds + SECONDS_PER_ROW * rows:.0f} s with"
        f" {rows} rows read; key to mark {sorted(marks)[len(marks) // 2]:.0f} ms (worst {max(marks):.0f});"
        f" Enter to the next group {nexts[-1]:.0f} ms; to the first {nexts[0]:.0f} ms"
    )
    until(lambda: len(files_of(lake)) == 2, "both decisions are on the disk")
    exclude, name = files_of(lake)
    assert (exclude["action"], len(exclude["image_ids"]), len(exclude["target"])) == ("exclude", 12, LARGE - STRANGERS)
    assert set(exclude["image_ids"]) == set(lake.strangers)
    assert (name["action"], name["target"], name["by"]) == ("name", "HPL WHITE", "anna")
    assert set(name["image_ids"]) == set(lake.members[0]) - set(lake.strangers)
    assert seconds + SECONDS_PER_ROW * rows < 60 * SLOW
    assert sorted(marks)[len(marks) // 2] < MARK_MS * SLOW
    assert nexts[-1] < NEXT_GROUP_MS * SLOW


def desk_rows(desk: Desk, photos: int) -> range:
    """Return the rows that so many photos take at this width."""
    tops: list[int] = desk.photos.evaluate_all("nodes => nodes.map((node) => node.offsetTop)")
    in_a_row = max(Counter(tops).values())
    return range(-(-photos // in_a_row))


def test_groups_are_merged_split_moved_and_grown_and_all_of_it_is_undone_also_after_a_kill(
    sit: Callable[[str], Desk], lake: ReviewLake, served: Dashboard
) -> None:
    desk = sit("anna")
    desk.open(1)
    desk.press("g")
    desk.says("Group 2 is merged into this one.")
    expect(desk.title).to_contain_text("Group 1: 23 photos")
    desk.press("Enter")
    desk.name("GREEN")
    desk.arrive("Group 0")
    desk.back()

    desk.open(3)
    desk.press("k")
    desk.says("Split into 2 parts; the others follow.")
    desk.arrive("Part 1 of 2: 11 photos")
    desk.press("Enter")
    desk.name("BROWN")
    desk.arrive("Part 2 of 2: 7 photos")
    desk.press("Shift+ArrowRight", "k")
    desk.arrive("Part 2 of 2: 5 photos")
    desk.press("j")
    desk.arrive("Split off: 2 photos")
    desk.press("s")
    desk.arrive("Group 0")
    desk.back()

    desk.open(5)
    desk.press("m")
    desk.says("Mark the photos to be moved first")
    desk.press("Shift+ArrowRight", "m")
    desk.name("LT2")
    desk.arrive("Group 5: 6 photos")
    desk.press("1")
    desk.arrive("Group 0")
    desk.press(*["Shift+ArrowRight"] * (STRANGERS - 1), "x", "l")
    desk.name("WHITE")
    desk.arrive("Look-alikes, nearest first: are they all WHITE?")
    expect(desk.photos).to_have_count(20)
    desk.press("Enter")
    expect(desk.photos.nth(25)).to_be_visible()
    desk.press(*["ArrowRight"] * 10, "Shift+End", "x")
    expect(desk.root.locator(".photo:not(.out)")).to_have_count(10)
    desk.press("Enter")
    desk.arrive("Group 3: 2 photos")  # said later
    desk.stored()

    said = words_of(lake)
    by_label: dict[str | None, set[str]] = {}
    for image_id, (_, label) in said.items():
        by_label.setdefault(label, set()).add(image_id)
    of_design = {design: {i for i, own in lake.designs.items() if own == design} for design in lake.designs.values()}
    assert by_label["GREEN"] == set(lake.members[1] + lake.members[2])
    assert by_label["BROWN"] == of_design["brown"]
    assert by_label["WHITE"] == of_design["white"]
    assert (len(by_label["LT2"]), len(by_label["HPL_BLUE"])) == (2, 6)
    assert Counter(said[image_id][0] for image_id in of_design["pink"]) == {
        "junk": 5,
        "exclude": 2,
    }  # said later, then taken out

    undone_and_redone(desk, lake, "WHITE", 10)
    served.kill()
    served.start()
    late = sit("anna")
    undone_and_redone(late, lake, "WHITE", 10)
    write_clusters(lake.layout, {7: lake.members[0], NOISE: lake.members[4]}, revision=2)
    undone_and_redone(late, lake, "WHITE", 10)


def undone_and_redone(desk: Desk, lake: ReviewLake, label: str, photos: int) -> None:
    """Take what the last key decided back by keys, and take that back."""
    before = words_of(lake)
    desk.press("Control+z")
    desk.says("Undone")
    after = words_of(lake)
    changed = [image_id for image_id in before if after.get(image_id) != before[image_id]]
    assert sum(before[image_id] == ("name", label) for image_id in changed) == photos
    assert {before[image_id] for image_id in changed} <= {("name", label), ("exclude", None)}
    desk.press("Control+y")
    desk.says("Done again")
    assert words_of(lake) == before
    for close in desk.notices.get_by_role("button", name="Close").all()[::-1]:
        close.click()


def test_two_people_on_one_group_hear_of_each_other_and_nothing_is_overwritten(
    sit: Callable[[str], Desk], lake: ReviewLake
) -> None:
    anna, bob = sit("anna"), sit("<b>bob</b>")
    for desk in (anna, bob):
        desk.open(5)
    anna.press("1")
    anna.arrive("Group 0")
    anna.stored()
    bob.press("Enter")
    bob.name("OTHER")
    bob.says("anna named 8 photos of these HPL_BLUE a moment ago. That was kept.")
    assert {words_of(lake)[image_id] for image_id in lake.members[5]} == {("name", "HPL_BLUE")}
    bob.notices.get_by_role("button", name="Replace it").click()
    until(
        lambda: {words_of(lake)[image_id] for image_id in lake.members[5]} == {("name", "OTHER")},
        "Bob's word counts now",
    )

    for desk in (anna, bob):
        desk.back()
        desk.open(1)
    bob.press("j")
    bob.arrive("Group 0")
    anna.says("14 photos left", timeout=LOOKS_FOR_CHANGES_MS)
    anna.press("Enter")
    anna.name("GREEN")
    anna.says("<b>bob</b> called 14 of these junk a moment ago. That was kept.")
    assert {words_of(lake)[image_id] for image_id in lake.members[1]} == {("junk", None)}


def test_no_decision_is_lost_or_doubled_when_the_dashboard_is_killed_between_them(
    sit: Callable[[str], Desk], lake: ReviewLake, served: Dashboard
) -> None:
    desk = sit("anna")
    desk.open(0)
    for turn in range(2):  # in the middle of twenty decisions; those after the kill wait in the page
        photos = lake.members[0][20 * turn : 20 * (turn + 1)]
        desk.root.evaluate(ONE_AFTER_ANOTHER, photos)
        until(partial(has_files, lake, 20 * turn + 5), "some are stored")
        served.kill()
        desk.says("They are kept here and sent again.")
        served.start()
        desk.stored()
    said = desk.root.evaluate("root => root.review.visit.done.flatMap((each) => each.ids ?? [each])")
    files = files_of(lake)
    assert len(said) == 40
    assert Counter(content["decision_id"] for content in files) == Counter(said)
    decided = Counter(image_id for content in files for image_id in content["image_ids"])
    assert decided == Counter(lake.members[0][:40])
    expect(desk.notices).not_to_contain_text("not stored yet")
    # Streamlit's own connection comes back later, and until then its dialog takes the keys.
    expect(desk.page.get_by_role("dialog")).to_have_count(0, timeout=RECONNECTS_MS)
    desk.back()
    expect(desk.cards.first).to_contain_text(f"Group 0: {LARGE - 40} photos")


def test_an_answer_that_was_cut_short_is_asked_for_again(
    sit: Callable[[str], Desk], lake: ReviewLake, served: Dashboard
) -> None:
    desk = sit("anna")
    desk.open(0)
    photos = lake.members[0][:2]
    cut: list[Request] = []

    def half(route: Route) -> None:  # as a dashboard that is killed while it answers
        cut.append(route.request)
        route.fulfill(status=200, content_type="application/json", body='{"done": [')

    desk.page.route("**/review/decisions", half, times=1)
    desk.root.evaluate(ONE_AFTER_ANOTHER, list(photos))
    desk.says("They are kept here and sent again.")
    desk.stored()
    assert cut
    decided = Counter(image_id for content in files_of(lake) for image_id in content["image_ids"])
    assert [decided[image_id] for image_id in photos] == [1, 1]


def test_odd_names_lost_photos_and_broken_files_are_said(
    sit: Callable[[str], Desk], lake: ReviewLake, served: Dashboard
) -> None:
    markup = "<img src=x onerror=alert(1)>"
    (lake.layout.raw / markup).mkdir(exist_ok=True)
    lost = lake.layout.image(lake.members[4][0])
    kept = lost.read_bytes()
    lost.unlink()
    shutil.rmtree(lake.layout.root / "cache", ignore_errors=True)
    try:
        desk = sit("anna")
        for group, typed, called in (
            (5, "मीटर नीला", "मीटर नीला"),
            (3, "A/B\\C", "A_B_C"),
            (2, "<script>alert(1)</script>", "script_alert(1)_script"),
        ):
            desk.open(group)
            desk.press("Enter")
            box = desk.root.get_by_label("Name of the class")
            box.fill(typed)
            desk.root.get_by_text(f"New class: {typed}", exact=True).wait_for()
            if called != typed:
                desk.root.get_by_text(f"It is written {called}.").wait_for()
            box.press("Enter")
            desk.arrive("Group 0")
            desk.stored()
            assert {words_of(lake)[image_id] for image_id in lake.members[group]} == {("name", called)}
            desk.back()
        desk.open(4)
        desk.photos.get_by_text(re.compile("not on the disk any more")).wait_for()
        desk.press("Enter")
        box = desk.root.get_by_label("Name of the class")
        box.fill("onerror")
        desk.root.get_by_role("option", name=markup).wait_for()
        box.fill("HPL BLUE")
        desk.root.get_by_text("Nearly the same: HPL_BLUE").wait_for()
        desk.press("Escape")
        desk.back()
        (lake.layout.decisions / "2026-11").mkdir(parents=True, exist_ok=True)
        (lake.layout.decisions / "2026-11" / "broken.json").write_text("{")
        expect(desk.root).to_contain_text("broken.json", timeout=LOOKS_FOR_CHANGES_MS)
        write_clusters(lake.layout, {})
        expect(desk.root).to_contain_text("Nothing waits to be named", timeout=LOOKS_FOR_CHANGES_MS)
    finally:
        lost.write_bytes(kept)
        (lake.layout.raw / markup).rmdir()


def test_a_group_made_anew_under_an_open_page_is_said(sit: Callable[[str], Desk], lake: ReviewLake) -> None:
    desk = sit("anna")
    desk.open(3)
    came, waiting = lake.members[NOISE][:5], lake.members[NOISE][5:] + lake.members[3][:3]
    write_clusters(lake.layout, lake.members | {3: lake.members[3][3:] + came, NOISE: waiting}, revision=2)
    desk.says("3 photos left, 5 came", timeout=LOOKS_FOR_CHANGES_MS)
    expect(desk.title).to_contain_text("Group 3: 18 photos")
    desk.notices.get_by_role("button", name="Show it as it is now").click()
    expect(desk.title).to_contain_text("Group 3: 20 photos")


def test_a_clusters_card_opens_its_group_and_several_groups_are_named_at_once(
    sit: Callable[[str], Desk], lake: ReviewLake, served: Dashboard
) -> None:
    desk = sit("anna")
    before = len(files_of(lake))
    for key in ("Home", " ", "ArrowRight", " ", "n"):
        desk.page.keyboard.press(key)
    desk.root.get_by_text("Name 2 groups").wait_for()
    desk.page.keyboard.type("TWO AT ONCE")
    desk.root.get_by_text("New class: TWO AT ONCE").wait_for()
    desk.page.keyboard.press("Enter")
    until(lambda: has_files(lake, before + 2), "both are named")
    assert {content["target"] for content in files_of(lake)[before:]} == {"TWO AT ONCE"}

    desk.page.goto(f"{served.url}/unknowns")
    link = desk.page.locator('a[href^="review?group="]:not([href$="=-1"])').first
    group = str(link.get_attribute("href")).rpartition("=")[2]
    link.click()
    expect(desk.title).to_contain_text(f"Group {group}:")
