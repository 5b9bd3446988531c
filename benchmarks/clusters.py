"""Which way of clustering puts the designs of meters together that no model was shown: many sets, ways side by side.

    python benchmarks/clusters.py ../shared/field-photos --work WORK [--sets 4] [--print]
    python benchmarks/clusters.py ../shared/field-photos --work WORK --only sets|small|transfer|drawn|growth|scale

Models know 4, 6, 8 or 12 of the 16 known classes (three draws each), or the makers of one country alone (`transfer`);
the others are unseen to them (`cluster_photos`). Designs and junk are parted once into two halves with no photo in
both. Sets: 50 to 350 photos of up to 24 designs of 1 to 100 photos each, junk from none to two thirds, one photo in
twenty of a known class; and for each model all photos of both halves together. `small`: sets of 5 to 45 photos.
`drawn`: sets of drawn photos, by which nothing is chosen. `growth`: ids kept as a set grows by 20 %. `scale`: CPU
seconds and memory.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cluster_photos
import numpy as np
import pandas as pd
from cluster_baselines import k_reciprocal, umap_hdbscan, umap_hdbscan_cut, whitened
from cluster_photos import SeenPool, unit_view
from cluster_scores import cluster_scores
from sklearn.metrics import adjusted_rand_score

from meter_pipeline.discovery.continuity import keep_places, match_clusters
from meter_pipeline.discovery.grouping.clustering import cluster
from meter_pipeline.discovery.grouping.comparison import compared
from meter_pipeline.discovery.same_meter import hash_photos, same_meter_groups
from meter_pipeline.labels import NOISE
from meter_pipeline.recognition.embeddings import normalised, side_by_side

FEWEST_PHOTOS, MOST_PHOTOS = 50, 350
FEWEST_DESIGNS, MOST_DESIGNS = 3, 24
MOST_OF_A_DESIGN = 100
JUNK_SHARES = (0.0, 0.2, 0.4, 0.67)
FLAGGED_KNOWN = 0.05
SMALL_SIZES = (5, 8, 12, 16, 22, 30, 45)
HALVES = ("A", "B")


@dataclass(frozen=True)
class PhotoSet:
    """Photos of one half of the designs that a model was not shown.

    Attributes:
        seen: the photos under the model.
        half: A or B, or `all`.
        rows: which of them.
        meters: id of the meter on each photo of the pool, as far as near-duplicates tell.
    """

    seen: SeenPool
    half: str
    rows: np.ndarray
    meters: np.ndarray

    def compared(self, *, printed: bool) -> np.ndarray:
        """Return what the way in use compares the photos by."""
        embeddings = self.seen.embeddings
        chosen = embeddings.take(self.rows)
        codes = chosen.printed if printed else np.full_like(chosen.printed, -1)
        return compared(chosen.tuned, chosen.pretrained, self.seen.reference(embeddings), codes)


Way = Callable[[PhotoSet], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="where trained models and what they see are kept")
    parser.add_argument("--sets", type=int, default=4, help="sets per model and half")
    parser.add_argument("--print", action="store_true", help="also with what is printed on the plates (slow to read)")
    parser.add_argument("--models", nargs="+", help="names of the models; all if left out")
    parser.add_argument("--only", choices=["sets", "small", "transfer", "drawn", "growth", "scale"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="of scale")
    arguments = parser.parse_args()
    if arguments.only == "scale":
        show_scale(arguments.sizes)
        return
    drawn = arguments.only == "drawn"
    pool = cluster_photos.drawn_pool(arguments.work / "drawn") if drawn else cluster_photos.field_pool(arguments.photos)
    printed = cluster_photos.read_print(pool, arguments.work) if arguments.print else None
    models = cluster_photos.models_of(pool)
    if arguments.only == "transfer":
        models = {name: models[name] for name in cluster_photos.OTHER_COUNTRY}
    models = {name: models[name] for name in arguments.models or models}
    seen = [
        cluster_photos.see(pool, name, classes, arguments.work, printed=printed) for name, classes in models.items()
    ]
    if arguments.only == "small":
        show_ways([small for one in seen for small in small_sets(one, arguments.sets)], ways(arguments.print))
    elif arguments.only == "growth":
        show_growth([one for model in seen for one in sets_of(model, 1)], arguments.print)
    else:
        show_ways([one for model in seen for one in sets_of(model, arguments.sets)], ways(arguments.print))


def ways(printed: bool) -> dict[str, Way]:
    """Return the ways by name, the one before first."""
    found: dict[str, Way] = {
        "before (0014)": lambda one: umap_hdbscan_cut(
            before_compared(one),
            [unit_view(one.seen.pretrained, 0)[one.rows], unit_view(one.seen.tuned, 2)[one.rows]],
            one.meters[one.rows],
        ),
        "UMAP (10) + HDBSCAN (4, 2)": lambda one: umap_hdbscan(before_compared(one)),
        "k-reciprocal, k = 12, cut 0.7": lambda one: k_reciprocal(before_compared(one)),
        "**in use**": lambda one: cluster(one.compared(printed=False), meters=one.meters[one.rows]).labels,
    }
    if printed:
        found["**in use, plates read**"] = lambda one: (
            cluster(one.compared(printed=True), meters=one.meters[one.rows]).labels
        )
    return found


def before_compared(one: PhotoSet) -> np.ndarray:
    """Return what was compared before 0016: the tuned embedding, and both whitened by the known classes beside it."""
    embeddings = one.seen.embeddings.normalised()
    gaussians = one.seen.reference(embeddings).joint_gaussians
    assert gaussians
    chosen = embeddings.take(one.rows)
    look = whitened(gaussians, side_by_side(chosen.tuned, chosen.pretrained))
    return normalised(np.concatenate([chosen.tuned, look], axis=1))


def show_ways(sets: Sequence[PhotoSet], compared_ways: Mapping[str, Way]) -> None:
    """Print the ways side by side: mean and worst over the sets, and by kind of set."""
    kinds = {"A": "half A", "B": "half B", "all": "all photos of a model"} | {
        one.half: one.half for one in sets if one.half not in ("A", "B", "all")
    }
    print(f"{len(sets)} sets of {np.mean([len(one.rows) for one in sets]):.0f} photos in the mean")
    head = "AMI, mean / worst | purity | coverage | photos per decision | clusters per design | seconds"
    print(f"| way | sets | {head} |\n{'|---' * 8}|")
    for name, way in compared_ways.items():
        started = time.monotonic()
        scores = pd.DataFrame([asdict(score(one, way(one))) for one in sets])
        seconds = (time.monotonic() - started) / len(sets)
        parts = {"all sets": np.ones(len(sets), bool)}
        parts |= {words: np.array([one.half == kind for one in sets]) for kind, words in kinds.items()}
        for words, chosen in parts.items():
            part = scores[chosen]
            if len(part):
                cells = [f"{part[key].mean():.3f} / {part[key].min():.2f}" for key in ("ami", "purity")]
                cells += [
                    f"{part[key].mean():.2f}" for key in ("coverage", "photos_per_decision", "clusters_per_design")
                ]
                print(f"| {name} | {words} ({len(part)}) | {' | '.join(cells)} | {seconds:.2f} |", flush=True)
    best = np.mean([score(one, np.zeros(len(one.rows), int)).at_best for one in sets])
    print(f"If each design were one cluster, {best:.2f} photos per decision.")


def show_growth(sets: Sequence[PhotoSet], printed: bool) -> None:
    """Print the share of clustered photos that keep their cluster's id as each set grows to its size by 20 %."""
    found = pd.DataFrame([grown(one, draw, printed) for one in sets for draw in range(2)])
    print(
        f"ids kept at +20 %: mean {found['kept'].mean():.3f}, lowest {found['kept'].min():.3f} ({len(found)} growths); "
        f"then AMI {found['ami'].mean():.3f}, purity {found['purity'].mean():.3f}, clustered anew "
        f"{found['anew_ami'].mean():.3f}, {found['anew_purity'].mean():.3f}"
    )


