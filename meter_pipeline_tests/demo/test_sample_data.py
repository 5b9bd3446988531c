"""Sample data: what is written is what the truth says, the same every time, and never among other people's photos."""

import csv
import hashlib
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from openpyxl import load_workbook
from PIL import Image

from meter_pipeline.demo.drawing.designs import known_designs, unseen_designs
from meter_pipeline.demo.sample_data import SampleData, drop_workbook, served_folder, write_sample_data
from meter_pipeline.demo.sample_size import SampleSize
from meter_pipeline.errors import MeterError
from meter_pipeline.settings import load_settings

pytestmark = pytest.mark.slow

BASE_URL = "http://127.0.0.1:8765"
TINY = SampleSize(
    "tiny", (20, 3), (2, 2), known=3, dark=1, blurred=1, junk=1, dead=2, corrupt=2, duplicates=2, unusable=1
)


def fingerprints(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def truth_of(sample: SampleData) -> dict[str, tuple[str, str]]:
    with sample.truth.open(encoding="utf-8", newline="") as handle:
        return {row["path"]: (row["kind"], row["design"]) for row in csv.DictReader(handle)}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sample") / "data"


@pytest.fixture(scope="module")
def sample(data_dir: Path) -> SampleData:
    return write_sample_data(data_dir, TINY, base_url=BASE_URL, workers=1)


def test_labelled_folders_hold_the_counts_asked_for_with_a_burst_and_a_file_that_is_there_twice(
    sample: SampleData, data_dir: Path
) -> None:
    first, second = (design.name for design in known_designs()[:2])
    assert sample.classes == {first: 20, second: 3}
    assert {folder.name: len(list(folder.iterdir())) for folder in (data_dir / "raw").iterdir()} == sample.classes
    copies = Counter(fingerprints(data_dir / "raw").values())
    assert sorted(copies.values())[-2:] == [1, 2]


def test_every_path_of_the_truth_is_served_except_the_dead_ones(sample: SampleData, data_dir: Path) -> None:
    truth = truth_of(sample)
    served = {f"/{name}" for name in fingerprints(served_folder(data_dir))}
    assert served == {path for path, (kind, _) in truth.items() if kind != "dead"}
    assert sample.served == len(served)
    kinds = Counter(kind for kind, _ in truth.values())
    assert (kinds["dark"], kinds["blurred"], kinds["junk"], kinds["dead"], kinds["corrupt"]) == (1, 1, 1, 2, 2)
    known, unseen = ({design.name for design in designs} for designs in (known_designs(), unseen_designs()))
    assert all(design in known for kind, design in truth.values() if kind in ("known", "dark", "blurred"))
    assert all(design in unseen for kind, design in truth.values() if kind == "unseen")


def test_two_urls_share_their_bytes_and_corrupt_files_do_not_open(sample: SampleData, data_dir: Path) -> None:
    served = fingerprints(served_folder(data_dir))
    assert len(served) - len(set(served.values())) == TINY.duplicates
    for path, (kind, _) in truth_of(sample).items():
        if kind == "corrupt":
            with pytest.raises(OSError):
                Image.open(served_folder(data_dir) / path[1:]).load()


def test_the_workbooks_link_to_every_path_with_repeats_and_accounts_keep_their_zeros(sample: SampleData) -> None:
    north, east = (load_workbook(path) for path in sample.workbooks)
    readings, inspection = north["Readings"], east["Inspection"]
    assert [cell.value for cell in readings[1]][3] == "Meter Image URL"
    assert [cell.value for cell in inspection[3]][1] == "Photo link"  # below a title and an empty row
    links = [readings.cell(row, 4).value for row in range(2, readings.max_row + 1)]
    more = [inspection.cell(row, 2).value for row in range(4, inspection.max_row + 1)]
    assert (len(links), len(more)) == sample.rows
    urls = [link for link in links + more if str(link).startswith(BASE_URL)]
    assert {urlsplit(url).path for url in urls} == set(truth_of(sample))
    assert len(urls) - len(set(urls)) == TINY.duplicates
    assert len(links + more) - len(urls) == 2 * TINY.unusable
    accounts = [readings.cell(row, 1).value for row in range(2, readings.max_row + 1)]
    assert all(isinstance(account, str) and len(account) == 12 and account[0] == "0" for account in accounts)
    assert set(map(str, links)).isdisjoint(set(map(str, more)) - {"photo not taken"})


def test_the_bytes_do_not_depend_on_the_number_of_processes(sample: SampleData, data_dir: Path, tmp_path: Path) -> None:
    write_sample_data(tmp_path / "data", TINY, base_url=BASE_URL, workers=2)
    assert fingerprints(tmp_path / "data") == fingerprints(data_dir)


def test_a_second_run_draws_only_what_is_missing(sample: SampleData, data_dir: Path) -> None:
    before = fingerprints(data_dir)
    photos = sorted((data_dir / "raw").rglob("*.jpg"))
    kept, lost = photos[0], photos[-1]
    times = kept.stat().st_mtime_ns
    lost.unlink()
    calls: list[tuple[int, int]] = []
    write_sample_data(data_dir, TINY, base_url=BASE_URL, workers=1, progress=lambda *call: calls.append(call))
    total = sum(sample.classes.values()) + sample.served
    assert calls == [(total - 1, total), (total, total)]
    assert fingerprints(data_dir) == before
    assert kept.stat().st_mtime_ns == times


def test_labelled_photos_of_other_people_are_left_alone(tmp_path: Path) -> None:
    photo = tmp_path / "raw" / "REAL_CLASS" / "photo.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"real")
    with pytest.raises(MeterError, match="METER_DATA_DIR"):
        write_sample_data(tmp_path, TINY, base_url=BASE_URL, workers=1)
    assert fingerprints(tmp_path) == {"raw/REAL_CLASS/photo.jpg": hashlib.sha256(b"real").hexdigest()}


def test_the_directory_says_that_it_is_drawn_and_has_the_settings_the_demo_needs(
    sample: SampleData, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("METER_BACKBONE", "METER_ALLOW_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    assert "DRAWN" in (data_dir / "demo" / "README.txt").read_text(encoding="utf-8")
    settings = load_settings(data_dir=data_dir)
    assert (settings.backbone, settings.allow_hosts) == ("efficientnet_lite0", ("127.0.0.1",))


def test_settings_that_are_there_are_kept(tmp_path: Path) -> None:
    (tmp_path / "meter.env").write_text("METER_SEED=3\n", encoding="utf-8")
    write_sample_data(tmp_path, SampleSize("one", (1,), (1,), known=0), base_url=BASE_URL, workers=1)
    assert (tmp_path / "meter.env").read_text(encoding="utf-8") == "METER_SEED=3\n"


def test_a_workbook_is_dropped_whole_under_the_name_given(sample: SampleData, tmp_path: Path) -> None:
    dropped = drop_workbook(sample.workbooks[0], tmp_path, name="again.xlsx")
    assert dropped == tmp_path / "drops" / "again.xlsx"
    assert dropped.read_bytes() == sample.workbooks[0].read_bytes()
    assert [path.name for path in dropped.parent.iterdir()] == ["again.xlsx"]
