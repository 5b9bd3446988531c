"""Which way of clustering puts the designs of meters that no model was shown together: methods side by side.

    python benchmarks/clusters.py ../shared/field-photos [--seeds 5]

Embeddings are those of the pretrained `efficientnet_lite0`, the mean over the views. Two kinds of sets: `field`, the
unseen and junk photos with 5 % of the known ones (which a model would flag wrongly; not scored); and `mix`, five draws
of 12 of all 28 designs with lopsided counts and some junk, so that what is chosen is not fitted to one set.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from hdbscan import HDBSCAN
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from meter_pipeline.core.backbones import load_backbone
from meter_pipeline.core.cluster_metrics import cluster_scores
from meter_pipeline.core.clustering import cluster
from meter_pipeline.core.preprocess import Preprocess
from meter_pipeline.core.reduction import reduce_umap

MIXES = 5
DESIGNS_A_MIX = 12
FLAGGED_KNOWN = 0.05
Method = Callable[[np.ndarray, int], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    photos = pd.read_csv(arguments.photos / "photos.csv").sort_values("id", ignore_index=True)
    embeddings = embed([arguments.photos / "photos" / f"{name}.jpg" for name in photos["id"]])
    sets = {"field": [field_set(photos)], "mix": [mixed_set(photos, draw) for draw in range(MIXES)]}
    print(
        "| method | AMI | AMI, junk as one | ARI | purity | coverage of meters | clusters | AMI on mixes | seconds |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    for name, method in methods().items():
        scores = {kind: [] for kind in sets}
        started, runs = time.monotonic(), 0
        for kind, members in sets.items():
            for chosen in members:
                for seed in range(arguments.seeds):
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


def field_set(photos: pd.DataFrame) -> np.ndarray:
    known = photos.index[photos["role"] == "known"]
    flagged = np.random.default_rng(0).choice(known, round(FLAGGED_KNOWN * len(known)), replace=False)
    return np.sort(np.concatenate([photos.index[photos["role"] != "known"], flagged]))


def mixed_set(photos: pd.DataFrame, draw: int) -> np.ndarray:
    random = np.random.default_rng(100 + draw)
    is_junk = photos["role"] == "junk"
    chosen = []
    for design in random.choice(np.unique(photos.loc[~is_junk, "label"]), DESIGNS_A_MIX, replace=False):
        members = photos.index[photos["label"] == design]
        chosen.append(random.permutation(members)[: max(3, int(len(members) * random.uniform(0.15, 0.9)))])
    chosen.append(random.permutation(photos.index[is_junk])[: random.integers(10, 60)])
    return np.sort(np.concatenate(chosen))


def embed(files: list[Path]) -> np.ndarray:
    """Embed the photos by the pretrained network."""
    backbone = load_backbone("efficientnet_lite0", "imagenet")
    preprocess = Preprocess(backbone.mean, backbone.std)
    torch.set_num_threads(1)
    with torch.inference_mode():
        return np.stack(
            [
                backbone.last_block(backbone.trunk(preprocess.normalise(preprocess.pixels(preprocess.open(file)))))
                .mean(dim=0)
                .numpy()
                for file in files
            ]
        )


if __name__ == "__main__":
    main()
