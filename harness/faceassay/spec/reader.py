"""Own the way from a matrix file to validated plugins. Opens no data; every problem carries file, line and column."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from faceassay.contracts import (
    AttributePredictor,
    Augmentation,
    DatasetCard,
    DatasetPlugin,
    EvaluationProtocol,
    FaceassayError,
    Generator,
    Plugin,
    Recognizer,
)
from faceassay.contracts.plugin import ABSENT, DATA_VARIABLE
from faceassay.registry import RESERVED_PARAMETERS, Registry
from faceassay.spec.averages import Average, possible_metrics, resolved
from faceassay.spec.claims import Claims, read_claims
from faceassay.spec.faults import named_fault
from faceassay.spec.model import BroughtEntry, Expected, ExpectedData, MethodEntry, Spec
from faceassay.spec.near import near
from faceassay.spec.needs import broken_rule, told_twice, unbalanced, unmet
from faceassay.spec.profiles import Dropped, apply_profile
from faceassay.spec.published import Known, Published, read_published
from faceassay.spec.yaml import Located, Path_, Place, Problem, read_yaml

Model = TypeVar("Model", bound=BaseModel)
JUDGE_REMEDY = (
    "name a recognizer that no method looks through: 'judge: {plugin: NAME, data: NAME}' trains one, of another "
    "network or on other images than the matrix's; 'judge: {path: FILE}' brings one"
)


class SpecError(FaceassayError):
    """Report every problem of a spec at once, one line each: file:line:column, what, remedy."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True)
class DataChoice:
    """A named image set: a dataset plugin and, where only a part is used, its identities.

    Attributes:
        expect: what it is expected to hold, None where nothing is said.
        absent: what to supply where its files are not there; empty where they are.
        card: where the images are from, as the spec says or else the plugin.
    """

    name: str
    plugin: DatasetPlugin
    identities: str | tuple[str, ...] | None
    place: Place
    expect: ExpectedData | None
    absent: str
    card: DatasetCard


@dataclass(frozen=True)
class Method:
    """A row with its plugins."""

    entry: MethodEntry
    augmentation: Augmentation | None
    generator: Generator | None
    recognizer: Recognizer
    place: Place

    @property
    def name(self) -> str:
        """Name of the row."""
        return self.entry.name

    @property
    def uses_real(self) -> bool:
        """Whether the recognizer is trained on real images (too)."""
        return self.entry.group != "FR_syn"

    @property
    def real(self) -> str | None:
        """Name of the real data in place of ``train``."""
        return self.entry.data if self.entry.group == "FR_real" else None

    @property
    def synthetic(self) -> str | None:
        """Name of the data in place of an augmentation."""
        return self.entry.data if self.entry.group != "FR_real" else None


@dataclass(frozen=True)
class Benchmark:
    """A column group with its protocol."""

    name: str
    protocol: EvaluationProtocol
    data: str | None
    place: Place
    expect: Expected | None = None
    absent: str = ""
    card: DatasetCard = field(default_factory=DatasetCard)


@dataclass(frozen=True)
class TrainedJudge:
    """A judge that is trained: the recognizer, and the name of the data that it is trained on."""

    recognizer: Recognizer
    data: str


@dataclass(frozen=True)
class MatrixSpec:
    """A validated matrix: what to run, with plugins made from it."""

    path: Path
    profile: str | None
    spec: Spec
    data: Mapping[str, DataChoice]
    generator: Generator | None
    recognizer: Recognizer
    methods: tuple[Method, ...]
    benchmarks: tuple[Benchmark, ...]
    located: Located
    averages: tuple[Average, ...] = ()
    published: Published | None = None
    dropped: Dropped = field(default_factory=dict)
    attributes: tuple[AttributePredictor, ...] = ()
    judge: TrainedJudge | BroughtEntry | None = None
    claims: Claims | None = None

    @property
    def trained_on(self) -> tuple[str, ...]:
        """Names of the entries of ``data`` that a row is trained on, ``train`` first."""
        used = (self.spec.train, *(method.entry.data for method in self.methods))
        return tuple(dict.fromkeys(name for name in used if name))

    @property
    def seen_by_recognizers(self) -> tuple[str, ...]:
        """Names of the entries of ``data`` that recognizers are trained on or chosen by, ``train`` first."""
        chosen_by = [self.spec.validation.data] if self.spec.validation else []
        return (*self.trained_on, *chosen_by)

    @property
    def baseline(self) -> str:
        """Name of the row that the others are compared with."""
        return self.spec.baseline or self.methods[0].name

    def generator_seed_of(self, seed: int) -> int:
        """Return the seed of the generator that everything made for ``seed`` uses.

        Entry i of ``seeds`` uses generator i modulo their number.

        Raises:
            ValueError: when the matrix has no such seed.
        """
        return self.spec.generators[self.spec.seeds.index(seed) % len(self.spec.generators)]


