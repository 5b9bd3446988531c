"""`meter review`: people say what photos are, from the command line and from scripts, without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meter_pipeline.cli.terminal import complain, login_name, say, say_json
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import Action, counted
from meter_pipeline.settings import load_settings
from meter_pipeline.storage.layout import Layout

if TYPE_CHECKING:
    from meter_pipeline.review.agreement import Agreement, Said
    from meter_pipeline.review.decisions import Decision
    from meter_pipeline.review.selection import PhotoFinder, Selection
    from meter_pipeline.review.sheets import Imported

review_app = typer.Typer(
    help="Say what UNKNOWN photos are: name clusters, call them junk, take strangers out. Undo anything at any time.",
    no_args_is_help=True,
)
SOURCE = "command line"
TAKES_NOISE = {"ignore_unknown_options": True}
"""So that -1, as `list --json` calls noise, is a cluster and not an option; a mistyped option is then no photo."""
NEXT = "meter update takes it over; meter dev does so by itself."

Whats = Annotated[
    list[str],
    typer.Argument(
        metavar="WHAT...",
        help="Number of a cluster (its undecided photos; also `noise`), an id or its first 6 digits or more, a URL, a"
        " file or a folder.",
    ),
]
Without = Annotated[
    list[str] | None, typer.Option("--without", metavar="WHAT", help="Photos to leave out; may be given several times.")
]
By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who says so; may be empty. If not given, the login name.")
]
Replace = Annotated[bool, typer.Option("--replace", help="Also decide what somebody else has decided otherwise.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@review_app.command("list")
def list_open(as_json: AsJson = False) -> None:
    """List what waits: undecided clusters, disputed photos, classes that are too small; then totals."""
    from meter_pipeline.cli.listing import print_overview
    from meter_pipeline.review.overview import look_at_review

    print_overview(look_at_review(_layout()), as_json=as_json)


@review_app.command(context_settings=TAKES_NOISE)
def show(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="A cluster, a photo, or the id of a decision.")],
    as_json: AsJson = False,
) -> None:
    """Show a cluster's photos, the decisions on a photo, or a decision."""
    from meter_pipeline.cli.listing import print_what

    print_what(_layout(), what, as_json=as_json)


@review_app.command(context_settings=TAKES_NOISE)
def name(
    class_name: Annotated[str, typer.Argument(metavar="CLASS", help="The class, a known one or a new one.")],
    whats: Whats,
    without: Without = None,
    by: By = None,
    replace: Replace = False,
) -> None:
    """Say that photos are of a class."""
    from meter_pipeline.review.deciding import known_classes

    finder, selection = _selected(whats, without)
    classes = known_classes(finder.layout, finder.state)
    known, near, label = set(classes.known), classes.nearly_equal(class_name), classes.resolve(class_name)
    if label != class_name:
        say(f"The class is written {label}.")
    if label not in known:
        say(f"{label} is a new class.")
        if near:
            say(f"Nearly the same: {', '.join(near)}. If you meant it: meter review undo, and name it so.")
    _decide(finder, selection, Action.NAME, label, by, replace)


@review_app.command(context_settings=TAKES_NOISE)
def junk(whats: Whats, without: Without = None, by: By = None, replace: Replace = False) -> None:
    """Say that photos show no meter, or are of no use."""
    finder, selection = _selected(whats, without)
    _decide(finder, selection, Action.JUNK, None, by, replace)


@review_app.command(context_settings=TAKES_NOISE)
def exclude(
    whats: Whats,
    apart_from: Annotated[
        list[str], typer.Option("--from", metavar="WHAT", help="The cluster or the photos that they do not belong to.")
    ],
    without: Without = None,
    by: By = None,
    replace: Replace = False,
) -> None:
    """Say that photos do not belong to a group; the next clustering keeps them out of it."""
    finder, selection = _selected(whats, without)
    out = set(selection.image_ids)
    rest = tuple(i for i in finder.select_all(apart_from, whole_clusters=True).image_ids if i not in out)
    if not rest:
        raise MeterError("Nothing is left of the group without these photos.", where="--from")
    _decide(finder, selection, Action.EXCLUDE, rest, by, replace)


@review_app.command(context_settings=TAKES_NOISE)
def group(whats: Whats, without: Without = None, by: By = None, replace: Replace = False) -> None:
    """Say that photos belong together, without a name yet; the next clustering keeps them together."""
    finder, selection = _selected(whats, without)
    if len(selection.image_ids) == 1:
        raise MeterError("One photo is no group.", where=whats[0], fix="Name at least two photos, or two clusters.")
    _decide(finder, selection, Action.GROUP, None, by, replace)


@review_app.command(context_settings=TAKES_NOISE)
def later(whats: Whats, without: Without = None, by: By = None, replace: Replace = False) -> None:
    """Say that photos were looked at and cannot be decided yet."""
    finder, selection = _selected(whats, without)
    _decide(finder, selection, Action.LATER, None, by, replace)