def grown(one: PhotoSet, draw: int, printed: bool) -> dict[str, float]:
    order = np.random.default_rng(1000 + draw).permutation(one.rows)
    first = np.sort(order[: round(len(order) / 1.2)])
    before = PhotoSet(one.seen, one.half, first, one.meters)
    labels = cluster(before.compared(printed=printed), meters=one.meters[first]).labels
    place = dict(zip(first.tolist(), labels.tolist(), strict=True))
    anew = cluster(one.compared(printed=printed), meters=one.meters[one.rows]).labels
    previous = np.array([place.get(row, NOISE) for row in one.rows.tolist()])
    after, _ = keep_places(anew, previous, previous != NOISE)
    matched = match_clusters(
        pd.DataFrame({"image_id": list(map(str, place)), "cluster_id": list(place.values())}),
        dict(zip(map(str, one.rows.tolist()), after.tolist(), strict=True)),
        next_id=0,
    )
    now = dict(zip(matched.clusters["image_id"], matched.clusters["cluster_id"], strict=True))
    kept = [now[str(row)] == label for row, label in place.items() if label != NOISE]
    scores, scores_anew = score(one, after), score(one, anew)
    return {
        "kept": float(np.mean(kept)) if kept else 1.0,
        "ami": scores.ami,
        "purity": scores.purity,
        "anew_ami": scores_anew.ami,
        "anew_purity": scores_anew.purity,
    }


