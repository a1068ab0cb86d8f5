"""Own the stages of the dataset quality report: what of a matrix is measured, by which judge, against which people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from faceassay.assessment import Assessment
from faceassay.contracts import AttributePredictor, FaceassayError
from faceassay.expand import Expansion, opened
from faceassay.given import DataInput, Given
from faceassay.graph import Graph, Stage
from faceassay.judging import brought_recognizer
from faceassay.spec import MatrixSpec
from faceassay.spec.model import BroughtEntry
from faceassay.spec.reader import JUDGE_REMEDY, Method
from faceassay.stages.distribution import OF_SET

Source = Stage | Given


@dataclass(frozen=True)
class Assessed:
    """Hold the stages of one image set.

    Attributes:
        methods: names of the rows that train on it; none for the real training images and the held-out ones.
        seeds: of the rows; empty for data, which no seed changes.
        source: the images.
        classes: measures of the set by itself.
        neighbours: the nearest training images.
        distribution: attributes beside those of the real images; None where nothing tells attributes of both.
        agreement: with the identities that its plan asked for; None where no recognizer made it.
        overlaps: with each benchmark whose data is there, by name.
        attributes: names of those that are told, in the order of ``classes``.
        untold: names of the attribute predictors that cannot tell of these images.
    """

    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    source: Source
    classes: Stage | None
    neighbours: Stage
    distribution: Stage | None = None
    agreement: Stage | None = None
    overlaps: Mapping[str, Stage] = field(default_factory=dict)
    attributes: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()

    def stages(self) -> list[Stage]:
        """Return what a line of the report needs, overlaps apart."""
        every = (self.classes, self.neighbours, self.distribution, self.agreement)
        return [stage for stage in every if stage is not None]


@dataclass(frozen=True)
class AssessmentPlan:
    """Hold all that is measured of a matrix.

    Attributes:
        graph: the stages.
        judge: the recognizer that judges.
        real: the training images by themselves.
        held_out: people that nothing was trained on, None where there are none.
        apart: comparison of the held-out images with the other images that the judge was trained on, None without any.
        sets: the synthetic sets, in the order of rows and seeds.
        absent: (row, what to supply) of sets whose data is not there.
    """

    graph: Graph
    judge: Source
    real: Assessed
    held_out: Assessed | None
    apart: Stage | None
    sets: tuple[Assessed, ...]
    absent: tuple[tuple[str, str], ...]


def expand_assessment(matrix: MatrixSpec, methods: Sequence[str] = ()) -> AssessmentPlan:
    """Return what is measured of the synthetic sets of ``methods``, of all rows by default.

    Raises:
        SpecError: when the data cannot be opened, or judge or held-out people are refused.
        FaceassayError: when there is no judge, no such row, or no synthetic set.
    """
    if matrix.judge is None:
        raise FaceassayError(f"{matrix.path} has no judge for the dataset quality report: {JUDGE_REMEDY}")
    rows = [row.name for row in matrix.methods if row.augmentation or row.synthetic]
    for name in methods:
        if name not in rows:
            known = ", ".join(map(repr, rows)) or "none"
            raise FaceassayError(f"no row with a synthetic set is called {name!r}; known: {known}")
    if not rows:
        raise FaceassayError(f"{matrix.path} has no row with a synthetic set: there is nothing to assess")
    return _Assessment(matrix, *opened(matrix)).planned(methods or rows)


class _Assessment(Expansion):
    """Build the graph of one matrix's assessment."""

    plugin = Assessment()

    def planned(self, names: Sequence[str]) -> AssessmentPlan:
        """Return everything for the rows ``names``."""
        judge = self.judge()
        if lacking := dict.fromkeys([*_lacking(self.real), *_lacking(judge)]):
            raise FaceassayError("; ".join(lacking))
        self.packs = {name: pack for name, pack in self.packs.items() if not pack.absent}
        real, held_out, apart = self.assessed_real(), self.assessed_held_out(), self.apart()
        found = self.sources(names)
        absent = [(use[0].name, text) for source, uses in found for use in uses for text in _lacking(source)]
        sets = tuple(self.assessed(source, uses) for source, uses in found if not _lacking(source))
        return AssessmentPlan(self.result, judge, real, held_out, apart, sets, tuple(dict.fromkeys(absent)))

    def judge(self) -> Source:
        """Return the recognizer that judges; a trained one has the first seed and the last checkpoint."""
        judge = self.matrix.judge
        if judge is None or isinstance(judge, BroughtEntry):
            return brought_recognizer(judge) if judge else self._original_recognizer()
        return self._trained_on(self.data[judge.data], judge.recognizer, "judge", {})

    def sources(self, names: Sequence[str]) -> list[tuple[Source, list[tuple[Method, int | None]]]]:
        """Return the distinct image sets of rows, each with its rows and seeds."""
        found: dict[str, tuple[Source, list[tuple[Method, int | None]]]] = {}
        for method in (row for row in self.matrix.methods if row.name in names):
            for seed in [None] if method.synthetic else self._seeds():
                source = self.data[method.synthetic or ""] if seed is None else self._synthesis(method, seed)
                if source is not None:
                    key = source.digest if isinstance(source, Stage) else source.name
                    found.setdefault(key, (source, []))[1].append((method, seed))
        return list(found.values())

    def assessed(self, source: Source, uses: list[tuple[Method, int | None]]) -> Assessed:
        """Return the stages of a synthetic set."""
        methods = tuple(dict.fromkeys(method.name for method, _ in uses))
        seeds = tuple(dict.fromkeys(seed for _, seed in uses if seed is not None))
        title = " ".join([methods[0], *(f"seed {seed}" for seed in seeds)])
        able, untold = self.able(source)
        told = {f"/{i}": self.attributes_of(predictor, source, title) for i, predictor in able.items()}
        return Assessed(
            methods, seeds, source,
            self.classes(source, title, {f"attributes{place}": stage for place, stage in told.items()}),
            self.neighbours(source, title),
            self.distribution(source, title, told),
            self.agreement(source, title),
            self.overlaps(source, title),
            _columns(able.values()),
            untold,
        )  # fmt: skip

    def assessed_real(self) -> Assessed:
        """Return the stages of the training images."""
        inputs: dict[str, Source] = {"real": self.real, "real_embedding": self.embedding(self.real, "real")}
        neighbours = self.measured("neighbours", "neighbours among real", inputs, self.real)
        classes = self.classes(self.real, "real", self._attributes())
        overlaps, columns = self.overlaps(self.real, "real"), _columns(self.matrix.attributes)
        return Assessed((), (), self.real, classes, neighbours, overlaps=overlaps, attributes=columns)

    def held_out(self) -> DataInput | None:
        """Return the held-out people, None where there are none or their data is absent."""
        name = self.matrix.spec.held_out
        return self.data[name] if name and not self.data[name].absent else None

    def assessed_held_out(self) -> Assessed | None:
        """Return the stages of the held-out people."""
        data = self.held_out()
        return Assessed((), (), data, None, self.neighbours(data, "held-out")) if data else None

    def apart(self) -> Stage | None:
        """Return the comparison of the held-out images with those that only the judge was trained on."""
        held_out, judge = self.held_out(), self.matrix.judge
        if held_out is None or judge is None or isinstance(judge, BroughtEntry) or judge.data == self.real.name:
            return None
        return self.neighbours(held_out, "held-out to the judge's", self.data[judge.data])

    def embedding(self, images: Source, of: str) -> Stage:
        """Return the stage that embeds images by the judge."""
        inputs = {"images": images, "recognizer": self.judge()}
        return self.measured("embedding", f"embeddings of {of}", inputs, images)

    def classes(self, images: Source, of: str, attributes: Mapping[str, Source]) -> Stage:
        """Return the stage that measures the classes of a set."""
        inputs: dict[str, Source] = {"images": images, "embedding": self.embedding(images, of), **attributes}
        return self.measured("classes", f"classes of {of}", inputs, images)

    def neighbours(self, images: Source, of: str, real: DataInput | None = None) -> Stage:
        """Return the stage that compares a set with the training images, or with others."""
        real = real or self.real
        inputs = {
            "images": images,
            "embedding": self.embedding(images, of),
            "real": real,
            "real_embedding": self.embedding(real, "real" if real is self.real else real.name),
        }
        return self.measured("neighbours", f"neighbours of {of}", inputs, images)

    def able(self, source: Source) -> tuple[dict[int, AttributePredictor], tuple[str, ...]]:
        """Return the predictors that can tell of these images, by number, and the names of the others."""
        items = source.open().item_ids if isinstance(source, DataInput) else ["000000000"]
        able: dict[int, AttributePredictor] = {}
        untold = []
        for number, predictor in enumerate(self.matrix.attributes):
            try:
                predictor.check_items(items)
                able[number] = predictor
            except FaceassayError:
                untold.append(predictor.name)
        return able, tuple(untold)

    def attributes_of(self, predictor: AttributePredictor, source: Source, of: str) -> Stage:
        """Return the stage that tells attributes of a set as it does of the real images."""
        title, images = f"attributes {predictor.name} of {of}", _images(source)
        return self._stage("attributes", predictor, {"real": source}, {}, title, images, "images")

    def distribution(self, source: Source, of: str, told: Mapping[str, Stage]) -> Stage | None:
        """Return the stage that compares attributes, None where none are told."""
        if not told:
            return None
        real = self._attributes()
        inputs: dict[str, Source] = {"images": source, "real": self.real}
        inputs |= {f"attributes{place}": real[f"attributes{place}"] for place in told}
        inputs |= {f"{OF_SET}{place.removeprefix('/')}": stage for place, stage in told.items()}
        return self.measured("distribution", f"attributes of {of} beside real", inputs, source)

    def agreement(self, source: Source, of: str) -> Stage | None:
        """Return the stage that compares a set with what its plan asked for, None where no recognizer made it."""
        if not isinstance(source, Stage):
            return None
        made = {name: one for stage in [source, *self.result.ancestors(source)] for name, one in stage.inputs.items()}
        if "recognizer" not in made:
            return None
        inputs = {"synthesis": source, "plan": made["plan"], "recognizer": made["recognizer"]}
        inputs |= {"search": made["search"]} if "search" in made else {}
        return self.measured("agreement", f"agreement of {of}", inputs, source)

    def overlaps(self, source: Source, of: str) -> dict[str, Stage]:
        """Return the stages that look for the people of a set in each benchmark."""
        inputs: dict[str, Source] = {"images": source, "embedding": self.embedding(source, of)}
        inputs |= {"real": self.real} if isinstance(source, Stage) else {}
        if held_out := self.held_out():
            inputs |= {"held_out": held_out, "held_out_embedding": self.embedding(held_out, "held-out")}
        return {
            name: self.measured(
                "overlap",
                f"overlap of {of} with {name}",
                {**inputs, "benchmark": pack, "benchmark_embedding": self.embedding(pack, name)},
                pack,
            )
            for name, pack in self.packs.items()
        }

    def measured(self, kind: str, title: str, inputs: Mapping[str, Source], images: Source) -> Stage:
        """Return a stage that measures ``images``."""
        return self._stage(kind, self.plugin, inputs, {}, title, _images(images), "images")


def _images(source: Source) -> int:
    return source.work if isinstance(source, Stage) else int(getattr(source, "images", 0))


def _columns(predictors: Iterable[AttributePredictor]) -> tuple[str, ...]:
    return tuple(column.name for predictor in predictors for column in predictor.columns())


def _lacking(source: Source) -> tuple[str, ...]:
    """Return what to supply so that ``source`` can be had; nothing where it can."""
    absent = source.absent
    return absent if isinstance(absent, tuple) else tuple(filter(None, [absent]))
