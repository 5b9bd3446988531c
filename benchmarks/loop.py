"""One round of the loop on real photos, and a second one on top: clusters named, a model that knows them, the gate.

    python benchmarks/loop.py ../shared/field-photos --work WORK [--splits 5] [--split 0 2] [--only perfect errs second]

A split, by its seed (METER_SEED): the known photos go into `data/raw` with their groups; the pipeline splits and
trains. Its test photos, the unseen designs and the junk are halved by whole groups, other halves in each split. The
first half is dropped; a reviewer who knows what the photos show decides cluster by cluster, in decision files written
here (`loop_reviewer`); `meter train` promotes, trains again and asks the gate; the second half is dropped.

Before the round: the first model names the same photos. A photo counts where neither model was trained on it.
`errs`: a reviewer who errs on 3 % of the photos in clusters. `second`: from where the perfect one ended, he decides on
the UNKNOWN clusters of both halves and `meter train` runs again; before is what the model of the first round says.

A model that the gate holds or refuses is taken into use by `meter model accept`, so that the other figures can be
given; the verdict is printed. What is done is kept in WORK and not done again, so that this can run in pieces; splits
may run beside each other in processes of their own, with ports of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from loop_photos import designs_to_learn, dropped, field_photos
from loop_reviewer import JUNK, errors_on, say, write_decisions
from loop_scores import UNSEEN_BEFORE, by_class, compared, table, unseen_caught
from openpyxl import Workbook

from meter_pipeline.demo.image_server import ImageServer
from meter_pipeline.labels import Outcome, Promotion, Split
from meter_pipeline.storage.files import read_json, replacing, write_json
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, DATASET_SPLIT, PROMOTED_IMAGES, UNKNOWN_CLUSTERS

BACKBONE = "efficientnet_lite0"
ERRED_ON = 0.03
SHARED_CACHES = ("trunk", "plates")
PORT = 8911
ROUNDS = {"perfect": "perfect-eyed reviewer", "errs": "reviewer who errs on 3 %", "second": "second round"}
BEFORE = {"perfect": "before", "errs": "before", "second": "perfect"}
"""The data directory whose model is the one before the round."""
FROM = {"perfect": "first", "errs": "first", "second": "perfect"}
"""The data directory that the round starts from."""
UPDATES = {"perfect": ("old drop", "second drop"), "errs": ("old drop", "second drop"), "second": ("both drops",)}
"""What `meter update` is called for after the training."""
NOTES = {
    "perfect": "One pass over the clusters of the first half; what is in no cluster or was taken out is not decided.",
    "errs": "The same with errors; a photo that he misnames costs a decision of its own.",
    "second": "Of the second half those photos are left that neither model was trained on: mostly the ones that the"
    " first round named, and what is in no cluster.",
}


@dataclass(frozen=True)
class Bench:
    """One split: its folder, where the photos are, and what is done already.

    Attributes:
        folder: WORK/split-N, with a data directory per state.
        source: the field photos.
        photos: `field_photos`.
        seed: of the split.
        port: of the image server, the same each time, so that a drop's URLs stay.
        reads_print: whether plates are read for the clusters.
    """

    folder: Path
    source: Path
    photos: pd.DataFrame
    seed: int
    port: int
    reads_print: bool

    def layout(self, state: str) -> Layout:
        """Return a data directory of the split."""
        return Layout(self.folder / state)

    def once(self, stage: str, work: Callable[[], Any]) -> dict[str, Any]:
        """Do a stage unless it is done; return its seconds and result, which are kept."""
        kept = self.folder / "stages.json"
        stages: dict[str, dict[str, Any]] = read_json(kept) if kept.exists() else {}
        if stage not in stages:
            started = time.monotonic()
            result = work()
            stages[stage] = {"seconds": round(time.monotonic() - started), "result": result}
            write_json(kept, stages)
            print(f"split {self.seed}, {stage}: {stages[stage]['seconds']} s {json.dumps(result)}", flush=True)
        return stages[stage]

    def meter(self, state: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command on a data directory; its output is kept in WORK/split-N/logs.

        Raises:
            SystemExit: it failed.
        """
        own = {name: value for name, value in os.environ.items() if not name.startswith(("METER_", "DAGSTER_"))}
        settings = {
            "METER_DATA_DIR": str(self.folder / state),
            "METER_BACKBONE": BACKBONE,
            "METER_ALLOW_HOSTS": "127.0.0.1",
            "METER_CLUSTER_PRINT": "auto" if self.reads_print else "off",
            "METER_SEED": str(self.seed),
        }
        command = [sys.executable, "-m", "meter_pipeline.cli", *arguments]
        done = subprocess.run(command, env={**own, **settings}, capture_output=True, text=True, check=False)
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        with (logs / f"{state}.log").open("a", encoding="utf-8") as log:
            log.write(f"$ meter {' '.join(arguments)}\n{done.stdout}{done.stderr}[{done.returncode}]\n")
        if done.returncode:
            raise SystemExit(f"meter {' '.join(arguments)} on {self.folder / state}: {done.stdout}{done.stderr}")
        return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="data directories, and what is done already")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--split", type=int, nargs="+", help="these splits alone, by their seeds")
    parser.add_argument("--only", choices=list(ROUNDS), nargs="+", default=list(ROUNDS))
    parser.add_argument("--port", type=int, default=PORT, help="of the image server")
    parser.add_argument("--print", action="store_true", help="read plates for the clusters")
    parser.add_argument("--show", action="store_true", help="print the tables of the rounds that are done; run nothing")
    arguments = parser.parse_args()
    photos, work = field_photos(arguments.photos), arguments.work.resolve()
    found: dict[str, dict[int, dict[str, Any]]] = {state: {} for state in ROUNDS if state in arguments.only}
    for seed in range(arguments.splits) if arguments.split is None else arguments.split:
        source = arguments.photos.resolve()
        bench = Bench(work / f"split-{seed}", source, photos, seed, arguments.port, arguments.print)
        for state, splits in found.items():
            if not arguments.show:
                play(bench, state)
            if (bench.folder / f"{state}.json").exists():
                splits[seed] = read_json(bench.folder / f"{state}.json")
    for state, splits in found.items():
        if splits:
            show(state, splits)


