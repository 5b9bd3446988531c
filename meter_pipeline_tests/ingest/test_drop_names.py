"""Names of drops: unlike each other on every file system, and within what these take."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.ingest.drop_names import unique_drop_name


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=20), max_size=8))
def test_names_of_drops_differ_whatever_the_case_and_stay_in_their_folder(names: list[str]) -> None:
    taken: set[str] = set()
    given_names = [unique_drop_name(name + ".xlsx", taken) for name in names]
    assert len({name.casefold() for name in given_names}) == len(names)
    for name in given_names:
        assert Path("reports", f"{name}.csv").resolve().parent == Path("reports").resolve()
        assert len(name) < 100


def test_names_stay_within_what_file_systems_take(tmp_path: Path) -> None:
    taken: set[str] = set()
    texts = ["\u092e\u0940\u091f\u0930" * 20 + end for end in ("a", "b", "c")] + ["\u6f22" * 80 + end for end in "ab"]
    texts += ["x" * 200, "x" * 199 + "y", "Z\u00e4hler", "Za\u0308hler"]
    names = [unique_drop_name(f"{text}.csv", taken) for text in texts]
    assert len({unicodedata.normalize("NFC", name).casefold() for name in names}) == len(names)
    assert max(len(name.encode()) for name in names) <= 150
    assert max(map(len, names)) <= 80
    for name in names:
        (tmp_path / f"{name}.refused.txt").write_text("", encoding="utf-8")
