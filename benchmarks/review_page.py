"""Photos per decision at the review page on real photos: with its suggestions, merges and look-alikes, and without.

    python benchmarks/review_page.py ../shared/field-photos --work WORK [--split 0 1 2 3]

WORK is that of `benchmarks/loop.py`: of each split the state `first` is copied, in which the first half of the unseen
designs and junk is dropped and clustered and nothing is decided. The reviewer who knows what photos show then works
through the page's groups, in its order, by what the page offers (`review.page.desk`): strangers are taken out with the
name; a group that stands beside and shows the same design is merged first (one key, one decision); a design that was
named before and is suggested is one key instead of a typed name; after a name, look-alikes are looked at page by page
while at least half of a page is of the design. A photo counts once.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from loop_photos import field_photos
from loop_reviewer import JUNK

from meter_pipeline.review.decisions import new_decision_id
from meter_pipeline.review.page.desk import ReviewDesk
from meter_pipeline.review.page.wishes import Wish
from meter_pipeline.storage.layout import Layout

PAGE = 20
WAYS = {
    "names alone": (False, False),
    "merges": (True, False),
    "merges and look-alikes": (True, True),
}


@dataclass
class Tally:
    """What the reviewer did: `asked` is whatever he typed a name for, `keys` what a suggestion saved."""

    decisions: int = 0
    typed: int = 0
    suggested: int = 0
    named: int = 0
    junk: int = 0
    pages: int = 0


class Reviewer:
    """One who knows what photos show, at the desk."""

    def __init__(self, desk: ReviewDesk, truth: dict[str, str], *, merges: bool, grows: bool) -> None:
        self.desk, self.truth, self.merges, self.grows = desk, truth, merges, grows
        self.tally = Tally()

    def work(self) -> Tally:
        """Go through all groups in the page's order; those that a merge or look-alikes emptied are not shown again."""
        looked_at: set[int] = set()
        while True:
            groups = self.desk.overview()["groups"]
            waiting = [g["cluster_id"] for g in groups if g["cluster_id"] >= 0 and g["cluster_id"] not in looked_at]
            if not waiting:
                return self.tally
            looked_at.add(waiting[0])
            self.look_at(self.desk.group(waiting[0]), looked_at)

    def look_at(self, group: dict[str, Any], looked_at: set[int]) -> None:
        """Decide on one group."""
        photos = [photo["id"] for photo in group["photos"]]
        design = Counter(sorted(self.truth[i] for i in photos)).most_common(1)[0][0]
        if self.merges:
            for other in group["similar"]:
                theirs = [photo["id"] for photo in self.desk.group(other["cluster_id"])["photos"]]
                if Counter(self.truth[i] for i in theirs).most_common(1)[0][0] == design:
                    photos += theirs
                    looked_at.add(other["cluster_id"])
                    self.say("group", [i for i in photos if self.truth[i] == design])
        rest = [i for i in photos if self.truth[i] == design]
        out = [i for i in photos if self.truth[i] != design]
        if out:
            self.say("exclude", out, tuple(rest))
        if design == JUNK:
            self.say("junk", rest)
            self.tally.junk += len(rest)
            return
        if design in [each["label"] for each in group["suggestions"]]:
            self.tally.suggested += 1
        else:
            self.tally.typed += 1
        self.say("name", rest, design)
        self.tally.named += len(rest)
        if self.grows:
            self.grow(rest, design)

    def grow(self, seeds: list[str], design: str) -> None:
        """Look at look-alikes page by page while at least half of a page is of the design."""
        start = 0
        while True:
            page = [photo["id"] for photo in self.desk.look_alikes(seeds, start, PAGE)["photos"]]
            self.tally.pages += 1
            right = [i for i in page if self.truth[i] == design]
            if right:
                self.say("name", right, design)
                self.tally.named += len(right)
            start += len(page) - len(right)
            if len(page) < PAGE or len(right) < PAGE / 2:
                return

    def say(self, action: str, image_ids: list[str], target: str | tuple[str, ...] | None = None) -> None:
        """Make a decision."""
        _, refused = self.desk.take([Wish(new_decision_id(), action, tuple(image_ids), target)], by="bench")
        assert not refused, refused
        self.tally.decisions += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--split", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    arguments = parser.parse_args()
    photos = field_photos(arguments.photos)
    shows = photos["label"].where(photos["role"] != "junk", JUNK)
    truth = dict(zip(photos["image_id"], shows, strict=True))
    rows = []
    for split in arguments.split:
        for way, (merges, grows) in WAYS.items():
            with tempfile.TemporaryDirectory() as folder:
                layout = Layout(Path(folder) / "data")
                shutil.copytree(arguments.work / f"split-{split}" / "first", layout.root, symlinks=True)
                tally = Reviewer(ReviewDesk(layout), truth, merges=merges, grows=grows).work()
            rows.append({"way": way, "split": split, **vars(tally)})
    found = pd.DataFrame(rows)
    found["named per decision"] = found["named"] / found["decisions"]
    found["named or junk per decision"] = (found["named"] + found["junk"]) / found["decisions"]
    print(found.to_markdown(index=False, floatfmt=".2f"))
    print(found.drop(columns="split").groupby("way", sort=False).mean().to_markdown(floatfmt=".2f"))


if __name__ == "__main__":
    main()