@review_app.command()
def undo(
    decision: Annotated[
        str | None, typer.Argument(metavar="[DECISION]", help="Its id; if not given, the last one of this person.")
    ] = None,
    by: By = None,
) -> None:
    """Take a decision back, whenever it was made; an undo can be undone too."""
    from meter_pipeline.cli.listing import sentence_of
    from meter_pipeline.review import deciding
    from meter_pipeline.review.reviewed_images import current_state

    layout, who = _layout(), _person(by)
    state = current_state(layout)
    if decision is None:
        own = [d for d in state.order if d.by == who and d.decision_id in state.live and d.action != Action.UNDO]
        if not own:
            person = f"by {who}" if who else "without a name"
            raise MeterError(
                f"There is no decision {person} that counts.", fix="Whose then? --by NAME, or give the decision's id."
            )
        decision = own[-1].decision_id
    made = deciding.undo(layout, decision, by=who, source=SOURCE)
    undone = next(each for each in state.order if each.decision_id == decision)
    say(f"Undone: {sentence_of(undone)}. To have it again: meter review undo {made.decision_id}")
    say(NEXT)


@review_app.command("export")
def export_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="FILE.csv or FILE.xlsx.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Write the photos in review to a sheet: fill in the column `class` (or `junk`), and import it."""
    from meter_pipeline.review.review_table import export_review

    rows = export_review(_layout(), file.expanduser(), overwrite=overwrite)
    say(f"{counted(rows, 'photo')} in {file}. Fill in the column class, then: meter review import {file}")


@review_app.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|FOLDER",
            help="A spreadsheet with the columns class and image_id, image_url or file; or a folder with"
            " <CLASS>/<photo>.",
        ),
    ],
    by: By = None,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Take in classes from a sheet or from folders: one decision for each class. Twice decides nothing new."""
    from meter_pipeline.review.sheets import import_classes

    imported = import_classes(_layout(), file.expanduser(), by=_person(by), replace=replace)
    _print_imported(imported, as_json=as_json)
    raise typer.Exit(1 if imported.nothing_taken else 0)


def _layout() -> Layout:
    return Layout(load_settings().data_dir)


def _person(by: str | None) -> str:
    return login_name() if by is None else by.strip()


def _selected(whats: list[str], without: list[str] | None) -> tuple[PhotoFinder, Selection]:
    from meter_pipeline.review.selection import PhotoFinder

    finder = PhotoFinder(_layout())
    return finder, finder.select_all(whats, without=without or ())


def _decide(
    finder: PhotoFinder,
    selection: Selection,
    action: Action,
    target: str | tuple[str, ...] | None,
    by: str | None,
    replace: bool,
) -> None:
    """Decide on the photos that nobody else has decided on otherwise, or on all; say what was done and what was not."""
    from meter_pipeline.review.agreement import sift
    from meter_pipeline.review.deciding import decide

    who = _person(by)
    label = target if isinstance(target, str) else None
    found = sift(finder.state, selection.image_ids, action, label, who)
    image_ids = (*found.free, *found.contested_ids) if replace else found.free
    if image_ids:
        made = decide(
            finder.layout,
            action,
            image_ids,
            by=who,
            target=target,
            source="cluster" if selection.cluster_id is not None else SOURCE,
            cluster_id=selection.cluster_id,
            state=finder.state,
        )
        _print_made(made, found, replaced=replace)
    _print_left_out(found, replaced=replace)
    if image_ids:
        say(NEXT)
    elif found.contested:
        raise typer.Exit(1)


def _print_made(made: Decision, found: Agreement, *, replaced: bool) -> None:
    photos = counted(len(made.image_ids), "photo")
    said = {
        Action.NAME: f"{photos} named {made.target}",
        Action.JUNK: f"{photos} called junk",
        Action.EXCLUDE: f"{photos} kept out of a group of {len(made.group):,}",
        Action.GROUP: f"{photos} kept together",
        Action.LATER: f"{photos} left for later",
    }[made.action]
    say(f"{said}. Decision {made.decision_id}")
    for before in (*found.taken_back, *(found.contested if replaced else ())):
        say(f"  {_of_these(before)}; that does not count any more.")


def _print_left_out(found: Agreement, *, replaced: bool) -> None:
    from meter_pipeline.cli.listing import ids_text

    if found.already:
        say(f"{counted(len(found.already), 'photo')} left as they are: that was decided already.")
    for said in () if replaced else found.contested:
        say(f"{_of_these(said)}: {ids_text(said.image_ids)}")
    if found.contested and not replaced:
        say("They are left out. If you have looked at them, the same with --replace settles it.")


def _of_these(said: Said) -> str:
    return f"{len(said.image_ids):,} of these {'was' if len(said.image_ids) == 1 else 'were'} {said.sentence}"


def _print_imported(imported: Imported, *, as_json: bool) -> None:
    if as_json:
        say_json(
            {
                "decisions": [
                    {"decision_id": each.decision_id, "class": each.target or "junk", "photos": len(each.image_ids)}
                    for each in imported.decisions
                ],
                "already": imported.already,
                "without_class": imported.without_class,
                "problems": [vars(problem) for problem in imported.problems],
            }
        )
        return
    for each in imported.decisions:
        said = "called junk" if each.action == Action.JUNK else f"named {each.target}"
        say(f"{counted(len(each.image_ids), 'photo')} {said}. Decision {each.decision_id}")
    for problem in imported.problems:
        sheet = f"sheet {problem.sheet}" if problem.sheet else ""
        row = "" if problem.row_number is None else f"row {problem.row_number}"
        place = ", ".join(part for part in (sheet, row, problem.what) if part)
        complain(f"Not taken: {place}: {problem.reason}")
    say(
        f"{sum(len(each.image_ids) for each in imported.decisions):,} decided, {imported.already:,} were that already, "
        f"{imported.without_class:,} without a class, {len(imported.problems):,} not taken."
    )
    if imported.decisions:
        say(NEXT)