def play(bench: Bench, state: str) -> None:
    """Play a round of a split, with all that it starts from, and keep its results in WORK/split-N/<round>.json."""
    start(bench)
    if state == "second":
        play(bench, "perfect")
    copied(bench, FROM[state], state)
    said = bench.once(f"{state}: decide", lambda: decide(bench, state))
    trained = bench.once(f"{state}: train", lambda: train(bench, state))
    updates = [
        bench.once(f"{state}: update, {what}", lambda what=what: update(bench, state, what)) for what in UPDATES[state]
    ]
    kept = bench.folder / f"{state}.json"
    if not kept.exists():
        seconds = {
            "seconds of training": trained["seconds"],
            "seconds of the updates": sum(update["seconds"] for update in updates),
        }
        write_json(kept, measured(bench, state, said["result"] | seconds, trained["result"]))


def start(bench: Bench) -> None:
    """Make the first model, drop the first half, and let the first model name the second half too, in a copy."""
    bench.folder.mkdir(parents=True, exist_ok=True)
    bench.once("first: photos", lambda: put_in_labelled(bench))
    bench.once("first: train", lambda: bench.meter("first", "train").returncode)
    bench.once("first: update, first drop", lambda: update(bench, "first", "first drop"))
    copied(bench, "first", "before")
    bench.once("before: update, second drop", lambda: update(bench, "before", "second drop"))


def put_in_labelled(bench: Bench) -> int:
    """Put the known photos and their groups in; return how many. What the trunk makes of photos is kept for all."""
    layout, known = bench.layout("first"), bench.photos[bench.photos["role"] == "known"]
    for name, label in zip(known["id"], known["label"], strict=True):
        (layout.raw / label).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bench.source / "photos" / f"{name}.jpg", layout.raw / label / f"{name}.jpg")
    known.assign(file=known["id"] + ".jpg")[["file", "group"]].to_csv(layout.raw / "groups.csv", index=False)
    layout.cache.mkdir(exist_ok=True)
    for name in SHARED_CACHES:
        shared = bench.folder.parent / name
        shared.mkdir(exist_ok=True)
        if not (layout.cache / name).exists():
            (layout.cache / name).symlink_to(shared, target_is_directory=True)
    return len(known)


def copied(bench: Bench, state: str, copy: str) -> None:
    """Copy a data directory, its links as links, with a history that says whose it is."""
    target = bench.folder / copy
    if target.exists():
        return
    with replacing(target) as temporary:
        shutil.copytree(bench.folder / state, temporary, symlinks=True)
        (temporary / "dagster_home" / "data_dir.txt").write_text(f"{target}\n", encoding="utf-8")


def drops_of(bench: Bench) -> pd.DataFrame:
    """Return the photos of the drops (`loop_photos.dropped`), by the split that the first training made."""
    split = bench.layout("first").lake.frame(DATASET_SPLIT)
    return dropped(bench.photos, split.loc[split["split"] == Split.TEST, "image_id"].tolist(), bench.seed)


def update(bench: Bench, state: str, what: str) -> int:
    """Drop one half, or nothing new, and run `meter update`; return the number of photos dropped."""
    half = {"first drop": 1, "second drop": 2}.get(what)
    drops = drops_of(bench)
    dropped_now = drops[drops["drop"] == half]
    with ImageServer(bench.source / "photos", port=bench.port, fallback=False) as server:
        file = bench.layout(state).drops / f"{what.replace(' ', '-')}.xlsx"
        if len(dropped_now) and not file.exists():
            book = Workbook()
            book.active.append(["photo"])
            for name in dropped_now["id"]:
                book.active.append([f"{server.base_url}/{name}.jpg"])
            with replacing(file) as temporary:
                book.save(temporary)
        bench.meter(state, "update")
    return len(dropped_now)


