"""The page Batches: the drops with their counts; their rows with filters and downloads; one row opened."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import streamlit as st

from meter_pipeline.dashboard import foreign_results, row_details
from meter_pipeline.dashboard.browsing import drops as dropped
from meter_pipeline.dashboard.browsing import rows as browsing
from meter_pipeline.dashboard.browsing.drops import Drop, RowCounts
from meter_pipeline.dashboard.browsing.rows import RowCard, RowFilter
from meter_pipeline.dashboard.context import Fingerprint, Now
from meter_pipeline.dashboard.paging import choose_page
from meter_pipeline.dashboard.pictures import card, show_thumbnail
from meter_pipeline.dashboard.text import (
    DOUBTFUL,
    DROP,
    FINAL_LABELS,
    MEASURES,
    ORDERS,
    RULES,
    percent,
    plain,
)
from meter_pipeline.labels import DropStatus, FinalLabel, Rule, counted

PAGE_SIZE = 24
ALL = "All drops"
OWN, FOREIGN = "Drops", "A results file made elsewhere"


def show(now: Now) -> None:
    """Draw the page."""
    st.title("Batches")
    source = st.segmented_control("Source", [OWN, FOREIGN], default=OWN, required=True, label_visibility="collapsed")
    if source == FOREIGN:
        foreign_results.show()
        return
    now.show_age("batch_predictions", "drop_rows", "drops")
    drops = _drops(now, now.fingerprint(*dropped.TABLES))
    if not drops:
        st.info(
            f"No drops yet. Put a spreadsheet of photo URLs into the folder `{now.layout.drops}`. While `meter dev` "
            "runs, it is read by itself; `meter update` reads it once.",
            icon=":material/folder_open:",
        )
        return
    name = _choose_drop(drops)
    chosen = [drop for drop in drops if name in (None, drop.name)]
    counts = dropped.sum_counts(chosen)
    _show_counts(counts)
    _show_problems(chosen, counts)
    if len(chosen) > 1:
        _show_drops(chosen)
    if counts.answered:
        _show_rows(now, _filters(now, name))


def _choose_drop(drops: list[Drop]) -> str | None:
    """Return the name of the drop that was chosen; None for all."""
    sizes = {ALL: dropped.sum_counts(drops).rows} | {drop.name: drop.counts.rows for drop in drops}
    chosen = st.selectbox(
        "Drop",
        list(sizes),
        format_func=lambda name: f"{name} ({counted(sizes[name], 'row')})" if name in sizes else name,
        key="batches_drop",
        help=DROP,
        persist_state="session",
        width=520,
    )
    return None if chosen == ALL else chosen


def _show_counts(counts: RowCounts) -> None:
    by_label = {
        "Named": counts.named,
        FinalLabel.UNKNOWN: counts.unknown,
        FinalLabel.DARK: counts.dark,
        FinalLabel.ERROR: counts.error,
    }
    with st.container(horizontal=True):
        st.metric("Rows", f"{counts.rows:,}", border=True, width=150, height="stretch")
        for label, number in by_label.items():
            st.metric(
                label,
                f"{number:,}",
                percent(number / counts.rows, 0) if counts.rows else None,
                delta_color="off",
                delta_arrow="off",
                border=True,
                width=150,
                height="stretch",
                help=FINAL_LABELS[label],
            )


def _show_problems(drops: list[Drop], counts: RowCounts) -> None:
    for drop in drops:
        if drop.status == DropStatus.REFUSED:
            st.warning(plain(f"{drop.file_name} was not read. {drop.reason}"))
    if len(drops) == 1 and drops[0].passed_over:
        st.info(plain(f"The URLs are from {drops[0].url_columns}. Not taken: {drops[0].passed_over}"))
    if counts.waiting:
        st.info(
            f"{counted(counts.waiting, 'row')} without a prediction yet: an update is running, or no model is in use "
            "(`meter train` makes one)."
        )


def _show_drops(drops: list[Drop]) -> None:
    with st.expander(f"All {len(drops)} drops"):
        st.dataframe(
            [
                {"drop": drop.name, "file": drop.file_name, **asdict(drop.counts), "status": drop.status.value}
                for drop in drops
            ],
            hide_index=True,
            alt="Rows of each drop by final label",
        )


def _filters(now: Now, drop: str | None) -> RowFilter:
    key = now.fingerprint("batch_predictions")
    labels = _labels(now, key, drop)
    ranges = _ranges(now, now.fingerprint("url_images"))
    with st.container(border=True):
        first = st.columns([3, 3, 3, 2])
        label = first[0].multiselect(
            "Label",
            list(labels),
            format_func=lambda name: f"{name} ({labels[name]:,})",
            key="batches_label",
            persist_state="session",
        )
        rules = first[1].multiselect(
            "Why", list(RULES), format_func=RULES.__getitem__, key="batches_rule", persist_state="session"
        )
        confidence = first[2].slider(
            "Confidence of the best guess, %", 0, 100, (0, 100), key="batches_confidence", persist_state="session"
        )
        order = first[3].selectbox(
            "Order",
            list(ORDERS),
            format_func=ORDERS.__getitem__,
            key="batches_order",
            help=DOUBTFUL,
            persist_state="session",
        )
        second = st.columns([6, 3, 2], vertical_alignment="bottom")
        search = second[0].text_input(
            "Search in URLs and the sheet's cells",
            key="batches_search",
            placeholder="account, remark, file name",
            persist_state="session",
        )
        with second[1].popover("Quality of the photo", width="stretch"):
            quality = {}
            for name, (low, high) in ranges.items():
                if low < high:
                    chosen = st.slider(
                        MEASURES[name], low, high, (low, high), key=f"batches_{name}", persist_state="session"
                    )
                    if chosen != (low, high):
                        quality[name] = chosen
        second[2].button("Clear filters", on_click=_clear, width="stretch")
    return RowFilter(
        drop=drop,
        labels=tuple(label),
        rules=tuple(rules),
        confidence=(confidence[0] / 100, confidence[1] / 100),
        quality=quality,
        search=search or "",
        order=order,
    )


def _clear() -> None:
    for key in [key for key in st.session_state if str(key).startswith("batches_") and key != "batches_drop"]:
        del st.session_state[key]


def _show_rows(now: Now, wanted: RowFilter) -> None:
    count = _count(now, now.fingerprint(*browsing.TABLES), wanted, repr(wanted))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{counted(count, 'row')}**", width="content")
        if count:
            _downloads(now, wanted)
    if not count:
        st.info("No row matches these filters.")
        return
    page = choose_page(count, PAGE_SIZE, f"batches_page_{hash(repr(wanted))}")
    rows = browsing.page_of_rows(now.layout, wanted, page=page, size=PAGE_SIZE)
    with st.container(horizontal=True, gap="small"):
        for row in rows:
            _card(now, row, several=wanted.drop is None)
    opened = st.session_state.pop("opened_row", None)
    if opened:
        row_details.open_dialog(now, *opened)


def _card(now: Now, row: RowCard, *, several: bool) -> None:
    label, place = row.final_prediction, f"row {row.row_number}"
    with card():
        if row.image_id is None:
            st.caption(plain(row.reason))
        else:
            show_thumbnail(now.layout, row.image_id, now.layout.image(row.image_id), f"Photo of {place}: {label}")
        st.markdown(f"**{plain(label)}**")
        st.caption(plain(f"{row.drop} · {_detail(row)}" if several else _detail(row)))
        st.button(
            place.capitalize(),
            key=f"row_{row.drop}_{row.position}",
            on_click=_open,
            args=(row.drop, row.position),
            width="stretch",
        )


def _detail(row: RowCard) -> str:
    if row.top1_class is None:
        return RULES[row.rule]
    confidence = percent(row.top1_confidence, 0)
    if row.rule == Rule.ACCEPTED:
        return confidence
    return f"{RULES[row.rule]}; best guess {row.top1_class}, {confidence}"


def _open(drop: str, position: int) -> None:
    st.session_state["opened_row"] = (drop, position)


def _downloads(now: Now, wanted: RowFilter) -> None:
    name = f"{wanted.drop or 'all_drops'}_filtered"
    for ending, mime in (
        ("csv", "text/csv"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ):
        st.download_button(
            f"Download {ending.upper()}",
            partial(browsing.export_rows, now.layout, wanted, ending),
            f"{name}.{ending}",
            mime,
            key=f"batches_{ending}",
            on_click="ignore",
            icon=":material/download:",
        )


@st.cache_data(max_entries=4, show_spinner=False)
def _drops(_now: Now, key: Fingerprint) -> list[Drop]:  # noqa: ARG001
    return dropped.list_drops(_now.layout)


@st.cache_data(max_entries=16, show_spinner=False)
def _labels(_now: Now, key: Fingerprint, drop: str | None) -> dict[str, int]:  # noqa: ARG001
    return browsing.label_counts(_now.layout, drop)


@st.cache_data(max_entries=4, show_spinner=False)
def _ranges(_now: Now, key: Fingerprint) -> dict[str, tuple[float, float]]:  # noqa: ARG001
    return browsing.measure_ranges(_now.layout)


@st.cache_data(max_entries=64, show_spinner=False)
def _count(_now: Now, key: Fingerprint, _wanted: RowFilter, words: str) -> int:  # noqa: ARG001
    return browsing.count_rows(_now.layout, _wanted)
