"""The catalogue of designs: the same in every version, and without twins by accident."""

from collections import Counter

from meter_pipeline.demo.drawing.designs import KNOWN_COUNT, UNSEEN_COUNT, catalogue, known_designs, unseen_designs


def test_the_catalogue_has_38_known_and_8_unseen_designs_with_names_like_real_classes() -> None:
    names = [design.name for design in catalogue()]
    assert (len(known_designs()), len(unseen_designs())) == (KNOWN_COUNT, UNSEEN_COUNT) == (38, 8)
    assert len(set(names)) == len(names)
    assert all(name.isupper() and name.count("_") == 2 for name in names)


def test_the_catalogue_is_the_same_in_every_version() -> None:
    """Labelled photos of an earlier demo would otherwise be of other designs than their folder says."""
    assert [design.name for design in known_designs()[:5]] == [
        "TALMETRA_GREY_A",
        "DELTUMA_GREY_A",
        "CASTRELL_GREY_A",
        "LUMARQ_NAVY_A",
        "ZEPHRAN_SKY_A",
    ]


def test_some_designs_share_a_housing_and_differ_in_print_and_one_unseen_is_such_a_twin() -> None:
    housings = Counter((design.housing_colour, design.aspect, design.plate) for design in catalogue())
    assert sorted(housings.values(), reverse=True)[:7] == [2, 2, 2, 2, 2, 2, 1]
    known = {(design.housing_colour, design.aspect) for design in known_designs()}
    assert sum((design.housing_colour, design.aspect) in known for design in unseen_designs()) == 1