def show_scale(sizes: Sequence[int]) -> None:
    """Print CPU seconds and peak memory on drawn embeddings, and that the index finds what all pairs do at 2,000."""
    embeddings, _ = drawn_embeddings(2_000)
    exact, by_index = (cluster(embeddings, largest_exact=limit).labels for limit in (2_000, 0))
    print(f"2,000 photos, index against all pairs: ARI {adjusted_rand_score(exact, by_index):.3f}")
    print(
        "| photos | designs | CPU seconds | peak memory, GB | clusters | AMI | purity | growth exponent |\n"
        + "|---" * 8
        + "|"
    )
    last: tuple[int, float] | None = None
    for count in sizes:
        embeddings, truth = drawn_embeddings(count)
        started = time.process_time()
        look = compared(embeddings, embeddings, None, np.full((count, 1), -1, np.int32))
        found = cluster(look)
        seconds = time.process_time() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        scores = cluster_scores(truth.astype(str), found.labels)
        exponent = f"{np.log(seconds / last[1]) / np.log(count / last[0]):.2f}" if last else ""
        print(
            f"| {count} | {truth.max() + 1} | {seconds:.1f} | {peak:.1f} | {found.count} | {scores.ami:.3f} | "
            f"{scores.purity:.3f} | {exponent} |",
            flush=True,
        )
        last = count, seconds


def drawn_embeddings(count: int, dimensions: int = 1280) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings of designs of uneven size, and each photo's design; a tenth shows nothing that comes again."""
    random = np.random.default_rng(count)
    designs = max(4, round(np.sqrt(count) / 2))
    shares = random.lognormal(0, 1, designs)
    truth = np.where(random.random(count) < 0.1, 0, 1 + random.choice(designs, count, p=shares / shares.sum()))
    # Photos vary along few directions, as real ones do: in all 1,280 at random each would be as far as any other.
    space = random.normal(size=(64, dimensions)).astype(np.float32) / np.sqrt(dimensions)
    centres = random.normal(size=(designs + 1, 64)).astype(np.float32)
    centres[0] = 0
    embeddings = np.empty((count, dimensions), np.float32)
    for start in range(0, count, 10_000):
        rows = slice(start, start + 10_000)
        spread = np.where(truth[rows, None] == 0, 1.2, 0.6).astype(np.float32)
        points = centres[truth[rows]] + spread * random.standard_normal((len(truth[rows]), 64), dtype=np.float32)
        embeddings[rows] = points @ space
    return embeddings, truth


def score(one: PhotoSet, labels: np.ndarray):
    return cluster_scores(one.seen.pool.labels[one.rows], labels, one.seen.pool.junk[one.rows])


def sets_of(seen: SeenPool, count: int) -> list[PhotoSet]:
    """Return `count` sets of each half, and all photos that the model was not shown together."""
    meters, halves = meters_of(seen), halves_of(seen)
    unseen = ~seen.shown & ~seen.known
    return [
        *(
            PhotoSet(seen, half, random_set(seen, halves == half, _random(seen.name, half, draw)), meters)
            for half in HALVES
            for draw in range(count)
        ),
        PhotoSet(seen, "all", np.flatnonzero(unseen), meters),
    ]


