"""Own the one writer of MLflow. MLflow is a view of the store: deleted, it is rebuilt; no number lives only there.

This is the only module that imports mlflow, and only when something is logged.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any, ClassVar

from faceassay.contracts import FaceassayError, Observer, StageView, parameter
from faceassay.graph import Stage
from faceassay.keys import digest
from faceassay.report.checkpoints import score_of
from faceassay.report.settings import generators
from faceassay.report.words import basis, joined
from faceassay.results import CellResult, Results
from faceassay.store import file_sha256

TABLE_RUN = "table"
CELL_TAG = "faceassay.cell"
CONTENT_TAG = "faceassay.content"
REASON_CHARACTERS = 300
"""Of what MLflow says when it fails; its messages go on with advice about itself."""
TAG_CHARACTERS = 2000
"""Of a text that MLflow keeps as a tag; it would refuse a much longer one."""
HISTORY, STEPS = "history.json", ("images", "step")
"""What a training may leave of its course: a list of rows, each the state after so many images or steps."""
TRAINED = "training images"
"""Unit of the work of a training."""
SHOWN = {".png", ".json"}
LARGEST_BATCH = 1000
"""Metrics that MLflow takes at once."""
QUIET_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""Environment set where the user has not: no telemetry, and an address nobody answers fails soon."""


class MlflowWriter(Observer):
    """Write one experiment per matrix: a run per method and seed, one per generator, and one of table and figures."""

    name: ClassVar[str] = "mlflow"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "One MLflow run per method and seed, one per generator; sqlite under .faceassay by default"

    uri: str | None = parameter(None, description="tracking address; MLFLOW_TRACKING_URI, then sqlite, when not given")

    def address(self) -> str:
        """Return the tracking address."""
        default = f"sqlite:///{self._folder() / 'mlflow.db'}"
        return self.uri or os.environ.get("MLFLOW_TRACKING_URI") or default

    def run_started(self, stages: Sequence[StageView], estimates: Mapping[str, float | None]) -> None:
        """Check before anything expensive that MLflow can be written."""
        with _without_chatter(), self._naming_the_address():
            self._client().search_experiments(max_results=1)

    def run_finished(self, results: Any, report: Sequence[Path]) -> None:
        """Bring MLflow up to the results of the matrix."""
        with _without_chatter(), self._naming_the_address():
            client = self._client()
            experiment = self._experiment(client, results)
            present = _present_runs(client, experiment)
            for entry in _entries(results, report):
                _write(client, experiment, entry, present)

    @contextmanager
    def _naming_the_address(self) -> Iterator[None]:
        try:
            yield
        except FaceassayError:
            raise
        except Exception as error:  # whatever MLflow, its database or the network raises
            reason = shorten(f"{type(error).__name__}: {error}", REASON_CHARACTERS, placeholder=" ...")
            said = f"MLflow at {self.address()} cannot be used ({reason})"
            remedy = "set MLFLOW_TRACKING_URI to another address, or leave it out with --no-mlflow"
            raise FaceassayError(f"{said}: {remedy}") from error

    def _client(self) -> Any:
        for name, value in QUIET_SETTINGS.items():
            os.environ.setdefault(name, value)
        if self.address().startswith("sqlite:///"):
            _require_database(Path(self.address().removeprefix("sqlite:///").partition("?")[0]))
        from mlflow.tracking import MlflowClient

        return MlflowClient(tracking_uri=self.address())

    def _experiment(self, client: Any, results: Results) -> str:
        name = results.matrix.spec.name + (f"/{results.matrix.profile}" if results.matrix.profile else "")
        found = client.get_experiment_by_name(name)
        if found is not None:
            if found.lifecycle_stage != "active":  # deleted by hand: its name is not free, so it is brought back
                client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)
        local = self.address().startswith("sqlite:")
        place = (self._folder() / "mlartifacts" / name).as_uri() if local else None
        return str(client.create_experiment(name, artifact_location=place))

    def _folder(self) -> Path:
        return Path.cwd() / ".faceassay"


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep what MLflow notes about its tables out of a display of progress; warnings still come through."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.INFO))
    try:
        yield
    finally:
        logging.disable(before)


