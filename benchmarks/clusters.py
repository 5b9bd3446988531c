"""Which way of clustering puts the designs of meters that no model was shown together: methods side by side.

    python benchmarks/clusters.py ../shared/field-photos [--seeds 5] [--only methods|growth|meters|scale]
    python benchmarks/clusters.py ../shared/field-photos --only growth --models DIR/seed-0 DIR/seed-1

Embeddings are those of the pretrained `efficientnet_lite0`, the mean over the views of before 0012; with `--models`,
what the pipeline compares under the models in use in these data directories (`field_photos.py --work` leaves some) and
the single views that it cuts clusters by. Mixes then hold no photo that the model was trained on. Two kinds of sets:
`field`, the unseen and junk photos with 5 % of the known ones (which a model would flag wrongly; not scored); and
`mix`, five draws of 12 of all 28 designs with lopsided counts and some junk, so that what is chosen is not fitted to
one set.
`growth`: ids kept and quality as a set grows by 20 %. `meters`: junk told from meters. `scale`: CPU seconds, memory.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from cluster_scores import cluster_scores
from hdbscan import HDBSCAN
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from meter_pipeline.discovery.clustering import cluster
from meter_pipeline.discovery.continuity import keep_places, match_clusters
from meter_pipeline.discovery.meter_likeness import learn_meters
from meter_pipeline.discovery.reduction import reduce_umap
from meter_pipeline.labels import NOISE
from meter_pipeline.recognition.embeddings import Embeddings, normalised
from meter_pipeline.recognition.network.backbones import load_backbone
from meter_pipeline.recognition.network.device import one_thread_each
from meter_pipeline.recognition.network.preprocess import Preprocess

MIXES = 5
DESIGNS_PER_MIX = 12
FLAGGED_KNOWN = 0.05
Method = Callable[[np.ndarray, int], np.ndarray]
Sets = dict[str, list[np.ndarray]]


@dataclass(frozen=True)
class Seen:
    """All photos as a model sees them: what is compared, single views, photos of one meter; and the sets."""

    embeddings: np.ndarray
    views: list[np.ndarray]
    meters: np.ndarray
    sets: Sets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=["methods", "growth", "meters", "scale"])
    parser.add_argument("--models", type=Path, nargs="+", default=[], help="data directories, for growth")
    parser.add_argument("--sizes", type=int, nargs="+", default=[250, 2_500, 25_000, 100_000], help="of scale")
    parser.add_argument("--dimensions", type=int, default=1280, help="of scale; 640 is the default backbone's")
    arguments = parser.parse_args()
    wanted = [arguments.only] if arguments.only else ["methods", "growth", "meters"]
    if "scale" in wanted:
        show_scale(arguments.sizes, arguments.dimensions)
        return
    photos = pd.read_csv(arguments.photos / "photos.csv").sort_values("id", ignore_index=True)
    files = [arguments.photos / "photos" / f"{name}.jpg" for name in photos["id"]]
    if arguments.models:
        show_growth(photos, [under_model(folder, files, photos) for folder in arguments.models], arguments.seeds)
        return
    embeddings, sets = embed(files), sets_of(photos)
    if "methods" in wanted:
        show_methods(photos, embeddings, sets, arguments.seeds)
    if "growth" in wanted:
        show_growth(photos, [Seen(embeddings, [], np.arange(len(photos)), sets)], arguments.seeds)
    if "meters" in wanted:
        show_meters(photos, embeddings)


def show_methods(photos: pd.DataFrame, embeddings: np.ndarray, sets: Sets, seeds: int) -> None:
    """Print the methods side by side, and whether the one in use gives the same bits twice."""
    print(
        "| method | AMI | AMI, junk as one | ARI | purity | coverage of meters | clusters | AMI on mixes | seconds |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    for name, method in methods().items():
        scores = {kind: [] for kind in sets}
        started, runs = time.monotonic(), 0
        for kind, members in sets.items():
            for chosen in members:
                for seed in range(seeds):
                    labels = method(embeddings[chosen], seed)
                    scores[kind].append(score(photos.iloc[chosen], labels, kind))
                    runs += 1
        seconds = (time.monotonic() - started) / runs
        field, mix = pd.DataFrame(scores["field"]), pd.DataFrame(scores["mix"])
        print(
            f"| {name} | {field['ami'].mean():.3f} ± {field['ami'].std(ddof=0):.3f} | {field['ami_junk'].mean():.3f} | "
            f"{field['ari'].mean():.3f} | {field['purity'].mean():.3f} | {field['meter_coverage'].mean():.3f} | "
            f"{field['clusters'].mean():.1f} | {mix['ami'].mean():.3f} | {seconds:.2f} |",
            flush=True,
        )
    twice = [cluster(embeddings[sets["field"][0]]) for _ in range(2)]
    same = all(
        getattr(twice[0], name).tobytes() == getattr(twice[1], name).tobytes() for name in ("labels", "membership")
    )
    print(f"The same input twice: {'bit-identical' if same else 'NOT the same'}.")


def show_growth(photos: pd.DataFrame, seen: list[Seen], draws: int) -> None:
    """Print ids kept and quality as each set grows to its size by 20 %, once and in five steps, by ways of growing."""
    print(
        "| way, growth | ids kept, mean / lowest step | AMI | purity | ids kept on mixes | AMI on mixes | purity |\n"
        "|---|---|---|---|---|---|---|"
    )
    for way, keep in (("clustered anew", False), ("**in use: settled photos stay**", True)):
        for steps in (1, 5):
            found = {
                kind: pd.DataFrame(
                    [
                        grown(photos, one, chosen, kind, steps, keep, draw)
                        for one in seen
                        for chosen in one.sets[kind]
                        for draw in range(draws)
                    ]
                )
                for kind in ("field", "mix")
            }
            field, mix = found["field"], found["mix"]
            print(
                f"| {way}, {steps} x 20 % | {field['kept'].mean():.3f} / {field['lowest'].min():.3f} | "
                f"{field['ami'].mean():.3f} | {field['purity'].mean():.3f} | {mix['kept'].mean():.3f} / "
                f"{mix['lowest'].min():.3f} | {mix['ami'].mean():.3f} | {mix['purity'].mean():.3f} |",
                flush=True,
            )


def grown(
    photos: pd.DataFrame, seen: Seen, chosen: np.ndarray, kind: str, steps: int, keep: bool, draw: int
) -> dict[str, float]:
    """Let a set grow to its size at random, and return the share of clustered photos that kept their id, and scores."""
    order = np.random.default_rng(1000 + draw).permutation(chosen)
    ids, settled, next_id, kept = {}, {}, 0, []
    for step in range(steps + 1):
        members = np.sort(order[: round(len(order) / 1.2 ** (steps - step))])
        views = [view[members] for view in seen.views]
        labels = cluster(seen.embeddings[members], views=views, meters=seen.meters[members]).labels
        firm = np.ones(len(members), bool)
        if keep and ids:
            before = np.array([ids.get(str(member), NOISE) for member in members])
            labels, firm = keep_places(labels, before, np.array([settled.get(member, False) for member in members]))
        settled = dict(zip(members, firm, strict=True))
        previous = pd.DataFrame({"image_id": list(ids), "cluster_id": list(ids.values())})
        matched = match_clusters(previous, dict(zip(map(str, members), labels.tolist(), strict=True)), next_id=next_id)
        now = dict(zip(matched.clusters["image_id"], matched.clusters["cluster_id"], strict=True))
        if ids:
            kept.append(
                np.mean([now[member] == cluster_id for member, cluster_id in ids.items() if cluster_id != NOISE])
            )
        ids, next_id = now, matched.next_id
    scores = score(photos.iloc[members], np.array([ids[str(member)] for member in members]), kind)
    return {**scores, "kept": float(np.mean(kept)), "lowest": float(np.min(kept))}


def show_meters(photos: pd.DataFrame, embeddings: np.ndarray) -> None:
    """Print what passes as a meter, learned from the known photos alone, and from half of their classes."""
    known = (photos["role"] == "known").to_numpy()
    classes = np.unique(photos.loc[known, "label"])
    print("| learned from | unseen designs that pass | junk that passes |\n|---|---|---|")
    for name, taught in (("all known classes", classes), ("half of them", classes[::2]), ("the others", classes[1::2])):
        rows = known & photos["label"].isin(taught).to_numpy()
        meters = learn_meters(normalised(embeddings[rows]), photos.loc[rows, "label"].to_numpy())
        passes = pd.Series(meters.looks_like_a_meter(normalised(embeddings))).groupby(photos["role"]).mean()
        print(f"| {name} | {passes['unseen']:.3f} | {passes['junk']:.3f} |")


def show_scale(sizes: list[int], dimensions: int) -> None:
    """Print CPU seconds, peak memory and AMI on drawn embeddings: designs of uneven size, a tenth junk."""
    cluster(drawn(100, dimensions)[0])  # umap-learn compiles itself
    print("| photos | designs | CPU seconds | peak memory, GB | clusters | AMI |\n|---|---|---|---|---|---|")
    for count in sizes:
        embeddings, truth = drawn(count, dimensions)
        started = time.process_time()
        found = cluster(embeddings)
        seconds = time.process_time() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        ami = cluster_scores(truth.astype(str), found.labels).ami
        print(f"| {count} | {truth.max()} | {seconds:.1f} | {peak:.1f} | {found.count} | {ami:.3f} |", flush=True)


def drawn(count: int, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(count)
    designs = max(4, round(np.sqrt(count) / 2))
    shares = random.lognormal(0, 1, designs)
    truth = np.where(random.random(count) < 0.1, 0, 1 + random.choice(designs, count, p=shares / shares.sum()))
    centres = random.normal(size=(designs + 1, dimensions)).astype(np.float32)
    centres[0] = 0
    embeddings = random.standard_normal((count, dimensions), dtype=np.float32)
    for start in range(0, count, 10_000):
        rows = slice(start, start + 10_000)
        embeddings[rows] = 0.8 * embeddings[rows] + centres[truth[rows]]
    return embeddings, truth


def methods() -> dict[str, Method]:
    """Return the methods by name: embeddings and seed to labels."""
    found: dict[str, Method] = {
        "scaling + HDBSCAN(8, 4)": lambda x, _: HDBSCAN(8, min_samples=4).fit_predict(
            StandardScaler().fit_transform(x)
        ),
        "L2 + HDBSCAN(5, 3)": lambda x, _: density(unit(x), 5, 3),
        "L2 + PCA 20 + HDBSCAN(5, 3)": lambda x, seed: density(PCA(20, random_state=seed).fit_transform(unit(x)), 5, 3),
    }
    for dimensions, neighbors, size, samples, selection in (
        (5, 10, 5, 3, "eom"),
        (10, 5, 5, 3, "eom"),
        (10, 10, 3, 1, "eom"),
        (10, 10, 5, 3, "eom"),
        (10, 10, 5, 3, "leaf"),
        (10, 10, 8, 4, "eom"),
        (10, 15, 5, 3, "eom"),
        (15, 10, 5, 3, "eom"),
    ):
        name = f"L2 + UMAP: {dimensions}d, {neighbors} neighbours, HDBSCAN({size}, {samples}, {selection})"
        found[name] = partial(reduced, dimensions, neighbors, size, samples, selection)
    found["**in use: sizes by set, fallbacks**"] = lambda x, seed: cluster(x, seed=seed).labels
    return found


def reduced(
    dimensions: int,
    neighbors: int,
    size: int,
    samples: int,
    selection: str,
    embeddings: np.ndarray,
    seed: int,
) -> np.ndarray:
    points = reduce_umap(unit(embeddings), dimensions=dimensions, neighbors=neighbors, seed=seed)
    return density(points, size, samples, selection)


def density(points: np.ndarray, size: int, samples: int, selection: str = "eom") -> np.ndarray:
    model = HDBSCAN(size, min_samples=samples, cluster_selection_method=selection, approx_min_span_tree=False)
    return model.fit_predict(points.astype(np.float64))


def unit(embeddings: np.ndarray) -> np.ndarray:
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def score(photos: pd.DataFrame, labels: np.ndarray, kind: str) -> dict[str, float]:
    if kind == "field":
        scored = (photos["role"] != "known").to_numpy()
        photos, labels = photos[scored], labels[scored]
    meters = (photos["role"] != "junk").to_numpy()
    scores = cluster_scores(photos["label"].to_numpy(), labels, meters)
    one_junk = cluster_scores(photos["label"].where(meters, "junk").to_numpy(), labels, meters)
    return {**vars(scores), "ami_junk": one_junk.ami}


def sets_of(photos: pd.DataFrame) -> Sets:
    return {"field": [field_set(photos)], "mix": [mixed_set(photos, draw) for draw in range(MIXES)]}


def field_set(photos: pd.DataFrame) -> np.ndarray:
    known = photos.index[photos["role"] == "known"]
    flagged = np.random.default_rng(0).choice(known, round(FLAGGED_KNOWN * len(known)), replace=False)
    return np.sort(np.concatenate([photos.index[photos["role"] != "known"], flagged]))


def mixed_set(photos: pd.DataFrame, draw: int) -> np.ndarray:
    """Return places in `photos`, whose index may have gaps."""
    random = np.random.default_rng(100 + draw)
    is_junk = photos["role"] == "junk"
    chosen = []
    for design in random.choice(np.unique(photos.loc[~is_junk, "label"]), DESIGNS_PER_MIX, replace=False):
        members = photos.index[photos["label"] == design]
        chosen.append(random.permutation(members)[: max(3, int(len(members) * random.uniform(0.15, 0.9)))])
    chosen.append(random.permutation(photos.index[is_junk])[: random.integers(10, 60)])
    return np.sort(np.concatenate(chosen))


def embed(files: list[Path]) -> np.ndarray:
    """Embed the photos by the pretrained network."""
    backbone = load_backbone("efficientnet_lite0", "imagenet")
    preprocess = Preprocess(backbone.mean, backbone.std, views=("squeezed", "centre", "zoomed"))
    with one_thread_each(), torch.inference_mode():
        return np.stack(
            [
                backbone.last_block(
                    backbone.trunk(preprocess.normalise(preprocess.framed_pixels(preprocess.open(file))))
                )
                .mean(dim=0)
                .numpy()
                for file in files
            ]
        )


def under_model(folder: Path, files: list[Path], photos: pd.DataFrame) -> Seen:
    """Put the photos through the model in use in a data directory."""
    from meter_pipeline.discovery.same_meter import hash_photos, same_meter_groups
    from meter_pipeline.discovery.unknown_clusters import compared
    from meter_pipeline.recognition.features import extract_features
    from meter_pipeline.recognition.model_store import load_model
    from meter_pipeline.storage.layout import Layout

    layout = Layout(folder)
    model = load_model(layout)
    ids = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    with one_thread_each():
        batches = list(extract_features(model, list(zip(ids, files, strict=True)), plates=layout.plates))
    embeddings = Embeddings.together([batch.embeddings for batch in batches])
    views = [np.concatenate([batch.whole for batch in batches]), np.concatenate([batch.close for batch in batches])]
    sets = sets_of(photos[~np.isin(ids, model.reference.image_ids)])
    groups = same_meter_groups(ids, hash_photos(files, [None] * len(files)), np.zeros(len(files)), {})
    both = compared(embeddings.tuned, embeddings.pretrained, model.reference.known)
    return Seen(both, views, np.array(groups), sets)


if __name__ == "__main__":
    main()