def random_set(seen: SeenPool, allowed: np.ndarray, random: np.random.Generator) -> np.ndarray:
    pool, free = seen.pool, ~seen.shown & allowed
    designs = sorted(set(pool.labels[free & ~pool.junk & ~seen.known]))
    target = round(FEWEST_PHOTOS * (MOST_PHOTOS / FEWEST_PHOTOS) ** random.random())
    count = int(random.integers(min(FEWEST_DESIGNS, len(designs)), min(MOST_DESIGNS, len(designs)) + 1))
    junk_share = random.choice(JUNK_SHARES)
    order = random.permutation(designs).tolist()
    available = {name: min(int(np.sum(free & (pool.labels == name))), MOST_OF_A_DESIGN) for name in designs}
    goal, chosen = target * (1 - junk_share), order[:count]
    for name in order[count:MOST_DESIGNS]:  # designs are few photos: more of them, until there are enough
        if sum(available[taken] for taken in chosen) < goal:
            chosen.append(name)
    rows = [
        random.permutation(np.flatnonzero(free & (pool.labels == name)))[:wanted]
        for name, wanted in _shared_out(goal, [(name, available[name]) for name in chosen], random)
    ]
    meters = sum(map(len, rows))
    rows.append(random.permutation(np.flatnonzero(free & seen.known))[: round(FLAGGED_KNOWN * meters)])
    rows.append(random.permutation(np.flatnonzero(free & pool.junk))[: round(meters * junk_share / (1 - junk_share))])
    return np.sort(np.concatenate(rows))


def small_sets(seen: SeenPool, count: int) -> list[PhotoSet]:
    """Return sets of few photos, as a user has at first: of one design to one for every three photos."""
    meters, found = meters_of(seen), []
    unseen = np.flatnonzero(~seen.shown & ~seen.known)
    for size in SMALL_SIZES:
        for draw in range(count):
            random = _random(seen.name, str(size), draw)
            labels = random.permutation(sorted(set(seen.pool.labels[unseen])))[: random.integers(1, size // 3 + 1)]
            rows = random.permutation(unseen[np.isin(seen.pool.labels[unseen], labels)])[:size]
            found.append(PhotoSet(seen, f"{size} photos", np.sort(rows), meters))
    return found


def halves_of(seen: SeenPool) -> np.ndarray:
    """Return the half of each photo: designs are dealt by falling size, there and back, and so are kinds of junk."""
    pool, half_of = seen.pool, {}
    for junk in (False, True):
        names = pd.Series(pool.labels[pool.junk == junk]).value_counts()
        order = sorted(names.index, key=lambda name: (-names[name], name))
        half_of |= {name: HALVES[(1, 0, 0, 1)[(place + 1) % 4]] for place, name in enumerate(order)}
    return np.array([half_of[name] for name in pool.labels])


def meters_of(seen: SeenPool) -> np.ndarray:
    """Return the id of the meter on each photo of the pool, as the pipeline finds it."""
    ids = seen.pool.image_ids.tolist()
    if seen.pool.name not in _HASHES:
        _HASHES[seen.pool.name] = hash_photos(seen.pool.files, [None] * len(ids))
    return np.array(same_meter_groups(ids, _HASHES[seen.pool.name], np.zeros(len(ids)), {}))


_HASHES: dict[str, list[str | None]] = {}


def _shared_out(
    goal: float, available: Sequence[tuple[str, int]], random: np.random.Generator
) -> list[tuple[str, int]]:
    """Deal photos to designs, lopsided, at least one each, and no more than there are."""
    weights, most = np.exp(random.normal(0, 1, len(available))), np.array([count for _, count in available])
    dealt = np.ones(len(available))
    for _ in range(50):
        takes = dealt < most
        if goal - dealt.sum() < 1 or not takes.any():
            break
        dealt = np.minimum(most, dealt + (goal - dealt.sum()) * weights * takes / (weights * takes).sum())
    return [(name, max(1, round(float(count)))) for (name, _), count in zip(available, dealt, strict=True)]


def _random(*parts: object) -> np.random.Generator:
    return np.random.default_rng(int(hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()[:12], 16))


if __name__ == "__main__":
    main()