def _require_database(path: Path) -> None:
    """Lock the database for writing once: MLflow itself would try for two minutes before it says that it cannot."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        database.execute("ROLLBACK")


class _Entry:
    """Hold what one MLflow run says, and the digest by which an equal one is known."""

    def __init__(
        self, name: str, metrics: Mapping[str, float], params: Mapping[str, str], tags: Mapping[str, str]
    ) -> None:
        self.name, self.metrics, self.params = name, metrics, params
        self.series: list[tuple[str, float, int]] = []
        self.artifacts: list[Path] = []
        self.texts: dict[str, str] = {}
        self.tags = {**tags, CELL_TAG: name}
        self.failed = False

    def content(self) -> str:
        """Return the digest of everything this run says."""
        files = {path.name: file_sha256(path) for path in self.artifacts}
        return digest([dict(self.metrics), dict(self.params), self.tags, self.series, files, self.texts, self.failed])


def _entries(results: Results, report: Sequence[Path]) -> Iterator[_Entry]:
    for method in results.matrix.methods:
        for seed in results.matrix.spec.seeds:
            yield _cell_entry(results, method.name, seed)
    yield from _generator_entries(results)
    table = _Entry(TABLE_RUN, {}, {}, {"faceassay.matrix": results.matrix.spec.name})
    table.artifacts = list(report)
    table.texts = dict(_figures(results))
    yield table


def _cell_entry(results: Results, method: str, seed: int) -> _Entry:
    row = results.graph.rows[method]
    cells = [r for r in results.cells if r.cell.method == method and r.cell.seed == seed]
    metrics = {name: value for r in cells for name, value in _numbers(r)}
    stages = _told_stages(results, row.recognizers[seed])
    params = {"n_s": str(row.synthetic_images), "n_r": str(row.real_images), "updates": str(row.updates)}
    for stage in stages:
        metrics |= _cost(results, stage)
        params |= dict(_texts(stage))
    data = {f"faceassay.data.{name}": source.fingerprint for name, source in results.graph.data.items()}
    keys = {f"faceassay.key.{stage.kind}": stage.digest for stage in stages}
    keys |= {f"faceassay.key.evaluation.{r.cell.benchmark}": r.cell.evaluation.digest for r in cells}
    said = {name: text for r in cells for name, text in _remarks(r)}
    reasons = dict.fromkeys(r.failure for r in cells if r.failure)
    missing = {"faceassay.missing": "; ".join(map(str, reasons))[:TAG_CHARACTERS]} if reasons else {}
    axes = {axis: str(value) for stage in stages for axis, value in stage.axes.items()}
    chosen = results.chosen(row.recognizers[seed])
    kept = {"faceassay.checkpoint": f"best, {score_of(chosen)}"} if chosen else {}
    tags = {"method": method, **axes, "seed": str(seed), **kept, **data, **keys, **said, **missing}
    entry = _Entry(f"{method}, seed {seed}", metrics, params, tags)
    entry.failed = any(r.failure and not r.absent for r in cells)
    entry.series = _course(results, row.recognizers[seed])
    return entry


def _generator_entries(results: Results) -> Iterator[_Entry]:
    """Yield for each finished generator the course of its training, and the pictures and documents that it left.

    Generators of one title, which rows have of their own, go by these rows too: an entry is known by its name.
    """
    used = generators(results)
    titles = Counter(stage.title for stage in used)
    for stage, rows in used.items():
        if results.record(stage) is None:
            continue
        folder = results.store.verified(stage.kind, stage.digest, without_weights=True)
        tags = {f"faceassay.key.{stage.kind}": stage.digest}
        name = f"{stage.title} of {joined(rows)}" if titles[stage.title] > 1 else stage.title
        entry = _Entry(name, _cost(results, stage), dict(_texts(stage)), tags)
        entry.artifacts = sorted(path for path in folder.iterdir() if path.suffix in SHOWN)
        entry.series = _course(results, stage)
        yield entry


def _course(results: Results, stage: Stage) -> list[tuple[str, float, int]]:
    """Return what a finished training left of its course, nothing where it left none."""
    if results.record(stage) is None:
        return []
    history = results.store.verified(stage.kind, stage.digest, without_weights=True) / HISTORY
    return list(_series(json.loads(history.read_text()))) if history.is_file() else []


def _series(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, float, int]]:
    """Yield (name, value, step) of every number in the history of a training."""
    for row in rows:
        axis = next((name for name in STEPS if name in row), None)
        if axis is None:
            continue
        whose = f"{row['role']}/" if "role" in row else ""
        for name, value in row.items():
            if name != axis and isinstance(value, int | float):
                yield f"training/{whose}{name}", float(value), int(row[axis])


def _numbers(result: CellResult) -> Iterator[tuple[str, float]]:
    """Yield every metric with the limits of its first interval.

    They are no ``METRIC/low``: a tracking address that is a folder keeps metrics as files named after them.
    """
    for metric, value in result.metrics.items():
        name, interval = f"{result.cell.benchmark}/{metric}", result.interval(metric)
        yield name, value
        if interval is not None:
            yield f"{name}.low", interval.low
            yield f"{name}.high", interval.high


def _remarks(result: CellResult) -> Iterator[tuple[str, str]]:
    """Yield as tags what a benchmark's numbers rest on: its pack, what varies within the limits, what to beware of."""
    shown = [interval for interval in map(result.interval, result.metrics) if interval is not None]
    said = {
        "pack": [str(result.notes["sha256"])] if "sha256" in result.notes else [],
        "intervals": dict.fromkeys(map(basis, shown)),
        "warnings": result.warnings,
        "cautions": [f"{metric}: {text}" for metric, text in result.cautions.items()],
    }
    for name, texts in said.items():
        if texts:
            yield f"faceassay.{name}.{result.cell.benchmark}", "; ".join(texts)[:TAG_CHARACTERS]


