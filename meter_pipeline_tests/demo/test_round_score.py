"""What a round changed, on a drop counted by hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from meter_pipeline.demo.round_score import score_drop
from meter_pipeline.recognition.model_card import set_champion
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import BATCH_PREDICTIONS
from meter_pipeline_tests.support.model_cards import write_card

ROWS = [  # kind, design, final prediction
    ("unseen", "NEW", "NEW"),
    ("unseen", "NEW", "NEW"),
    ("unseen", "NEW", "UNKNOWN"),
    ("unseen", "NEW", "LT2"),
    ("unseen", "OTHER", "UNKNOWN"),
    ("unseen", "OTHER", "LT2"),
    ("known", "LT2", "LT2"),
    ("junk", "", "DARK"),
]


def test_shares_are_those_of_the_rows(tmp_path: Path) -> None:
    layout, truth = Layout(tmp_path), tmp_path / "truth.csv"
    lines = [f"/{number}.jpg,{kind},{design}" for number, (kind, design, _) in enumerate(ROWS)]
    truth.write_text("\n".join(["path,kind,design", *lines]), encoding="utf-8")
    rows = [
        {
            "drop": drop,
            "position": number,
            "image_url": f"http://127.0.0.1/{number}.jpg",
            "image_id": str(number),
            "final_prediction": final,
        }
        for drop, others in (("may", ROWS), ("june", ROWS[:1]))
        for number, (_, _, final) in enumerate(others)
    ]
    layout.lake.replace(BATCH_PREDICTIONS, pd.DataFrame(rows).reindex(columns=list(BATCH_PREDICTIONS.columns)))
    write_card(layout, "0002-b", ["LT2", "NEW"])
    set_champion(layout, "0002-b", reason="test")
    found = score_drop(layout, truth, "may", taught=("NEW",))
    assert (found.rows, found.new_right, found.new_wrong) == (7, 0.5, 0.25)
    assert (found.known_right, found.unseen_unknown, found.junk_unknown) == (1.0, 0.5, 1.0)
    nothing = score_drop(layout, truth, "june", taught=())
    assert (nothing.new_right, nothing.known_right) == (None, None)
    assert nothing.unseen_unknown == 0.0
