"""The photos that a model is trained on: which files, and what stays together when they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from meter_pipeline.recognition.colours import photo_colours
from meter_pipeline.recognition.network.backbones import load_backbone
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.training.training_photos import files_of_split, read_photos
from meter_pipeline.training.trunk_cache import TrunkCache
from meter_pipeline_tests.support.patterns import split_of


def test_val_photos_of_a_class_without_train_photos_are_left_out(tmp_path: Path) -> None:
    split = split_of(tmp_path, {"BLUE_A": (3, 1, 1), "GREY_A": (2, 1, 0), "WHITE_A": (0, 1, 0)})
    files = files_of_split(split.sample(frac=1, random_state=0), tmp_path, train_samples=5, val_samples=3)
    assert files.classes == ["BLUE_A", "GREY_A"]
    assert (len(files.train), len(files.val)) == (5, 2)
    assert files.train.image_ids == sorted(files.train.image_ids)
    by_id = split.set_index("image_id")
    for part in (files.train, files.val):
        labels = [files.classes[index] for index in part.labels]
        assert labels == by_id.loc[part.image_ids, "label"].tolist()
        assert part.paths == [tmp_path / path for path in by_id.loc[part.image_ids, "path"]]
    groups = pd.Series(files.train.groups).groupby(by_id.loc[files.train.image_ids, "group_id"].to_numpy())
    assert (groups.nunique() == 1).all()
    assert len(groups) == len(set(files.train.groups))


def test_a_photo_keeps_all_that_was_read_of_it(tmp_path: Path) -> None:
    split = split_of(tmp_path, {"BLUE_A": (2, 0, 0), "GREY_A": (2, 0, 0)})
    backbone = load_backbone("efficientnet_lite0", "imagenet")
    cache = TrunkCache(tmp_path / "cache", backbone, Preprocess(backbone.mean, backbone.std), 0, torch.device("cpu"))
    files = files_of_split(split, tmp_path, train_samples=4, val_samples=3)
    photos = read_photos(files, cache, plates=None)
    again = read_photos(files, cache, plates=None)
    np.testing.assert_array_equal(again.train.embeddings.colours, photos.train.embeddings.colours)
    assert torch.equal(again.train.outputs, photos.train.outputs)
    train = photos.train
    assert photos.val is None
    assert photos.names(train) == split.set_index("image_id").loc[train.image_ids, "label"].tolist()
    assert train.outputs.shape == (4, 4, backbone.dimensions)
    some = train.take(np.array([3, 1]))
    assert (some.image_ids, some.samples) == ([train.image_ids[3], train.image_ids[1]], 4)
    assert torch.equal(some.outputs[0], train.outputs[3])
    image = cache.preprocess.open(files.train.paths[3])
    np.testing.assert_array_equal(some.embeddings.colours[0], photo_colours(cache.preprocess, image))
    assert (some.embeddings.printed == -1).all()
    tuned = np.arange(2 * backbone.dimensions, dtype=np.float32).reshape(2, -1)
    known = some.known(tuned)
    assert known.labels.tolist() == [train.labels[3], train.labels[1]]
    np.testing.assert_allclose(np.linalg.norm(known.embeddings.tuned, axis=1), 1.0, rtol=1e-5)
    expected = train.embeddings.pretrained[3] / np.linalg.norm(train.embeddings.pretrained[3])
    np.testing.assert_allclose(known.embeddings.pretrained[0], expected, rtol=1e-4, atol=1e-6)
