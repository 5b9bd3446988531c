"""The console command `meter`: demo, dev, dashboard, update, train, predict, doctor."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler

from meter_pipeline.errors import MeterError
from meter_pipeline.labels import FinalLabel
from meter_pipeline.settings import load_settings

app = typer.Typer(
    name="meter",
    help="Names the type of electricity meters on photos, says UNKNOWN where it does not know, groups what is new.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
console = Console()
error_console = Console(stderr=True)


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Port of the web UI.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on; the UI has no password.")] = "127.0.0.1",
) -> None:
    """Open the Dagster UI and start its daemon, which takes in new drops by itself. Ctrl-C stops everything."""
    from meter_pipeline.cli.dev import serve

    settings = load_settings()
    console.print(f"Data directory: {settings.data_dir}\nDagster UI:     http://{host}:{port}  (Ctrl-C stops it)")
    raise typer.Exit(serve(settings, host=host, port=port))


@app.command()
def dashboard(
    port: Annotated[int, typer.Option(help="Port of the dashboard.")] = 8501,
    host: Annotated[
        str, typer.Option(help="Address to listen on; set METER_DASHBOARD_PASSWORD if others can reach it.")
    ] = "127.0.0.1",
) -> None:
    """Open the dashboard: single photos, batches, classes, UNKNOWN clusters, the model. Ctrl-C stops it."""
    from meter_pipeline.cli.dashboard import serve_dashboard

    settings = load_settings()
    console.print(f"Data directory: {settings.data_dir}\nDashboard:      http://{host}:{port}  (Ctrl-C stops it)")
    raise typer.Exit(serve_dashboard(settings, host=host, port=port))


@app.command()
def train() -> None:
    """Train, evaluate and gate a model on the labelled photos in data/raw/<CLASS>/."""
    _run("train")


@app.command()
def update(
    retry_failed: Annotated[bool, typer.Option(help="Fetch again the URLs that failed before.")] = False,
    refresh: Annotated[bool, typer.Option(help="Ask for every photo again, and take those that have changed.")] = False,
) -> None:
    """Work through the drops once: fetch, name, export, cluster, write folders. For cron, or without the UI."""
    asked: dict[str, object] = {
        name: True for name, given in (("retry_failed", retry_failed), ("refresh", refresh)) if given
    }
    _run("update", {"url_images": asked} if asked else None)


@app.command()
def predict(
    images: Annotated[list[Path], typer.Argument(help="Photos to name.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
) -> None:
    """Name one photo or several: prediction, confidence, top 3, and the reason if it is UNKNOWN."""
    from meter_pipeline.cli.printing import print_predictions
    from meter_pipeline.recognition.single_photo import predict_photos
    from meter_pipeline.storage.layout import Layout

    settings = load_settings()
    predictions = predict_photos(Layout(settings.data_dir), images, settings)
    print_predictions(predictions, console, as_json=as_json)
    raise typer.Exit(1 if all(p.final_prediction == FinalLabel.ERROR for p in predictions) else 0)


@app.command()
def doctor() -> None:
    """Check the set-up, weights, paths, disk and GPU, and say what to do about problems."""
    from rich.markup import escape
    from rich.table import Table

    from meter_pipeline.cli.doctor import examine

    findings = examine()
    table = Table("", "check", "found", "what to do", title="meter doctor")
    colours = {"ok": "green", "warn": "yellow", "fail": "red"}
    for finding in findings:
        state = f"[{colours[finding.state]}]{finding.state}[/]"
        table.add_row(state, finding.name, escape(finding.found), escape(finding.fix))
    console.print(table)
    raise typer.Exit(1 if any(finding.state == "fail" for finding in findings) else 0)


@app.command()
def demo(
    full: Annotated[bool, typer.Option(help="All 38 designs and 8 unseen ones; takes much longer.")] = False,
    small: Annotated[bool, typer.Option(help="Few designs, as the tests use.")] = False,
    serve: Annotated[bool, typer.Option(help="Keep the image server running afterwards, until Ctrl-C.")] = False,
) -> None:
    """Draw sample photos and run the whole system on them, without internet and without GPU."""
    from meter_pipeline.cli.demo import run_demo

    run_demo("full" if full else "small" if small else "demo", console=console, keep_serving=serve)


def _run(job: str, config: dict[str, dict[str, object]] | None = None) -> None:
    from meter_pipeline.cli.runs import run_job

    run = run_job(job, config=config)
    for problem in run.problems:
        error_console.print(problem, style="red", markup=False, highlight=False, soft_wrap=True)
    if not run.success:
        raise typer.Exit(1)
    console.print(f"[green]{job} finished.[/] Run {run.run_id} is in the history: meter dev")


def _without_run_id(record: logging.LogRecord) -> bool:
    """Shorten the prefix that Dagster puts before a line (`job - run id - asset - `) to the asset's name."""
    record.msg, record.args = re.sub(r"^\S+ - [0-9a-f-]{36} - (\S+) - ", r"\1: ", record.getMessage()), None
    return True


def main() -> None:
    """Run the command; an error that a person can act on is printed as a sentence, without a traceback."""
    handler = RichHandler(console=error_console, show_path=False, show_level=False, log_time_format="%H:%M:%S")
    handler.addFilter(_without_run_id)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("meter_pipeline").setLevel(logging.INFO)
    try:
        app()
    except MeterError as error:
        error_console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        error_console.print("Stopped. Finished work is kept; run the same command again to continue.")
        sys.exit(130)


if __name__ == "__main__":
    main()