def decide(bench: Bench, state: str) -> dict[str, int]:
    """Look at the UNKNOWN clusters, write what the reviewer says of them, and return what he did."""
    layout = bench.layout(state)
    clusters = layout.lake.frame(UNKNOWN_CLUSTERS).merge(bench.photos, on="image_id", validate="one_to_one")
    clusters["shows"] = clusters["label"].where(clusters["role"] != "junk", JUNK)
    classes = sorted(set(bench.photos.loc[bench.photos["role"] != "junk", "label"]))
    errors = errors_on(clusters, ERRED_ON, classes, bench.seed) if state == "errs" else {}
    sayings = say(clusters, errors)
    revision = int(clusters["revision"].max()) if len(clusters) else None
    write_decisions(layout.decisions, sayings, by=state, revision=revision, model_version=in_use(layout))
    photos = {action: sum(len(s.image_ids) for s in sayings if s.action == action) for action in ("name", "junk")}
    return {
        "decisions": len(sayings),
        "photos named": photos["name"],
        "photos called junk": photos["junk"],
        "photos that the reviewer erred on": len(errors),
    }


def train(bench: Bench, state: str) -> dict[str, Any]:
    """Run `meter train`, take the model into use whatever the gate says, and return what it said."""
    layout, before = bench.layout(state), in_use(bench.layout(FROM[state]))
    bench.meter(state, "train")
    version = str(read_json(layout.challenger)["version"])
    if version == before:
        return {"version": version, "verdict": "the same model: nothing was promoted that it learns from", "why": []}
    report = read_json(layout.gate_report(version))
    if report["outcome"] != Outcome.ACCEPTED and in_use(layout) != version:
        bench.meter(state, "model", "accept", version, "--why", "benchmark")
    return {"version": version, "verdict": report["outcome"], "why": report["sentences"]}


def in_use(layout: Layout) -> str:
    """Return the version of the model in use."""
    return str(read_json(layout.champion)["version"])


def measured(bench: Bench, state: str, done: dict[str, int], trained: dict[str, Any]) -> dict[str, Any]:
    """Compare how the photos are named before and after the round with what they show."""
    after, before = bench.layout(state), bench.layout(BEFORE[state])
    cards = {layout: read_json(layout.models / in_use(layout) / "model.json") for layout in (before, after)}
    known = set(bench.photos.loc[bench.photos["role"] == "known", "label"])
    gained, to_learn = sorted(set(cards[after]["classes"]) - known), designs_to_learn(bench.photos)
    just_now = sorted(set(gained) - set(cards[before]["classes"]))
    shown = {image_id for card in cards.values() for image_id in card["trained_on"]}
    rows = {
        layout: drops_of(bench).merge(predictions(layout), on="image_id", validate="one_to_one") for layout in cards
    }
    counted = {layout: photos[~photos["image_id"].isin(shown)] for layout, photos in rows.items()}
    waiting, decisions = classes_waiting(after), max(done["decisions"], 1)
    figures = compared(counted[before], counted[after], gained)
    of_the_round = done | {
        "photos named per decision": done["photos named"] / decisions,
        "photos named or junk per decision": (done["photos named"] + done["photos called junk"]) / decisions,
        "classes gained": len(just_now),
        "classes gained, of designs with 7 photos or more": len(set(just_now) & set(to_learn)),
        "classes waiting": len(waiting),
    }
    return {
        "round": of_the_round,
        "before": figures["before"] | {UNSEEN_BEFORE: unseen_caught(rows[before], cards[before]["classes"])},
        "after": figures["after"],
        "verdict": trained["verdict"],
        "why": trained["why"],
        "gained": just_now,
        "waiting": waiting,
        "missed": sorted(set(to_learn) - set(gained) - set(waiting)),
        "second half by class": by_class(counted[after], gained),
    }


def predictions(layout: Layout) -> pd.DataFrame:
    """Return the final label of each photo."""
    return layout.lake.frame(BATCH_PREDICTIONS)[["image_id", "final_prediction"]].drop_duplicates("image_id")


def classes_waiting(layout: Layout) -> list[str]:
    """Return the classes that people named and that have too few meters to be learned."""
    promoted = layout.lake.frame(PROMOTED_IMAGES)
    promoted = promoted[(promoted["status"] == Promotion.PROMOTED) & promoted["class_meters_needed"].notna()]
    return sorted(set(promoted.loc[promoted["class_meters"] < promoted["class_meters_needed"], "label"]))


def show(state: str, splits: dict[int, dict[str, Any]]) -> None:
    """Print the table of one reviewer, then the verdict and the classes of each split."""
    print(f"\n{table(ROUNDS[state], splits)}\n\n{NOTES[state]}\n")
    for seed, found in splits.items():
        print(f"- split {seed}: {found['verdict']}. {' '.join(found['why'])}")
        lists = ("gained", "waiting", "missed")
        print("  " + "; ".join(f"{name}: {', '.join(found[name]) or 'none'}" for name in lists))
        print(f"  second half, right of all: {found['second half by class']}", flush=True)


if __name__ == "__main__":
    main()
