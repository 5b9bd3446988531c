"""The sizes of the sample data."""

from meter_pipeline.demo.sample_size import SampleSize


def test_the_sizes_have_classes_of_every_sort_and_the_larger_contain_the_smaller() -> None:
    for size in (SampleSize.small(), SampleSize.demo(), SampleSize.full()):
        assert min(size.labelled) < 10 and max(size.labelled) >= 20
        assert any(10 <= count < 20 for count in size.labelled)
    assert SampleSize.full().labelled[:14] == SampleSize.demo().labelled
    assert (len(SampleSize.full().labelled), len(SampleSize.full().unseen)) == (38, 8)
