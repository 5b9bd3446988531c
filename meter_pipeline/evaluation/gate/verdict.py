"""The gate's verdict: everything that is measured, what was found, and the worst outcome of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from meter_pipeline.evaluation.gate.contender import Contender
from meter_pipeline.evaluation.gate.drop_photos import DropPhotos
from meter_pipeline.evaluation.gate.findings import Criterion, Finding, worst, worst_first
from meter_pipeline.evaluation.gate.new_classes import NewClasses, measure_new_classes, on_new_classes
from meter_pipeline.evaluation.gate.old_classes import Comparison, compare, on_old_classes
from meter_pipeline.evaluation.gate.rejected import Rejected, measure_rejected, on_rejected
from meter_pipeline.evaluation.gate.replay import Replay, measure_replay, on_replay
from meter_pipeline.evaluation.gate.sentences import sentences_of
from meter_pipeline.evaluation.gate.unknown import Unknown, measure_unknown, on_unknown
from meter_pipeline.labels import Outcome


@dataclass(frozen=True)
class RolledBack:
    """That the challenger was rolled back before: when (UTC, ISO 8601), by whom (may be empty) and why."""

    at: str
    by: str
    reason: str

    @property
    def in_words(self) -> str:
        """When, by whom and why."""
        by = f" by {self.by}" if self.by else ""
        return f'on {self.at[:10]} at {self.at[11:16]} UTC{by}, "{self.reason}"'


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the gate decided, and on what grounds.

    Attributes:
        outcome: accepted (in use from now on), held (a person decides) or refused (not good enough); the worst outcome
            of the findings.
        findings: what was found, what leads to the worst outcome first; remarks lead to none.
        tolerance: macro recall that the challenger was allowed to lose.
        comparison: old classes.
        new_classes: classes that only the challenger knows.
        unknown: what is sent to UNKNOWN.
        rejected: what people rejected and is named so again.
        replay: the last drops under both models.
    """

    outcome: Outcome
    findings: tuple[Finding, ...]
    tolerance: float
    comparison: Comparison
    new_classes: NewClasses = field(default_factory=NewClasses)
    unknown: Unknown = field(default_factory=Unknown)
    rejected: Rejected = field(default_factory=Rejected)
    replay: Replay = field(default_factory=Replay)

    @property
    def accepted(self) -> bool:
        """Whether the challenger is the model in use from now on."""
        return self.outcome == Outcome.ACCEPTED

    @property
    def sentences(self) -> list[str]:
        """Why, in words and numbers, the most important first."""
        return sentences_of(
            self.outcome, self.findings, self.comparison, self.new_classes, self.replay, tolerance=self.tolerance
        )

    @property
    def reason(self) -> str:
        """The sentences as one text, for the Dagster UI, the log, the dashboard and `champion.json`."""
        return " ".join(self.sentences)


def judge(
    challenger: Contender,
    champion: Contender | None,
    *,
    tolerance: float,
    allow_dropped_classes: bool = False,
    drops: DropPhotos | None = None,
    rolled_back: RolledBack | None = None,
) -> Verdict:
    """Decide whether the challenger comes into use.

    Args:
        challenger: the model that wants to come into use.
        champion: the model in use; None if there is none yet.
        tolerance: macro recall that the challenger may lose and still win (0 to 1).
        allow_dropped_classes: whether a challenger that no longer knows a class of the champion may win. Fewer classes
            are easier to tell apart, so it is not let through by its score: a person says that the class is gone on
            purpose.
        drops: photos of drops under both models; None: there are none.
        rolled_back: that the challenger was in use and a person went back; None: it was not.
    """
    numbers, drops = compare(challenger, champion), drops or DropPhotos()
    unknown = measure_unknown(challenger, champion, drops)
    if champion is None or champion.version == challenger.version:
        return Verdict(outcome=Outcome.ACCEPTED, findings=(), tolerance=tolerance, comparison=numbers, unknown=unknown)
    old_classes = frozenset(champion.classes)
    new_classes, rejected = measure_new_classes(challenger, champion), measure_rejected(drops)
    replay = measure_replay(drops, old_classes=old_classes, kept_classes=old_classes & set(challenger.classes))
    findings = [
        *_on_roll_back(rolled_back),
        *on_old_classes(numbers, tolerance=tolerance, allow_dropped_classes=allow_dropped_classes),
        *on_unknown(unknown),
        *on_rejected(rejected),
        *on_new_classes(new_classes),
        *on_replay(replay),
    ]
    return Verdict(
        outcome=worst(findings),
        findings=tuple(worst_first(findings)),
        tolerance=tolerance,
        comparison=numbers,
        new_classes=new_classes,
        unknown=unknown,
        rejected=rejected,
        replay=replay,
    )


def _on_roll_back(rolled_back: RolledBack | None) -> list[Finding]:
    if rolled_back is None:
        return []
    return [Finding(criterion=Criterion.ROLLED_BACK, outcome=Outcome.HELD, names=(rolled_back.in_words,))]
