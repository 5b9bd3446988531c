"""The console command `meter`: demo, dev, dashboard, update, train, review, model, predict, doctor, verify, erase."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.logging import RichHandler

from meter_pipeline.cli.model import model_app
from meter_pipeline.cli.review import review_app
from meter_pipeline.cli.terminal import complain, console, error_console, say
from meter_pipeline.labels import FinalLabel, counted
from meter_pipeline.settings import load_settings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.masking import mask_urls

if TYPE_CHECKING:
    from meter_pipeline.cli.runs import LocalRun

app = typer.Typer(
    name="meter",
    help="Names the type of electricity meters on photos, says UNKNOWN where it does not know, groups what is new.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
app.add_typer(review_app, name="review")
app.add_typer(model_app, name="model")


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
    """Train, evaluate and gate a model on the labelled photos, and on what people named; say what the gate said."""
    from meter_pipeline.cli.model import print_verdict
    from meter_pipeline.recognition.model_card import champion_version

    layout = Layout(load_settings().data_dir)
    in_use = champion_version(layout)
    _run("train", says_verdict=lambda: print_verdict(layout, in_use_before=in_use))


@app.command()
def update(
    retry_failed: Annotated[bool, typer.Option(help="Fetch again the URLs that failed before.")] = False,
    refresh: Annotated[bool, typer.Option(help="Ask for every photo again, and take those that have changed.")] = False,
) -> None:
    """Work through the drops once: fetch, name, export, cluster, write folders. For cron, or without the UI."""
    from meter_pipeline.cli.update import run_update

    asked: dict[str, object] = {
        name: True for name, given in (("retry_failed", retry_failed), ("refresh", refresh)) if given
    }
    run_update(load_settings(), lambda: _run("update", {"url_images": asked} if asked else None), asked=bool(asked))


@app.command()
def predict(
    images: Annotated[list[Path], typer.Argument(help="Photos to name.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
) -> None:
    """Name one photo or several: prediction, confidence, top 3, and the reason if it is UNKNOWN."""
    from meter_pipeline.cli.printing import print_predictions
    from meter_pipeline.recognition.single_photo import predict_photos

    settings = load_settings()
    predictions = predict_photos(Layout(settings.data_dir), images, settings)
    print_predictions(predictions, console, as_json=as_json)
    raise typer.Exit(1 if all(p.final_prediction == FinalLabel.ERROR for p in predictions) else 0)


@app.command()
def doctor() -> None:
    """Check the set-up, weights, paths, disk and GPU, and say what to do about problems."""
    from rich.markup import escape
    from rich.table import Column, Table

    from meter_pipeline.cli.doctor import examine

    findings = examine()
    table = Table("", "check", "found", Column("what to do", overflow="fold"), title="meter doctor")
    colours = {"ok": "green", "warn": "yellow", "fail": "red"}
    for finding in findings:
        state = f"[{colours[finding.state]}]{finding.state}[/]"
        table.add_row(state, finding.name, escape(finding.found), escape(finding.fix))
    console.print(table)
    raise typer.Exit(1 if any(finding.state == "fail" for finding in findings) else 0)


@app.command()
def verify(
    mend: Annotated[
        bool, typer.Option("--mend", help="Make anew what can be made anew; nothing may be running.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look whether every file of the data directory holds what was written; say what to do. 1 if damage is left."""
    from meter_pipeline.cli.verify.command import verify

    sound = verify(Layout(load_settings().data_dir), mend=mend, as_json=as_json)
    raise typer.Exit(0 if sound else 1)


@app.command()
def erase(
    drop: Annotated[str | None, typer.Argument(metavar="[DROP]", help="A drop, or its file in data/drops.")] = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="Instead: the rows of a photo's URL.")] = None,
    column: Annotated[
        str | None,
        typer.Option("--column", metavar="NAME=VALUE", help="Instead: the rows with this text in this column."),
    ] = None,
    unused: Annotated[bool, typer.Option("--unused", help="Instead: the photos that no row names any more.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; nothing is erased without --yes.")] = False,
) -> None:
    """Take rows away for good, with their photos and all that was made from them; says first what would go."""
    from meter_pipeline.cli.erase import Asked, run_erase

    asked = Asked(drop, url, column, unused)
    done = run_erase(Layout(load_settings().data_dir), asked, yes=yes, as_json=as_json)
    raise typer.Exit(0 if done else 1)


@app.command()
def demo(
    full: Annotated[bool, typer.Option(help="All 38 designs and 8 unseen ones; takes much longer.")] = False,
    small: Annotated[bool, typer.Option(help="Few designs, as the tests use.")] = False,
    serve: Annotated[bool, typer.Option(help="Keep the image server running afterwards, until Ctrl-C.")] = False,
    loop: Annotated[
        bool, typer.Option("--loop", help="Also name clusters, train again, and show what that changed.")
    ] = False,
) -> None:
    """Draw sample photos and run the whole system on them, without internet and without GPU."""
    size = "full" if full else "small" if small else "demo"
    if loop:
        from meter_pipeline.cli.demo_loop import run_loop

        run_loop(size, console=console)
    else:
        from meter_pipeline.cli.demo import run_demo

        run_demo(size, console=console, keep_serving=serve)


def _run(
    job: str,
    config: dict[str, dict[str, object]] | None = None,
    *,
    says_verdict: Callable[[], None] | None = None,
) -> bool:
    """Run a job and print what became of it; exit with 1 if it failed, not if the gate held or refused a model.

    Returns:
        Whether there was no problem at all.
    """
    from meter_pipeline.cli.runs import GATE_CHECK, run_job

    run = run_job(job, config=config)
    for problem in run.problems:
        if says_verdict is None or not problem.startswith(GATE_CHECK):
            complain(problem)
    _say_promoted(run)
    if not run.success:
        raise typer.Exit(1)
    if says_verdict is not None:
        says_verdict()
    console.print(f"[green]{job} finished.[/] Run {run.run_id} is in the history: meter dev")
    return not run.problems


def _say_promoted(run: LocalRun) -> None:
    """Say in a line which named photos came into the data set and which left it, if any did."""
    counts = run.counts.get("promoted_images", {})
    came, left = counts.get("promoted now", 0), counts.get("taken out now", 0)
    parts = [f"{counted(came, 'named photo')} put into data/raw"] if came else []
    parts += [f"{counted(left, 'photo')} taken out of data/raw"] if left else []
    if parts:
        say(f"{', '.join(parts)}.")


def _without_run_id(record: logging.LogRecord) -> bool:
    """Shorten the prefix that Dagster puts before a line (`job - run id - asset - `) to the asset's name."""
    record.msg, record.args = re.sub(r"^\S+ - [0-9a-f-]{36} - (\S+) - ", r"\1: ", mask_urls(record.getMessage())), None
    return True


def main() -> None:
    """Run the command that a person typed."""
    run(app)


def run(command: Callable[[], object]) -> None:
    """Run a command; an error that a person can act on is printed as a sentence, without a traceback."""
    handler = RichHandler(console=error_console, show_path=False, show_level=False, log_time_format="%H:%M:%S")
    handler.addFilter(_without_run_id)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("meter_pipeline").setLevel(logging.INFO)
    try:
        command()
    except Exception as error:  # the last resort: no traceback reaches a person
        from meter_pipeline.cli.last_resort import sentence_of

        complain(str(sentence_of(error)))
        sys.exit(1)
    except KeyboardInterrupt:
        error_console.print("Stopped. Finished work is kept; run the same command again to continue.")
        sys.exit(130)


if __name__ == "__main__":
    main()
