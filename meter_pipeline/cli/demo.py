"""The demo: draws sample photos, runs the two jobs on them, and shows the results."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from meter_pipeline.demo.image_server import DEMO_PORT, ImageServer
from meter_pipeline.demo.sample_data import SampleData, drop_workbook, served_folder, write_sample_data
from meter_pipeline.demo.sample_size import SampleSize
from meter_pipeline.demo.scorecard import Scorecard, score
from meter_pipeline.errors import MeterError
from meter_pipeline.settings import load_settings
from meter_pipeline.storage.files import read_json
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.private_folders import make_private
from meter_pipeline.storage.tables import DROPS

SIZES: dict[str, Callable[[], SampleSize]] = {
    "small": SampleSize.small,
    "demo": SampleSize.demo,
    "full": SampleSize.full,
}


def run_demo(size: str, *, console: Console, keep_serving: bool = False) -> None:
    """Run the whole demo in the data directory of the settings.

    Args:
        size: small, demo or full.
        console: where progress and results go.
        keep_serving: leave the image server up until Ctrl-C.

    Raises:
        MeterError: the data directory holds photos that are not drawn ones, or a run failed.
    """
    started = time.monotonic()
    with drawn(size, console) as (layout, sample, server):
        job("train", "Train, evaluate, take the model into use", console)
        for workbook in sample.workbooks:
            drop(workbook, layout, console)
        _show(score(layout, sample.truth), layout, console)
        console.print(f"\nDone in {time.monotonic() - started:.0f} s.")
        _where_next(layout, console)
        if keep_serving:
            console.print(f"The drawn photos are served at {server.base_url} until Ctrl-C.")
            while True:
                time.sleep(3600)


@contextmanager
def drawn(size: str, console: Console) -> Iterator[tuple[Layout, SampleData, ImageServer]]:
    """Draw the sample photos and serve them while the block runs."""
    data_dir = load_settings().data_dir
    layout = Layout(data_dir)
    console.rule("[bold]Meter pipeline demo")
    console.print(f"Data directory: {data_dir}")
    folder = served_folder(data_dir)
    make_private(folder)
    with ImageServer(folder, port=DEMO_PORT) as server:
        sample = _draw(size, layout, server.base_url, console)
        console.print(
            f"Backbone {load_settings().backbone}: its weights are in a Python package, so the demo needs no internet. "
            "(The default for your own data is resnet18 with ImageNet weights, downloaded once.)"
        )
        yield layout, sample, server


def drop(workbook: Path, layout: Layout, console: Console) -> str:
    """Drop a workbook, work through it, and return the name of the drop."""
    dropped = drop_workbook(workbook, layout.root)
    job("update", f"Drop {dropped.name}: fetch, name, export, cluster", console)
    drops = layout.lake.frame(DROPS, ["drop", "file_name"])
    return str(drops.loc[drops["file_name"] == dropped.name, "drop"].iloc[0])


def _draw(size: str, layout: Layout, base_url: str, console: Console) -> SampleData:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Drawing sample photos")
        return write_sample_data(
            layout.root,
            SIZES[size](),
            base_url=base_url,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


def job(name: str, title: str, console: Console) -> None:
    """Run a job to its end under a title; raises a `MeterError` if it failed."""
    from meter_pipeline.cli.runs import run_job

    console.rule(f"[bold]{title}", align="left")
    started = time.monotonic()
    run = run_job(name)
    if not run.success:
        raise MeterError(
            f"The {name} job failed: {'; '.join(run.problems)}", fix=f"Look at run {run.run_id}: meter dev"
        )
    console.print(f"[green]{name} finished in {time.monotonic() - started:.0f} s[/]")


def _show(card: Scorecard, layout: Layout, console: Console) -> None:
    from meter_pipeline.recognition.model_card import load_card

    console.rule("[bold]Results")
    champion = load_card(layout)
    results = Table("figure", "value", title="Model")
    results.add_row("model", f"{champion.version} ({champion.backbone}, {len(champion.classes)} classes)")
    measured = read_json(layout.evaluation_metrics(champion.version))
    for name in ("accuracy", "macro_recall"):
        results.add_row(f"{name.replace('_', ' ')} on its own test photos", f"{measured[name]:.3f}")
    results.add_row("guard", champion.guard.get("summary") or champion.guard.get("note", ""))
    results.add_row("top-1 accuracy on known designs in the drops", f"{card.known_accuracy:.3f}")
    results.add_row("photos of unseen designs in a cluster of their own", f"{card.unseen_found:.0%}")
    console.print(results)
    console.print(_table(card.final_labels.reset_index(), "Rows by what was drawn (down) and final label (across)"))
    clusters = card.clusters.assign(purity=[f"{purity:.2f}" for purity in card.clusters["purity"]])
    console.print(_table(clusters, "Clusters of UNKNOWN photos, compared with what was drawn"))


def _table(frame: pd.DataFrame, title: str) -> Table:
    table = Table(*map(str, frame.columns), title=title)
    for row in frame.itertuples(index=False):
        table.add_row(*map(str, row))
    return table


def _where_next(layout: Layout, console: Console) -> None:
    prefix = "" if "METER_DATA_DIR" not in os.environ else f"METER_DATA_DIR={layout.root} "
    console.print("Where to look next:")
    console.print(f"  {prefix}meter dev                   the graph, its history and logs, in the browser")
    console.print(f"  {prefix}meter dashboard             photos, predictions, clusters; on its page Review")
    console.print("                              the groups of new types are named by keys")
    for path, what in (
        (layout.batch_reports, "predictions of each drop, as CSV and XLSX"),
        (layout.clusters, "one folder per cluster, each with a contact sheet"),
        (layout.evaluation_reports, "the evaluation report, as an HTML page"),
        (layout.processed, "the split, to browse"),
    ):
        console.print(f"  {path}  {what}", highlight=False, soft_wrap=True)