def _told_stages(results: Results, recognizer: Stage) -> list[Stage]:
    """Return what made a recognizer, as far as MLflow is told of it: generator, synthesis, the recognizer itself."""
    made_by = {stage.kind: stage for stage in results.graph.ancestors(recognizer)}
    return [made_by[kind] for kind in ("generator", "synthesis") if kind in made_by] + [recognizer]


def _texts(stage: Stage) -> Iterator[tuple[str, str]]:
    """Yield the plugin of a stage and its parameters as MLflow's parameters."""
    yield f"{stage.kind}.plugin", f"{stage.plugin.name} {stage.plugin.version}"
    yield from ((f"{stage.kind}.{name}", str(value)) for name, value in stage.plugin.model_dump(mode="json").items())


def _cost(results: Results, stage: Stage) -> dict[str, float]:
    record = results.record(stage)
    cost = record["cost"] if record else {}
    names = ("seconds", "network_evaluations", "peak_memory_bytes")
    told = {**{name: float(cost[name]) for name in names if name in cost}, **cost.get("passes", {})}
    if cost.get("unit") == TRAINED and cost["seconds"]:
        told["images_per_second"] = cost["work"] / cost["seconds"]
    return {f"cost/{stage.kind}/{name}": float(value) for name, value in told.items()}


def _figures(results: Results) -> Iterator[tuple[str, str]]:
    from faceassay.report.html import figures

    for name, svg in figures(results):
        yield f"figures/{name}.svg", svg


def _present_runs(client: Any, experiment: str) -> dict[str, tuple[str, str]]:
    """Return cell -> (run, content) of every run that this writer made."""
    runs, token = [], None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        runs += list(page)
        token = page.token
        if not token:
            break
    tagged = [run for run in runs if CELL_TAG in run.data.tags]
    return {run.data.tags[CELL_TAG]: (run.info.run_id, run.data.tags.get(CONTENT_TAG, "")) for run in tagged}


def _write(client: Any, experiment: str, entry: _Entry, present: Mapping[str, tuple[str, str]]) -> None:
    """Write a run unless an equal one is there; the content tag comes last, so a torn run is written anew."""
    from mlflow.entities import Metric, Param

    run, content = present.get(entry.name, ("", ""))
    if content == entry.content():
        return
    if run:
        client.delete_run(run)
    run = client.create_run(experiment, run_name=entry.name, tags=entry.tags).info.run_id
    params = [Param(name, value[:6000]) for name, value in entry.params.items()]
    client.log_batch(run, metrics=[Metric(n, v, 0, 0) for n, v in entry.metrics.items()], params=params)
    for start in range(0, len(entry.series), LARGEST_BATCH):
        part = entry.series[start : start + LARGEST_BATCH]
        client.log_batch(run, metrics=[Metric(name, value, 0, step) for name, value, step in part])
    for path in entry.artifacts:
        client.log_artifact(run, str(path))
    for name, text in entry.texts.items():
        client.log_text(run, text, name)
    client.set_tag(run, CONTENT_TAG, entry.content())
    client.set_terminated(run, "FAILED" if entry.failed else "FINISHED")
