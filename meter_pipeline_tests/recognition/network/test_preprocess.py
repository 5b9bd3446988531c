"""The views of a photo: cut around the meter or around the middle, weighted, and told apart by their id."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from meter_pipeline.recognition.network.backbones import Backbone
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline_tests.support.wall_plates import plate_on_a_wall, whole_map


def test_the_located_views_show_more_of_it_than_the_whole(backbone: Backbone, preprocess: Preprocess) -> None:
    image, _ = plate_on_a_wall(7, (800, 1000))
    pixels = preprocess.located_pixels(image, whole_map(backbone, preprocess, image)[0])
    assert pixels.shape == (2, 224, 224, 3)
    bright = [float((view.min(axis=2) > 215).mean()) for view in (preprocess.framed_pixels(image)[0], *pixels)]
    assert bright[0] < bright[1] <= bright[2]


def test_where_nothing_is_found_the_middle_is_looked_at(preprocess: Preprocess) -> None:
    image, _ = plate_on_a_wall(3)
    middle = Preprocess(preprocess.mean, preprocess.std, views=("squeezed", "centre", "zoomed"))
    flat = np.ones((len(preprocess.direction), 7, 7))
    assert np.array_equal(preprocess.located_pixels(image, flat), middle.framed_pixels(image)[1:])
    undirected = replace(preprocess, direction=())
    assert np.array_equal(undirected.located_pixels(image, flat), middle.framed_pixels(image)[1:])


def test_the_nameplate_counts_a_quarter_in_the_embedding(preprocess: Preprocess) -> None:
    of_views = np.array([[[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]]], np.float32)
    assert preprocess.embedding(of_views).tolist() == [[pytest.approx(1.0), pytest.approx(1.0)]]


def test_the_id_follows_from_views_and_direction() -> None:
    """Models and what was computed with them are told apart by it: the same views keep their id for good."""
    plain = Preprocess((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert plain.preprocess_id == "a575295fbf39"
    assert replace(plain, direction=(0.5, -0.5)).preprocess_id == "b6103bf2d730"
    assert replace(plain, views=("squeezed", "meter")).preprocess_id != plain.preprocess_id


@pytest.mark.parametrize("views", [("meter", "squeezed"), ("squeezed", "meter", "zoomed"), ("centre", "meter")])
def test_views_in_another_order_are_refused(views: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="Located views come last"):
        Preprocess((0.5,) * 3, (0.5,) * 3, views=views)


def test_an_unknown_view_is_refused(preprocess: Preprocess) -> None:
    with pytest.raises(KeyError, match="meter"):
        preprocess.view(plate_on_a_wall(1)[0], "meter")
