"""Own the rendering of an audit of published tables: Markdown, CSV, HTML. Finds nothing itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from faceassay.audit.agreement import AGREE, BENCHMARK
from faceassay.audit.averages import EXACT, NO_MEMBERS
from faceassay.audit.findings import COLUMNS, Finding
from faceassay.audit.model import AuditSpec
from faceassay.report.plain import as_csv, escaped, grid

EVERYTHING = "Everything that was checked is in `audit.csv`, one line each."


@dataclass(frozen=True)
class Part:
    """Hold a part of the page about one check.

    Attributes:
        check: whose lines it shows.
        heading, explanation: above them.
        columns: (name of a finding's field, heading) of the columns that are shown.
        hidden: verdicts whose lines are only counted.
    """

    check: str
    heading: str
    explanation: str
    columns: tuple[tuple[str, str], ...]
    hidden: tuple[str, ...] = ()

    def shown(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return the lines of the check that the page shows."""
        return [one for one in findings if one.check == self.check and one.verdict not in self.hidden]


SOURCE, ROW, COLUMN, VERDICT, DETAIL = (
    ("source", "Source"), ("row", "Row"), ("column", "Column"), ("verdict", "Verdict"), ("detail", "Remark"),
)  # fmt: skip
PARTS = (
    Part(
        "average", "Averages",
        "Each printed average against the mean of its printed members. A printed number is known to half a unit of its "
        "last digit, so the mean of members is known to the mean of their half units: only a printed average that no "
        "unrounded members give is a mistake, of the average or of a member. Exact: the mean of the printed members "
        "rounds to it. Exact ones, and those whose members are not printed, are only counted here.",
        (SOURCE, ROW, COLUMN, ("printed", "Printed"), ("computed", "Recomputed"), ("difference", "Difference"), VERDICT,
         DETAIL),
        (EXACT, NO_MEMBERS),
    ),
    Part(
        "definition", "What the averages are means of",
        "Every set of two or more columns was tried as the members of every average; a set fits a row where rounding "
        "can explain the difference. An average of unlike metrics has no unit of its own: a point of it may be a point "
        "of any of them.",
        (SOURCE, COLUMN, ("printed", "Stated"), ("computed", "Members"), VERDICT, DETAIL),
    ),
    Part(
        "gap", "Gaps between averages",
        "Columns of gaps, with the definition that gives all their numbers within rounding.",
        (SOURCE, COLUMN, VERDICT, DETAIL),
    ),
    Part(
        "earlier audit", "Against an earlier audit",
        "Where an audit of the same averages that somebody made before says another thing, or leaves one out.",
        (SOURCE, ROW, COLUMN, ("printed", "Printed"), VERDICT, DETAIL),
    ),
    Part(
        "quotation", "One training, several tables",
        "Rows that print, or quote, one training should agree in every number.",
        (SOURCE, COLUMN, ("printed", "Printed"), ("difference", "Apart"), VERDICT, DETAIL),
        (AGREE,),
    ),
    Part(
        "alike", "Rows that are too alike",
        "Rows under different names that share three numbers or more, though nobody says that they are one training.",
        (SOURCE, ("row", "Other row"), ("printed", "The same numbers"), VERDICT),
    ),
    Part(
        "statement", "Numbers in the texts",
        "What a number of a text may mean, computed from the tables with their rounding. Gains in percentage points, "
        "or in percent of the other number where it says relative.",
        (SOURCE, ("row", "Text"), ("column", "May mean"), ("printed", "Says"), ("computed", "Is"), VERDICT, DETAIL),
    ),
    Part(
        "order", "Orders that metrics reverse",
        "Pairs of rows of one table that a metric orders otherwise than the average does; pairs that rounding leaves "
        "open are not counted.",
        (SOURCE, COLUMN, VERDICT, DETAIL),
    ),
    Part(
        "share", "Accuracies that no single run can have",
        "A run is right on a whole number of the 6,000 or 7,000 pairs. A printed accuracy that none gives is a mean of "
        "several runs, was computed otherwise, or is a misprint.",
        (SOURCE, VERDICT, DETAIL),
    ),
    Part(
        "recipes", "One set, several recipes",
        "How far the numbers lie apart that are printed for trainings on nominally the same images under different "
        "recipes: the highest minus the lowest. Those of single benchmarks are in `audit.csv`.",
        (("source", "Set"), COLUMN, ("printed", "Printed"), ("difference", "Spread")),
        (BENCHMARK,),
    ),
    Part(
        "gain", "Claimed gains against the spread between recipes",
        "Gains within one table are gains under one recipe. A gain that is smaller than what another recipe does on "
        "one and the same set cannot be carried from one paper's table to another's. In brackets the spread.",
        (SOURCE, ROW, COLUMN, ("difference", "Gain"), VERDICT, ("detail", "Sets whose recipes lie farther apart")),
    ),
    Part(
        "claim", "Claims against their own numbers",
        "Verdict: in the metrics that the claim names. Remark: in all columns that its two rows print, and how many "
        "differences of the claimed sign exceed two standard deviations of the difference, where spreads are printed "
        "or stand in. The number of runs behind a spread is not printed, so this is no test of significance.",
        (("row", "Claim"), SOURCE, VERDICT, DETAIL),
    ),
    Part(
        "claim, by metric", "Claims, metric by metric",
        "The numbers of the file of claims against those of the tables, and each difference recomputed.",
        (("source", "Claim"), ROW, COLUMN, ("printed", "Left"), ("computed", "Right"), ("difference", "Difference"),
         VERDICT, ("detail", "Against printed spreads")),
    ),
    Part(
        "comparison", "Further comparisons",
        "Two rows that a reader of the tables would set beside each other, in every metric that both print.",
        (SOURCE, ("row", "Comparison"), COLUMN, ("printed", "Left"), ("computed", "Right"),
         ("difference", "Difference"), VERDICT, ("detail", "Against printed spreads")),
    ),
    Part("reading", "Found by reading", "What no arithmetic finds.", (SOURCE, DETAIL)),
    Part(
        "not checked", "What could not be checked", "And why. Claims without numbers are named under the claims.",
        (("source", "What"), ("detail", "Why")),
    ),
)  # fmt: skip
NUMBERS = {"Recomputed", "Difference", "Apart", "Is", "Says", "Left", "Right", "Gain", "Spread"}
"""Headings whose columns are aligned to the right."""
AT_A_GLANCE = 6
"""Different verdicts of a check that are counted above its lines."""


def audit_csv(findings: Sequence[Finding]) -> str:
    """Return everything that was checked as CSV."""
    return as_csv(COLUMNS, (finding.cells() for finding in findings))


def counted(part: Part, findings: Iterable[Finding]) -> str:
    """Return how often each verdict was given, most often first; empty for one line, and for too many verdicts."""
    counts = Counter(one.verdict for one in findings if one.check == part.check and one.verdict)
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    return told if counts.total() > 1 and len(counts) <= AT_A_GLANCE else ""


def cells(part: Part, findings: Iterable[Finding]) -> list[list[str]]:
    """Return what a part shows, line by line."""
    return [[getattr(one, name) for name, _ in part.columns] for one in part.shown(findings)]


def audit_markdown(spec: AuditSpec, findings: Sequence[Finding]) -> str:
    """Return the page as Markdown."""
    notes = "\n".join(f"- {escaped(note)}" for note in spec.notes)
    return "\n\n".join((f"# {escaped(spec.title)}", *filter(None, (notes, EVERYTHING)), *_parts(findings))) + "\n"


def _parts(findings: Sequence[Finding]) -> Iterator[str]:
    for part in PARTS:
        lines, count = cells(part, findings), counted(part, findings)
        if lines or count:
            yield f"## {part.heading}"
            yield part.explanation
            yield from filter(None, (f"{count}." if count else "", _grid(part, lines)))


def _grid(part: Part, lines: Sequence[Sequence[str]]) -> str:
    headings = [heading for _, heading in part.columns]
    words = [place for place, heading in enumerate(headings) if heading not in NUMBERS]
    return grid(headings, lines, words) if lines else ""


def audit_page(spec: AuditSpec, findings: Sequence[Finding]) -> str:
    """Return the page as HTML that needs no network; everything is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("faceassay.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    parts = [(part, counted(part, findings), cells(part, findings)) for part in PARTS]
    return environment.get_template("audit.html.j2").render(
        title=spec.title, notes=spec.notes, parts=[part for part in parts if part[1] or part[2]], numbers=NUMBERS
    )