def read_matrix(path: Path, registry: Registry, profile: str | None = None) -> MatrixSpec:
    """Read and validate a matrix file.

    Args:
        path: the YAML file.
        registry: the plugins it may name.
        profile: name of the profile whose sizes override the file's; None for the file as it stands.

    Raises:
        SpecError: with every problem found.
    """
    if not path.is_file():
        raise SpecError([Problem(Place(str(path), 1, 1), "no such file: give the path of a matrix.yaml")])
    located = read_yaml(path)
    dropped = {} if located.problems else apply_profile(located, profile)
    reading = _Reading(located, registry, path.parent)
    matrix = reading.matrix(path, profile)
    if matrix is not None:
        matrix = reading.with_claims(reading.with_columns(replace(matrix, dropped=dropped)))
    if reading.problems or matrix is None:
        raise SpecError(reading.problems)
    return matrix


class _Reading:
    """Turn located data into a matrix, collecting problems instead of stopping at the first."""

    def __init__(self, located: Located, registry: Registry, folder: Path) -> None:
        self.located = located
        self.registry = registry
        self.context = {"folder": str(folder)}
        self.problems = list(located.problems)
        self.absent: dict[Path_, str] = {}
        self._refused = {problem.place for problem in located.problems}

    def matrix(self, path: Path, profile: str | None) -> MatrixSpec | None:
        """Return the matrix, or None where there are problems."""
        raw = self.located.data
        if not isinstance(raw, dict):
            if not self.problems:
                self.problem((), "a matrix file is a mapping of names to values")
            return None
        made = {where: self.plugin(kind, choice, where, expected) for where, kind, choice, expected in _choices(raw)}
        spec = self.validated(Spec, raw, ())
        if spec is None:
            return None
        data = {name: self._data(name, choice, made) for name, choice in spec.data.items()}
        methods = tuple(self._method(i, spec, made) for i in range(len(spec.methods)))
        benchmarks = tuple(self._benchmark(i, spec, made) for i in range(len(spec.benchmarks)))
        self._references(spec)
        generator, recognizer = made.get(("generator",)), made[("recognizer",)]
        attributes = tuple(made[("attributes", i)] for i in range(len(spec.attributes)))
        for where, message in told_twice(attributes):
            self.problem(where, message)
        return MatrixSpec(
            path, profile, spec, data, generator, recognizer, methods, benchmarks, self.located,
            attributes=attributes, judge=self._judge(spec, made),
        )  # fmt: skip

    def with_columns(self, matrix: MatrixSpec) -> MatrixSpec:
        """Return the matrix with its averages and the published numbers for its columns."""
        protocols = {benchmark.name: benchmark.protocol for benchmark in matrix.benchmarks}
        averages = tuple(
            resolved(entry, protocols, partial(self._complain, ("averages", i)))
            for i, entry in enumerate(matrix.spec.averages)
        )
        matrix = replace(matrix, averages=averages)
        return replace(matrix, published=self._published(matrix))

    def with_claims(self, matrix: MatrixSpec) -> MatrixSpec:
        """Return the matrix with the claims beside it, whose rows and columns must be known."""
        if self.problems:
            return matrix
        claims, problems = read_claims(matrix)
        self.problems += problems
        return replace(matrix, claims=claims)

    def _complain(self, within: Path_, where: Path_, message: str) -> None:
        self.problem((*within, *where), message)

    def _published(self, matrix: MatrixSpec) -> Published | None:
        entry, benchmarks = matrix.spec.published, [b for b in matrix.benchmarks if b.protocol is not None]
        if entry is None:
            return None
        metrics = possible_metrics({b.name: b.protocol for b in benchmarks}, matrix.averages)
        known = Known(
            rows={*(method.name for method in matrix.methods), *matrix.dropped.get("methods", ())},
            columns=[*metrics, *matrix.dropped.get("averages", ())],
            metrics=metrics,
            beginnings=tuple(f"{name} " for name in matrix.dropped.get("benchmarks", ())),
        )
        values, problems = read_published(matrix.path.parent / entry.path, known)
        self.problems += problems
        return Published(entry, tuple(values))

    def problem(self, where: Path_, message: str) -> None:
        """Note a problem at ``where``, unless what is written there could not even be read."""
        place = self.located.place(where)
        if place not in self._refused:
            self.problems.append(Problem(place, message))

    def validated(
        self, model: type[Model], raw: Any, where: Path_, context: Mapping[str, Any] | None = None
    ) -> Model | None:
        """Validate ``raw`` strictly as JSON (lists may become tuples, texts never become numbers)."""
        try:
            return model.model_validate_json(json.dumps(raw), strict=True, context={**self.context, **(context or {})})
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                self.problem((*where, *detail["loc"]), named_fault(model, where, detail))
            return None

    def plugin(self, kind: str, choice: Any, where: Path_, expected: bool = False) -> Any:
        """Make the plugin of ``kind`` that ``choice`` names, or note what is wrong with it and return None.

        Where it is said what to expect of its files, they may be absent, which is noted too.
        """
        if not isinstance(choice, dict) or not isinstance(choice.get("plugin"), str):
            self.problem(where, f"must be a mapping with 'plugin: NAME' and the parameters of this {kind}")
            return None
        try:
            cls = self.registry.get(kind, choice["plugin"])
        except FaceassayError as error:
            self.problem((*where, "plugin"), str(error))
            return None
        words = RESERVED_PARAMETERS if kind == "dataset" else {"plugin", "preset"}
        parameters = {name: value for name, value in choice.items() if name not in words}
        paths: list[Path] = []
        context = {ABSENT: paths} if expected else None
        made = self.validated(cls, {**self._preset(cls, choice.get("preset"), where), **parameters}, where, context)
        if paths:
            named = ", ".join(map(str, dict.fromkeys(paths)))
            self.absent[where] = f"supply {named} beside the matrix or under {DATA_VARIABLE}"
        return made

    def _preset(self, cls: type[Plugin], name: Any, where: Path_) -> Mapping[str, Any]:
        """Return the values of the preset ``name``; those of no preset where none is named or known."""
        if name is not None and name not in cls.presets:
            known = near(str(name), cls.presets) if cls.presets else f"; {cls.name} has no presets"
            self.problem((*where, "preset"), f"no preset of {cls.name!r} is called {name!r}{known}")
        return cls.presets.get(name, {}) if isinstance(name, str) else {}

    def _data(self, name: str, choice: dict[str, Any], made: Mapping[Path_, Any]) -> DataChoice:
        where: Path_ = ("data", name)
        identities = choice.get("identities")
        listed = isinstance(identities, list) and all(isinstance(item, str) for item in identities)
        if not (identities is None or isinstance(identities, str) or listed):
            self.problem((*where, "identities"), "must be a range 'FIRST..LAST' or a list of names (quote numbers)")
        chosen = tuple(identities) if isinstance(identities, list) else identities
        said = choice.get("expect")
        expect = None if said is None else self.validated(ExpectedData, said, (*where, "expect"))
        absent = f"data {name!r} is not there: {self.absent[where]}" if where in self.absent else ""
        own = self.validated(DatasetCard, choice.get("card", {}), (*where, "card")) or DatasetCard()
        known: DatasetCard = made[where].card if made[where] else own
        card = known.model_copy(update=own.model_dump(exclude_unset=True))
        return DataChoice(name, made[where], chosen, self.located.place(where), expect, absent, card)

    def _method(self, i: int, spec: Spec, made: Mapping[Path_, Any]) -> Method:
        entry, where = spec.methods[i], ("methods", i)
        augmentation = made.get((*where, "augmentation"))
        if rule := broken_rule(entry, spec.train):
            self.problem((*where, "group"), f"a row of group {entry.group} {rule}")
        recognizer = self._overridden("recognizer", spec.recognizer, entry.recognizer, where, made)
        generator = self._overridden("generator", spec.generator, entry.generator, where, made)
        if augmentation or not entry.augmentation:  # of one that could not be made nobody knows what it needs
            for place, message in unmet(spec, i, augmentation, generator):
                self.problem(place, message)
        return Method(entry, augmentation, generator, recognizer, self.located.place(where))

    def _overridden(
        self,
        kind: str,
        whole: Mapping[str, Any] | None,
        own: Mapping[str, Any],
        where: Path_,
        made: Mapping[Path_, Any],
    ) -> Any:
        """Return the plugin of a row: the matrix's, that with the row's parameters, or the row's own."""
        if not own:
            return made.get((kind,))
        return self.plugin(kind, own if "plugin" in own else {**(whole or {}), **own}, (*where, kind))

    def _judge(self, spec: Spec, made: Mapping[Path_, Any]) -> TrainedJudge | BroughtEntry | None:
        choice, where = spec.judge, ("judge",)
        if choice is None:
            return None
        if "plugin" in choice:
            name = choice.get("data", spec.train)
            self._known((*where, "data"), name, spec.data, "entry of data")
            return TrainedJudge(made[where], name)
        if "path" in choice:
            return self.validated(BroughtEntry, choice, where)
        self.problem(where, JUDGE_REMEDY)
        return None

    def _benchmark(self, i: int, spec: Spec, made: Mapping[Path_, Any]) -> Benchmark:
        entry, where = spec.benchmarks[i], ("benchmarks", i)
        protocol: EvaluationProtocol | None = made[(*where, "protocol")]
        supply = self.absent.get((*where, "protocol"))
        absent = f"benchmark {entry.name!r} is not there: {supply}" if supply else ""
        if protocol and protocol.reader().needs_data != (entry.data is not None):
            rule = "has files of its own: leave data out" if entry.data else "needs 'data: NAME' of an entry of data"
            self.problem((*where, "data") if entry.data else where, f"protocol {protocol.name!r} {rule}")
        return Benchmark(
            entry.name,
            made[(*where, "protocol")],
            entry.data,
            self.located.place(where),
            entry.expect,
            absent,
            entry.card,
        )

    def _references(self, spec: Spec) -> None:
        rows = [entry.name for entry in spec.methods]
        self._known(("train",), spec.train, spec.data, "entry of data")
        self._known(("held_out",), spec.held_out, spec.data, "entry of data")
        if spec.validation:
            self._known(("validation", "data"), spec.validation.data, spec.data, "entry of data")
        for i, benchmark in enumerate(spec.benchmarks):
            self._known(("benchmarks", i, "data"), benchmark.data, spec.data, "entry of data")
        for i, method in enumerate(spec.methods):
            others = {other.name: other for other in spec.methods if other.name != method.name}
            self._known(("methods", i, "data"), method.data, spec.data, "entry of data")
            self._known(("methods", i, "match_updates"), method.match_updates, others, "other row")
            if method.match_updates in others and others[method.match_updates].match_updates:
                remedy = "it matches another row itself: name a row that has no match_updates"
                self.problem(("methods", i, "match_updates"), f"{method.match_updates!r} cannot be matched, {remedy}")
        if spec.published:
            self._known(("published", "comparable_in"), spec.published.comparable_in, spec.profiles, "profile")
        self._unique(("averages",), [entry.name for entry in spec.averages])
        self._known(("baseline",), spec.baseline, rows, "row")
        self._unique(("methods",), rows)
        self._unique(("benchmarks",), [entry.name for entry in spec.benchmarks])
        self._unique(("seeds",), spec.seeds)
        self._unique(("generator_seeds",), spec.generators)
        for message in unbalanced(spec):
            self.problem(("generator_seeds",), message)

    def _known(self, where: Path_, name: str | None, known: Iterable[str], what: str) -> None:
        if name is not None and name not in known:
            self.problem(where, f"no {what} is called {name!r}{near(name, known)}")

    def _unique(self, where: Path_, names: Sequence[Any]) -> None:
        for i, name in enumerate(names):
            if name in names[:i]:
                self.problem((*where, i), f"{name!r} is given twice")


