"""Names of folders in a data directory that more than one place relies on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.labels import NOISE
from meter_pipeline.storage.layout import cluster_folder_name, is_cluster_folder


@given(st.integers(NOISE, 10**6), st.integers(NOISE, 10**6))
def test_each_cluster_has_a_folder_of_its_own_that_is_recognised(one: int, other: int) -> None:
    assert is_cluster_folder(cluster_folder_name(one))
    assert (cluster_folder_name(one) == cluster_folder_name(other)) == (one == other)


def test_folders_of_a_person_are_not_ours() -> None:
    assert [
        name for name in ("", "notes", "Noise", "clusters", "..", "my cluster_0001") if is_cluster_folder(name)
    ] == []
    assert [cluster_folder_name(cluster_id) for cluster_id in (NOISE, 0, 12345)] == [
        "noise",
        "cluster_0000",
        "cluster_12345",
    ]
