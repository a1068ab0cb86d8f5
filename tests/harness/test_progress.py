"""What a run says of itself: lines, bars, and the time left by a clock that the test moves."""

import io
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from rich.console import Console

from faceassay import progress
from faceassay.contracts import Outcome
from faceassay.progress import ProgressDisplay, duration


@dataclass(frozen=True)
class View:
    """A stage as an observer sees it."""

    title: str
    work: int = 10
    kind: str = "recognizer"
    unit: str = "images"
    plugin: object = field(default_factory=lambda: SimpleNamespace(name="net"))

    @property
    def digest(self):
        return f"key of {self.title}"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    moved = Clock()
    monkeypatch.setattr(progress.time, "monotonic", moved)
    return moved


def display(stream, terminal=False, width=80, **parameters):
    shown = ProgressDisplay(**parameters)
    shown._console = Console(file=stream, force_terminal=terminal, width=width, highlight=False, color_system=None)
    return shown


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def shown(stream):
    return display(stream)


def started(shown, *stages, **estimates):
    """Start a run; ``a=5`` says that stage ``a`` is estimated at 5 s."""
    shown.run_started(stages, {stage.digest: estimates.get(stage.title) for stage in stages})


def finish(shown, stage, clock, seconds=0.0, **outcome):
    shown.stage_started(stage)
    clock.now += seconds
    shown.stage_finished(stage, Outcome(stage.digest, {}, **outcome))


A, B, C = View("a"), View("b"), View("c", work=30)
OTHER = View("other", plugin=SimpleNamespace(name="another"))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (0.4, "0 s"), (44.6, "45 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"),
     (3599.6, "1 h 00 min"), (3600, "1 h 00 min"), (7500, "2 h 05 min"), (360000, "100 h 00 min")],
)  # fmt: skip
def test_durations_are_for_people(seconds, said):
    assert duration(seconds) == said


def test_a_run_begins_with_the_sum_of_its_estimates(shown, stream, clock):
    started(shown, A, B, a=50, b=25)
    assert stream.getvalue() == "2 stages to run; about 1 min 15 s left\n"


def test_stages_without_an_estimate_are_counted_apart(shown, stream, clock):
    started(shown, A, B, OTHER, a=50)
    assert stream.getvalue() == "3 stages to run; about 50 s left, without 2 stages of unknown cost\n"


def test_where_nothing_is_known_no_time_is_given(shown, stream, clock):
    started(shown, A)
    assert stream.getvalue() == "1 stage to run; time left not known yet\n"


def test_a_line_per_stage_without_a_terminal(shown, stream, clock):
    started(shown, A, B, a=8, b=8)
    finish(shown, A, clock, 8.04)
    finish(shown, B, clock, 8)
    assert stream.getvalue().splitlines()[1:] == ["[1/2] a: 8.0 s; about 8 s left", "[2/2] b: 8.0 s"]


def test_a_finished_stage_tells_what_its_like_will_take(shown, stream, clock):
    """10 units took 20 s, so the 30 units of the third take 60 s, whatever was estimated."""
    started(shown, A, C, c=5)
    finish(shown, A, clock, 20)
    assert stream.getvalue().endswith("[1/2] a: 20.0 s; about 1 min 00 s left\n")


def test_a_finished_stage_tells_nothing_about_another_plugin(shown, stream, clock):
    started(shown, A, OTHER)
    finish(shown, A, clock, 20)
    assert stream.getvalue().endswith("[1/2] a: 20.0 s; time left not known yet\n")


def test_a_stage_without_work_tells_nothing(shown, stream, clock):
    started(shown, View("none", work=0), B)
    finish(shown, View("none", work=0), clock, 5)
    assert stream.getvalue().endswith("[1/2] none: 5.0 s; time left not known yet\n")


@pytest.mark.parametrize("outcome", [{"error": "burst"}, {"reused": True}])
def test_a_stage_that_failed_or_was_made_elsewhere_is_no_measure(shown, stream, clock, outcome):
    started(shown, A, B, a=100, b=100)
    finish(shown, A, clock, 1, **outcome)
    assert stream.getvalue().endswith("; about 1 min 40 s left\n")


def test_a_stage_that_never_started_is_no_measure(shown, stream, clock):
    """What needs a failed stage is reported as failed without having begun."""
    started(shown, OTHER, A, B, b=100)
    finish(shown, OTHER, clock, 7)
    shown.stage_finished(A, Outcome(A.digest, None, "needs other, which failed"))
    assert stream.getvalue().endswith("[2/3] a: failed: needs other, which failed; about 1 min 40 s left\n")