def _choices(raw: Mapping[str, Any]) -> Iterator[tuple[Path_, str, Any, bool]]:
    """Yield where a spec names a plugin, its kind, what is written there, and whether its files may be absent.

    Whatever else is wrong with the spec.
    """
    for kind in ("generator", "recognizer"):
        if raw.get(kind) is not None:
            yield (kind,), kind, raw[kind], False
    judge = raw.get("judge")
    if isinstance(judge, dict) and "plugin" in judge:
        yield ("judge",), "recognizer", {name: value for name, value in judge.items() if name != "data"}, False
    for i, choice in _entries(raw.get("attributes"), list):
        yield ("attributes", i), "attribute", choice, False
    for name, choice in _entries(raw.get("data"), dict):
        yield ("data", name), "dataset", choice, isinstance(choice, dict) and choice.get("expect") is not None
    for i, method in _entries(raw.get("methods"), list):
        if isinstance(method, dict) and method.get("augmentation") is not None:
            yield ("methods", i, "augmentation"), "augmentation", method["augmentation"], False
    for i, benchmark in _entries(raw.get("benchmarks"), list):
        if isinstance(benchmark, dict) and "protocol" in benchmark:
            yield ("benchmarks", i, "protocol"), "protocol", benchmark["protocol"], benchmark.get("expect") is not None


def _entries(value: Any, shape: type) -> Iterable[tuple[Any, Any]]:
    items: Any = value if isinstance(value, shape) else shape()
    return items.items() if isinstance(items, dict) else enumerate(items)
