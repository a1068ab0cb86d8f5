"""Own the way from a matrix to its graph, with every check that is cheap enough to precede the first stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from faceassay.contracts import (
    Augmentation,
    FaceassayError,
    Figure,
    Generator,
    Plugin,
    Recognizer,
    Trainable,
)
from faceassay.contracts.running import ATTRIBUTES
from faceassay.given import DataInput, Given, PackInput, ValidationInput
from faceassay.graph import SHARED_KINDS, Cell, Graph, Row, Stage, stage_seed
from faceassay.identity import differentiable, require_size
from faceassay.judging import brought_recognizer, judging_problems, original_recognizer
from faceassay.people import named, people_of_union, shared_people
from faceassay.spec import MatrixSpec, SpecError
from faceassay.spec.model import BroughtEntry
from faceassay.spec.reader import Benchmark, Method
from faceassay.spec.yaml import Place, Problem
from faceassay.unions import Mixture
from faceassay.validating import validating_problems


def expand(matrix: MatrixSpec) -> Graph:
    """Expand a matrix into its stages.

    Opens the data (headers and fingerprints, no training), so that everything a spec can get wrong is found here.

    Raises:
        SpecError: with every problem found, each at its place in the spec.
    """
    return Expansion(matrix, *opened(matrix)).graph()


def opened(matrix: MatrixSpec) -> tuple[dict[str, DataInput], dict[str, PackInput]]:
    """Open the data and the benchmarks of a matrix and check everything that is cheap.

    Raises:
        SpecError: with every problem found.
    """
    data, problems = _open_data(matrix)
    if problems:
        raise SpecError(problems)
    packs, problems = _open_packs(matrix, data)
    problems += _overlaps(matrix, data, packs) + _unfit(matrix, data, packs) + judging_problems(matrix, data)
    problems += validating_problems(matrix, data, packs)
    if problems:
        raise SpecError(problems)
    return data, packs


def expand_figure(matrix: MatrixSpec, figure: Figure, method: str | None, seed: int) -> Graph:
    """Return the graph of a figure: its stage, and of the matrix what that needs.

    Args:
        matrix: the matrix.
        figure: the figure.
        method: the row whose plan, images or search it shows, None for a figure of the matrix as a whole.
        seed: the seed of that row.

    Raises:
        SpecError: when the data cannot be opened.
        FaceassayError: when matrix or row have not what the figure needs.
    """
    data, problems = _open_data(matrix)
    if problems:
        raise SpecError(problems)
    return Expansion(matrix, data, {}).figure(figure, method, seed)


def _open_data(matrix: MatrixSpec) -> tuple[dict[str, DataInput], list[Problem]]:
    data: dict[str, DataInput] = {}
    problems: list[Problem] = []
    for name, choice in matrix.data.items():
        if choice.absent and choice.expect:
            counts = choice.expect.images, choice.expect.identities, choice.expect.image_size
            data[name] = DataInput.expected(name, choice.plugin, *counts, choice.absent)
            continue
        try:
            data[name] = DataInput.of(name, choice.plugin, choice.identities)
        except FaceassayError as error:
            problems.append(Problem(choice.place, f"data {name!r}: {error}"))
    return data, problems


def _open_packs(matrix: MatrixSpec, data: Mapping[str, DataInput]) -> tuple[dict[str, PackInput], list[Problem]]:
    packs: dict[str, PackInput] = {}
    problems: list[Problem] = []
    for benchmark in matrix.benchmarks:
        source, reader = data[benchmark.data] if benchmark.data else None, benchmark.protocol.reader()
        absent, counts = benchmark.absent or (source.absent if source else ""), benchmark.expect or source
        if absent and counts:
            packs[benchmark.name] = PackInput.expected(benchmark.name, reader, counts.images, counts.image_size, absent)
            continue
        try:
            packs[benchmark.name] = PackInput.of(benchmark.name, reader, source)
        except (FaceassayError, ValueError) as error:
            problems.append(Problem(benchmark.place, f"benchmark {benchmark.name!r}: {error}"))
    return packs, problems


def _overlaps(matrix: MatrixSpec, data: Mapping[str, DataInput], packs: Mapping[str, PackInput]) -> list[Problem]:
    problems = []
    for train in matrix.trained_on:
        for benchmark in matrix.benchmarks:
            source = data.get(benchmark.data or "") or packs.get(benchmark.name)
            shared = shared_people(data[train], source).names if source else ()
            if shared:
                problems.append(Problem(benchmark.place, _overlap(benchmark, train, shared)))
    return problems


def _overlap(benchmark: Benchmark, train: str, shared: Sequence[str]) -> str:
    apart = f"make data {train!r} and {benchmark.data!r} disjoint"
    remedy = apart if benchmark.data else f"take them out of data {train!r}"
    return (
        f"benchmark {benchmark.name!r} tests {len(shared)} identities that are also trained on ({named(shared)}): "
        f"{remedy}, or rename different people"
    )


def _unfit(matrix: MatrixSpec, data: Mapping[str, DataInput], packs: Mapping[str, PackInput]) -> list[Problem]:
    """Return what the plugins themselves have against the data, the parameters or this installation."""
    real = data[matrix.spec.train]
    problems = []
    for place, plugin in _trainables(matrix):
        try:
            plugin.check(real.image_size, len(real.people))
            if isinstance(plugin, Generator | Recognizer):
                plugin.check_world(matrix.spec.world)
        except (FaceassayError, ValueError) as error:
            problems.append(Problem(place, f"{plugin.name}: {error}"))
    for i, method in enumerate(matrix.methods):
        other = data[method.entry.data or matrix.spec.train]
        if other.image_size != real.image_size:
            sizes = f"images of {other.image_size} px, data {real.name!r} of {real.image_size} px"
            place = matrix.located.place(("methods", i, "data"))
            problems.append(Problem(place, f"data {other.name!r} has {sizes}: give both one image_size"))
    for benchmark in matrix.benchmarks:
        if benchmark.name in packs and packs[benchmark.name].image_size != real.image_size:
            sizes = f"{packs[benchmark.name].image_size} px, the training images {real.image_size} px"
            remedy = "give both one image_size (and other_sizes: resize where the files have another)"
            message = f"benchmark {benchmark.name!r} has images of {sizes}: {remedy}"
            problems.append(Problem(benchmark.place, message))
    for i, predictor in enumerate(() if real.absent else matrix.attributes):
        try:
            predictor.check_items(real.open().item_ids)
        except FaceassayError as error:
            problems.append(Problem(matrix.located.place(("attributes", i)), f"{predictor.name}: {error}"))
    if matrix.spec.original:
        try:
            _look_through(matrix, matrix.spec.original, real.image_size)
        except FaceassayError as error:
            problems.append(Problem(matrix.located.place(("original",)), f"original: {error}"))
    try:
        matrix.spec.quality.check()
    except FaceassayError as error:
        problems.append(Problem(matrix.located.place(("quality",)), f"quality: {error}"))
    return problems


def _look_through(matrix: MatrixSpec, entry: BroughtEntry, image_size: int) -> None:
    """Open the recognizer that methods look through, to see that they can.

    Raises:
        FaceassayError: when it cannot be opened, takes images of another size, or has no gradient where one is needed.
    """
    recognizer = brought_recognizer(entry).open()
    require_size(recognizer.image_size, image_size)
    plugins = [plugin for row in matrix.methods for plugin in (row.generator, row.augmentation) if plugin]
    if any(plugin.needs_gradient() for plugin in plugins):
        differentiable(recognizer, image_size)


def _trainables(matrix: MatrixSpec) -> list[tuple[Place, Trainable]]:
    place = matrix.located.place
    found: list[tuple[Place, Trainable]] = [(place(("recognizer",)), matrix.recognizer)]
    if matrix.generator:
        found.append((place(("generator",)), matrix.generator))
    found += [(place(("attributes", i)), predictor) for i, predictor in enumerate(matrix.attributes)]
    for i, method in enumerate(matrix.methods):
        if method.entry.generator and method.generator:
            found.append((place(("methods", i, "generator")), method.generator))
        if method.entry.recognizer:
            found.append((place(("methods", i, "recognizer")), method.recognizer))
        if method.augmentation:
            found.append((place(("methods", i, "augmentation")), method.augmentation))
    return found


class Expansion:
    """Build the graph of one matrix."""

    def __init__(self, matrix: MatrixSpec, data: Mapping[str, DataInput], packs: Mapping[str, PackInput]) -> None:
        self.matrix = matrix
        self.data = data
        self.real = data[matrix.spec.train]
        self.result = Graph(dict(data), dict(packs))
        self.packs = packs

    def graph(self) -> Graph:
        """Return the whole graph."""
        for seed in self.matrix.spec.seeds:
            for method in self.matrix.methods:
                self._method(method, seed)
        self._rows()
        return self.result

    def figure(self, figure: Figure, method: str | None, seed: int) -> Graph:
        """Return the graph of one figure."""
        own, needs = self._made_for(method, seed), figure.needs()
        generator = next((row.generator for row in self.matrix.methods if row.name == method), self.matrix.generator)
        if "generator" in needs:
            own["generator"] = self._generator(generator, seed)
        if "recognizer" in needs:
            own["recognizer"] = self._original_recognizer()
        lacking = sorted(needs - set(own))
        if lacking:
            rows = [row.name for row in self.matrix.methods if needs <= {*own, *self._made_for(row.name, seed)}]
            remedy = (
                f"choose one with --method: {', '.join(map(repr, rows))}" if rows else "no row of the matrix has it"
            )
            of = f"row {method!r} has none" if method else "is about one row"
            raise FaceassayError(f"figure {figure.name!r} shows the {' and '.join(lacking)} of a row ({of}): {remedy}")
        about_row = bool(needs - {"generator", "recognizer"})
        axes, whose = ({"seed": seed}, f" of {method}, seed {seed}") if about_row else ({}, "")
        inputs = {"real": self.real, **{name: own[name] for name in sorted(needs)}}
        self._stage("figure", figure, inputs, axes, f"figure {figure.name}{whose}", 1, "figures")
        return self.result

    def _made_for(self, method: str | None, seed: int) -> dict[str, Stage | Given]:
        """Return what is made for one row alone: its plan, its synthesis, its search; nothing for a real row."""
        row = next((row for row in self.matrix.methods if row.name == method), None)
        synthesis = self._synthesis(row, seed) if row else None
        if synthesis is None:
            return {}
        made = {**synthesis.stages()["plan"].inputs, **synthesis.inputs, "synthesis": synthesis}
        return {name: source for name, source in made.items() if name not in ("real", "generator", "recognizer")}

    def _stage(
        self, kind: str, plugin: Plugin, inputs: Mapping[str, Stage | Given], axes: Mapping[str, int],
        title: str, work: int, unit: str,
    ) -> Stage:  # fmt: skip
        spec = self.matrix.spec
        seed = stage_seed(spec.base_seed, kind, axes)
        world = spec.world if kind in SHARED_KINDS else 1
        return self.result.add(Stage(kind, plugin, inputs, axes, seed, spec.threads, title, work, unit, world))

    def _method(self, method: Method, seed: int) -> None:
        recognizer = self._recognizer(method, seed)
        self._quality(method, seed)
        for benchmark in self.matrix.benchmarks:
            evaluation = self._evaluation(method, benchmark, recognizer, seed)
            self.result.cells.append(Cell(method.name, benchmark.name, seed, evaluation))

    def _generator(self, generator: Generator | None, seed: int) -> Stage:
        """Return the training of ``generator`` that everything made for ``seed`` uses."""
        if generator is None:
            raise FaceassayError("the matrix has no generator")
        inputs, axes = self._inputs(generator.needs()), {"generator_seed": self.matrix.generator_seed_of(seed)}
        work, title = generator.work(self.real.images), f"generator {generator.name}{self._which(axes)}"
        return self._stage("generator", generator, inputs, axes, title, work, "training images")

    def _which(self, axes: Mapping[str, int]) -> str:
        """Return what tells apart the stages that are made anew for each of several generators."""
        return f", seed {axes['generator_seed']}" if len(self.matrix.spec.generators) > 1 else ""

    def _original_recognizer(self) -> Stage | Given:
        """Return the recognizer that methods look through (M_orig of the papers).

        It is the one brought as ``original``, or else the one trained on the real images at the first seed.
        """
        brought = self.matrix.spec.original
        if brought is not None:
            return original_recognizer(brought, self.real)
        return self._trained_on(self.real, self.matrix.recognizer, "original", self._choosing())

    def _attributes(self) -> dict[str, Stage]:
        """Return the stages that tell the attributes of the real images, by the names of inputs."""
        stages = [
            self._stage("attributes", predictor, {"real": self.real}, {}, f"attributes {predictor.name}",
                        self.real.images, "images")
            for predictor in self.matrix.attributes
        ]  # fmt: skip
        return {f"{ATTRIBUTES}/{i}": stage for i, stage in enumerate(stages)}

    def _inputs(self, needs: frozenset[str]) -> dict[str, Stage | Given]:
        """Return the real images and what of ``needs`` is the same for every row and seed."""
        inputs: dict[str, Stage | Given] = {"real": self.real}
        if "recognizer" in needs:
            inputs["recognizer"] = self._original_recognizer()
        return {**inputs, **(self._attributes() if "attributes" in needs else {})}

    def _inputs_of(self, method: Method, needs: frozenset[str], seed: int) -> dict[str, Stage | Given]:
        """Return what a row's own plugin needs, its generator too."""
        made = {"generator": self._generator(method.generator, seed)} if "generator" in needs else {}
        return {"real": self.real, **made, **self._inputs(needs)}

    def _searched(self, method: Method, augmentation: Augmentation, seed: int) -> dict[str, Stage]:
        """Return the stage that searches for parameters of the augmentation, where it has any to search for."""
        search = augmentation.search()
        if search is None:
            return {}
        axes = {"generator_seed": self.matrix.generator_seed_of(seed)}
        work, title = search.work(len(self.real.people)), f"search of {augmentation.name}{self._which(axes)}"
        inputs = self._inputs_of(method, search.needs(), seed)
        return {"search": self._stage("search", search, inputs, axes, title, work, "images")}

    def _synthesis(self, method: Method, seed: int) -> Stage | None:
        """Return the synthesis of a row, None where it has no augmentation."""
        augmentation = method.augmentation
        if augmentation is None:
            return None
        inputs, axes = self._inputs_of(method, augmentation.needs(), seed), {"seed": seed}
        images = self._planned(augmentation)
        name = f"{augmentation.name}, seed {seed}"
        searched = self._searched(method, augmentation, seed)
        plan = self._stage("plan", augmentation, {**inputs, **searched}, axes, f"plan of {name}", images, "rows")
        inputs = {**inputs, "plan": plan}
        return self._stage("synthesis", augmentation, inputs, axes, f"synthesis {name}", images, "images")

    def _planned(self, augmentation: Augmentation | None) -> int:
        return augmentation.planned_images(len(self.real.people)) if augmentation else 0

    def _quality(self, method: Method, seed: int) -> Stage | None:
        synthesis = self._synthesis(method, seed)
        if synthesis is None:
            return None
        inputs: dict[str, Stage | Given] = {"real": self.real, "synthesis": synthesis}
        title = f"image quality of {synthesis.plugin.name}, seed {seed}"
        return self._stage("quality", self.matrix.spec.quality, inputs, {}, title, synthesis.work, "images")

    def _choosing(self) -> dict[str, Stage | Given]:
        """Return what chooses the checkpoint of a recognizer, nothing where the last one is kept."""
        entry = self.matrix.spec.validation
        return {"validation": ValidationInput(self.data[entry.data], entry.checks, entry.pairs)} if entry else {}

    def _trained_on(
        self, data: DataInput, plugin: Recognizer, what: str, choosing: Mapping[str, Stage | Given]
    ) -> Stage:
        """Return the stage that trains a recognizer on ``data`` alone, at the first seed."""
        return self._trained(plugin, {"real": data, **choosing}, data.images, self.matrix.spec.seeds[0], what)

    def _trained(
        self, plugin: Recognizer, inputs: Mapping[str, Stage | Given], images: int, seed: int, what: str
    ) -> Stage:
        title = f"recognizer {what}, seed {seed}"
        return self._stage("recognizer", plugin, inputs, {"seed": seed}, title, plugin.work(images), "training images")

    def _recognizer(self, method: Method, seed: int) -> Stage:
        inputs = self._choosing()
        if method.uses_real:
            inputs["real"] = self._real_data(method)
        if method.synthetic:
            inputs["synthesis"] = self.data[method.synthetic]
        elif synthesis := self._synthesis(method, seed):
            inputs["synthesis"] = synthesis
        if mixture := self._mixture(method):
            inputs["mixture"] = mixture
        return self._trained(self._matched(method), inputs, self._images(method), seed, method.name)

    def _mixture(self, method: Method) -> Mixture | None:
        """Return how a mixed row makes one set of two; None for a row that trains on one.

        Where the row does not say, an augmentation's plan names a real person on purpose; data may do so by chance.
        """
        if method.entry.group != "FR_mix":
            return None
        known = people_of_union(self._real_data(method), self.data[method.synthetic]) if method.synthetic else "joined"
        return Mixture(method.entry.people or known, method.entry.balance)

    def _matched(self, method: Method) -> Recognizer:
        target = method.entry.match_updates
        if target is None:
            return method.recognizer
        other = next(m for m in self.matrix.methods if m.name == target)
        return method.recognizer.trained_for(other.recognizer.updates_for(self._images(other)))

    def _real_data(self, method: Method) -> DataInput:
        return self.data[method.real] if method.real else self.real

    def _real_images(self, method: Method) -> int:
        return self._real_data(method).images if method.uses_real else 0

    def _synthetic_images(self, method: Method) -> int:
        return self.data[method.synthetic].images if method.synthetic else self._planned(method.augmentation)

    def _images(self, method: Method) -> int:
        """Return the images of an epoch, those counted again that a balance repeats."""
        real, synthetic, mixture = self._real_images(method), self._synthetic_images(method), self._mixture(method)
        return mixture.epoch(real, synthetic) if mixture else real + synthetic

    def _evaluation(self, method: Method, benchmark: Benchmark, recognizer: Stage, seed: int) -> Stage:
        pack, what = self.packs[benchmark.name], f"{benchmark.name} of {method.name}, seed {seed}"
        inputs: dict[str, Stage | Given] = {"recognizer": recognizer, "benchmark": pack}
        features = self._stage("features", pack.reader, inputs, {}, f"features {what}", pack.images, "images")
        inputs = {"features": features, "benchmark": pack}
        protocol = benchmark.protocol
        return self._stage("evaluation", protocol, inputs, {}, f"evaluation {what}", pack.images, "images")

    def _rows(self) -> None:
        for method in self.matrix.methods:
            seeds, images = self._seeds(), self._images(method)
            syntheses, qualities = (
                {seed: make(method, seed) for seed in seeds} for make in (self._synthesis, self._quality)
            )
            self.result.rows[method.name] = Row(
                method=method.name,
                real_images=self._real_images(method),
                synthetic_images=self._synthetic_images(method),
                updates=self._matched(method).updates_for(images),
                recognizers={seed: self._recognizer(method, seed) for seed in seeds},
                syntheses={seed: stage for seed, stage in syntheses.items() if stage},
                qualities={seed: stage for seed, stage in qualities.items() if stage},
                mixture=self._mixture(method),
            )

    def _seeds(self) -> list[int]:
        return self.matrix.spec.seeds