def test_the_time_left_shrinks_while_a_stage_runs(shown, clock):
    started(shown, A, a=50)
    shown.stage_started(A)
    clock.now += 20
    assert shown._clock.left() == "about 30 s left"


def test_a_stage_that_takes_longer_than_estimated_has_no_negative_time_left(shown, clock):
    started(shown, A, B, a=50, b=10)
    shown.stage_started(A)
    clock.now += 70
    assert shown._clock.left() == "about 10 s left"


def test_progress_outweighs_the_estimate(shown, clock):
    """From 1 to 5 of 10 in 8 s: 2 s each, so 10 s for the rest."""
    started(shown, A, a=500)
    shown.stage_started(A)
    clock.now += 3
    shown.stage_progressed(A, 1, 10)
    clock.now += 8
    shown.stage_progressed(A, 5, 10)
    assert shown._clock.left() == "about 10 s left"


def test_a_resumed_stage_is_timed_from_where_it_went_on(shown, clock):
    """It began at 90 of 100; one unit in 4 s leaves 36 s, not a moment."""
    stage = View("resumed", work=100)
    started(shown, stage)
    shown.stage_started(stage)
    shown.stage_progressed(stage, 90, 100)
    assert shown._clock.left() == "time left not known yet"
    clock.now += 4
    shown.stage_progressed(stage, 91, 100)
    assert shown._clock.left() == "about 36 s left"


def test_stages_side_by_side_are_timed_each_on_its_own(shown, stream, clock):
    started(shown, A, B, a=30, b=30)
    shown.stage_started(A)
    clock.now += 10
    shown.stage_started(B)
    assert shown._clock.left() == "about 30 s left"  # both run: the longer one decides
    clock.now += 5
    shown.stage_finished(A, Outcome(A.digest, {}))
    assert stream.getvalue().endswith("[1/2] a: 15.0 s; about 25 s left\n")


def test_what_waits_is_shared_by_as_many_stages_as_run_side_by_side(shown, clock):
    started(shown, A, B, C, a=10, b=10, c=100)
    shown.stage_started(A)
    shown.stage_started(B)
    assert shown._clock.left() == "about 1 min 00 s left"


@pytest.mark.parametrize(("done", "total"), [(0, 10), (11, 10), (0, 0)])
def test_odd_reports_of_progress_do_no_harm(shown, clock, done, total):
    started(shown, A, a=50)
    shown.stage_started(A)
    shown.stage_progressed(A, done, total)
    assert shown._clock.left() == "about 50 s left"


def test_a_failure_stands_in_one_line_with_its_reason(shown, stream, clock):
    started(shown, A)
    finish(shown, A, clock, error="recognizer plugin 'net' 1 (module x): [bold]no[/bold] such thing")
    expected = "[1/1] a: failed: recognizer plugin 'net' 1 (module x): [bold]no[/bold] such thing"
    assert stream.getvalue().splitlines()[-1] == expected


def test_lines_are_not_folded(stream, clock):
    shown = display(stream, width=40)
    long = View("recognizer " + 60 * "very " + "long")
    started(shown, long, B)
    finish(shown, long, clock, 1)
    assert len(stream.getvalue().splitlines()) == 2


def test_nothing_to_run_says_nothing(shown, stream):
    shown.run_started([], {})
    shown.close()
    assert stream.getvalue() == ""


def test_quiet_shows_failures_only(stream, clock):
    shown = display(stream, quiet=True)
    started(shown, A, B, a=5)
    finish(shown, A, clock, 5)
    finish(shown, B, clock, 5, error="burst")
    shown.close()
    assert stream.getvalue() == "[2/2] b: failed: burst\n"


def test_a_terminal_shows_bars_and_the_lines_above_them(stream, clock):
    shown = display(stream, terminal=True, width=120)
    started(shown, A, B, a=50, b=50)
    shown.stage_started(A)
    clock.now += 5
    shown.stage_progressed(A, 2, 10)
    clock.now += 5
    shown.stage_progressed(A, 5, 10)
    shown._bars.refresh()
    shown.stage_finished(A, Outcome(A.digest, {}))
    shown.close()
    said = stream.getvalue()
    assert "all stages" in said
    assert "about 58 s left" in said
    assert "[1/2] a: 10.0 s; about 10 s left" in said


def test_closing_twice_or_before_the_start_does_no_harm(stream, clock):
    shown = display(stream, terminal=True)
    shown.close()
    started(shown, A)
    shown.close()
    shown.close()


def test_the_display_writes_to_the_error_stream(capsys, clock):
    shown = ProgressDisplay()
    started(shown, A, a=1)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "1 stage to run; about 1 s left\n")
