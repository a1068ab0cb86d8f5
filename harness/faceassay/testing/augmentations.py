"""Own the checks of an augmentation's images and of how they are made. Its plan and its search are checked beside."""

from __future__ import annotations

from collections import Counter
from unittest import SkipTest

import numpy as np

from faceassay.contracts import ImageBatch, PlanBlock
from faceassay.seeds import noise_keys, row_noise
from faceassay.testing.checks import BrokenContract, check, require
from faceassay.testing.faces import faces
from faceassay.testing.inputs import OTHER_SEED, SEED, content
from faceassay.testing.manners import Conduct, manners
from faceassay.testing.rendering import Course, Inputs, Rendered, fresh, render
from faceassay.testing.subject import Subject

ONE_LEVEL = 1
"""Grey levels that an image may differ by with the batch it was computed in: what truncation makes of a last bit."""
KNOWN = frozenset({"generator", "recognizer", "attributes"})


def first(subject: Subject) -> Rendered:
    """Return the synthesis that others are compared with."""
    return subject.once("a first synthesis", lambda: render(subject))


@check(
    "Augmentation",
    "Turn real images (and a generator, and a recognizer, as needed) into a synthetic set: a plan, then images.",
    do="mend the error: the sources of `faceassay.testing` are small, but complete.",
)
def plans_and_renders(subject: Subject) -> None:
    """Plan and render a small synthesis."""
    require(len(first(subject).plan) > 0, "the plan lists no image")


@check(
    "Augmentation.needs",
    "Name the inputs beside the real images: any of ``generator``, ``recognizer``, ``attributes``.",
    do="return a frozenset of these names.",
)
def needs_are_known(subject: Subject) -> None:
    """Compare the names with those that a matrix can serve."""
    needs = subject.plugin.needs()
    require(isinstance(needs, frozenset), f"needs() returns {needs!r}, no frozenset")
    require(needs <= KNOWN, f"needs() names {', '.join(sorted(map(repr, needs - KNOWN)))}, which nothing serves")


@check(
    "Augmentation.needs",
    "They are exactly what ``plan`` and ``render`` read: what is read without being named is missing from the key, "
    "what is named without being read is trained in vain.",
    do="let needs() name what is read under these parameters, and no more.",
)
def reads_what_it_needs(subject: Subject) -> None:
    """Compare what was read with what was declared."""
    rendered, needs = first(subject), subject.plugin.needs()
    require(not rendered.undeclared, f"reads {', '.join(rendered.undeclared)}, which needs() does not name")
    idle = (needs & KNOWN) - rendered.read
    require(not idle, f"needs() names {', '.join(sorted(idle))}, which is never read")


@check(
    "Augmentation.render",
    "uint8 [B, H, W, 3] RGB, of the size of the real images.",
    do="return images.clip(0, 255).astype(np.uint8) as [B, H, W, 3], one for each row of the block.",
)
def images_are_uint8_rgb(subject: Subject) -> None:
    """Look at type and shape of every block."""
    rendered, size = first(subject), faces().image_size
    for index, images in rendered.images.items():
        rows = len(rendered.plan.block(index))
        got = f"{type(images).__name__} {getattr(images, 'dtype', '')} {list(getattr(images, 'shape', []))}"
        is_right = isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape == (rows, size, size, 3)
        require(is_right, f"render() returned {got} for a block of {rows} rows and images of {size} px")


@check(
    "Augmentation.render",
    "Colours keep their order, red first.",
    do="hand images on as RGB: OpenCV reads and writes BGR, and [:, :, ::-1] mirrors while [..., ::-1] swaps colours.",
)
def colours_keep_their_order(subject: Subject) -> None:
    """Compare red with blue once as it is, where all faces are red, and once with all colours exchanged."""
    red = _red_over_blue(first(subject))
    blue = _red_over_blue(render(subject, data=faces().in_other_colours()))
    if red == blue:
        raise SkipTest("its images are the same whatever colour the real ones have")
    require(
        red > blue,
        f"red is {red:+.0f} grey levels above blue in images of red faces, {blue:+.0f} in those of blue ones",
    )


@check(
    "Augmentation.render",
    "The same block and noise give the same bytes.",
    do="draw every random number from the noise, or from faceassay.seeds.generator(run.seed, ...) in plan().",
)
def rendering_repeats(subject: Subject) -> None:
    """Make the synthesis again, under other global random states."""
    whole = first(subject)
    _require_same(whole, render(subject, Course(global_seed=99)), "made a second time")


@check(
    "Augmentation",
    "Nothing is left over between two calls: blocks are rendered in any order, by any number of processes.",
    do="keep nothing in the plugin, its class or its module between two calls: a row of the plan says it all.",
)
def blocks_render_in_any_order(subject: Subject) -> None:
    """Render the last block first, and each with a plugin and sources of its own."""
    whole = first(subject)
    _require_same(whole, render(subject, Course(is_reversed=True)), "rendered from the last block to the first")
    _require_same(whole, render(subject, Course(is_fresh=True)), "rendered by a process of its own for each")


@check(
    "Augmentation.render",
    "An image depends on its own row and noise alone, but for the last bit of a float: not on the other rows of the "
    "block.",
    do="compute nothing over the rows of a block: no mean of the batch, no normalisation by it, no shuffling.",
)
def rows_render_alone(subject: Subject) -> None:
    """Render each row of the first block in a block of its own."""
    rendered = first(subject)
    block, together = rendered.plan.block(0), np.asarray(rendered.images[0]).astype(np.int64)
    for row in range(min(len(block), 3)):
        plugin = fresh(subject.plugin)
        alone = plugin.render(Inputs(faces()).sources(plugin.needs()), _row(block, row), _noise(block, row))
        apart = int(np.abs(np.asarray(alone).astype(np.int64) - together[row : row + 1]).max())
        require(apart <= ONE_LEVEL, f"row {row} rendered alone differs from itself in a block by {apart} grey levels")


@check(
    "Trainable",
    "A plugin whose results do not depend on the seed of the stage says so by ``seeded = False``: of all others "
    "another seed makes another result.",
    do="use the noise and run.seed, or set the class attribute seeded = False.",
)
def another_seed_makes_other_images(subject: Subject) -> None:
    """Make a synthesis with another seed."""
    whole = first(subject).whole()
    same = content(whole) == content(render(subject, Course(seed=OTHER_SEED)).whole())
    if subject.plugin.seeded:
        require(not same, f"seeds {SEED} and {OTHER_SEED} make the same images")
    else:
        require(same, "seeded is False, and another seed makes other images")


@check(
    "Augmentation.evaluations_per_image",
    "The images of a plan take so many each, on average.",
    do="return calls of the denoiser x conditions x networks, as faceassay.denoising.GuidedSampling does.",
)
def evaluations_are_told_beforehand(subject: Subject) -> None:
    """Compare the estimate with what the networks of the generator counted while images were rendered."""
    rendered = first(subject)
    made, images = rendered.rendering[0], _rendered_images(rendered)
    told = subject.plugin.evaluations_per_image() * images
    require(told == made, f"evaluations_per_image() foretells {told} for {images} images, {made} were made")


@check(
    "FittedGenerator",
    "Network evaluations made so far: one for each image that passes through one network.",
    do="call the denoisers that sources.generator.denoiser() returns, not what is inside them.",
)
def evaluations_are_counted(subject: Subject) -> None:
    """Compare what the generator counted with what passed through its networks."""
    made, counted = first(subject).made[0], first(subject).told[0]
    require(made == counted, f"{made} evaluations were made, {counted} were counted")


@check(
    "Sources",
    "whoever looks through a recognizer or backwards through a denoiser adds to those that ``PASSES`` names.",
    do="call sources.passes.update({'recognizer_forward': len(images)}), and the like, in render(), or "
    "run.count_passes in plan().",
)
def passes_are_counted(subject: Subject) -> None:
    """Compare what was told of other passes with what the recognizer and the networks saw."""
    made, told = first(subject).made[1], first(subject).told[1]
    require(made == told, f"{_words(made)} were made, {_words(told)} were counted")


@check(
    "Augmentation.passes_per_image",
    "The images of a plan take so many each, on average.",
    do="return the passes of one image by the names of PASSES.",
)
def passes_are_told_beforehand(subject: Subject) -> None:
    """Compare the estimate with what was seen while images were rendered."""
    rendered = first(subject)
    images, made = _rendered_images(rendered), rendered.rendering[1]
    told = +Counter({name: number * images for name, number in subject.plugin.passes_per_image().items()})
    require(told == made, f"passes_per_image() foretells {_words(told)} for {images} images, {_words(made)} were made")


@check(
    "Trainable.check",
    "What it lets pass works, one identity too.",
    do="raise ValueError in check(image_size, identities), with the remedy, where the plugin needs more people.",
)
def one_identity_is_refused_or_works(subject: Subject) -> None:
    """Ask whether one real identity will do; where it will, plan and render."""
    first(subject)
    alone = faces(people=1)
    try:
        subject.plugin.check(alone.image_size, 1)
        if searching := subject.plugin.search():
            getattr(searching, "check", lambda identities: None)(1)
    except ValueError as error:
        raise SkipTest(f"it refuses a single identity: {' '.join(str(error).split())}") from error
    rendered = render(subject, Course(most_blocks=1), alone)
    require(len(rendered.plan) > 0, "with one identity the plan lists no image")


def _red_over_blue(rendered: Rendered) -> float:
    means = np.asarray(rendered.whole(), dtype=np.float64).mean(axis=(0, 1, 2))
    return float(means[0] - means[-1])


def _rendered_images(rendered: Rendered) -> int:
    return sum(len(rendered.plan.block(index)) for index in rendered.images)


def _require_same(expected: Rendered, found: Rendered, how: str) -> None:
    for index, images in expected.images.items():
        if content(np.asarray(images)) != content(np.asarray(found.images[index])):
            apart = _apart(images, found.images[index])
            raise BrokenContract(f"block {index} {how} has other bytes ({apart})")


def _apart(one: ImageBatch, other: ImageBatch) -> str:
    first, second = (np.asarray(images).astype(np.float64) for images in (one, other))
    if first.shape != second.shape:
        return f"shapes {list(first.shape)} and {list(second.shape)}"
    return f"up to {np.abs(first - second).max():.0f} grey levels apart"


def _conduct(subject: Subject) -> Conduct:
    planning, *rendering = first(subject).disturbances
    return Conduct({"plan()": [planning], "render()": rendering}, first(subject).changed)


def _row(block: PlanBlock, row: int) -> PlanBlock:
    only = slice(row, row + 1)
    columns = {name: np.array(column[only]) for name, column in block.columns.items()}
    return PlanBlock(0, block.start + row, block.labels[only], block.sources[only], block.weights[only], columns)


def _noise(block: PlanBlock, row: int) -> np.ndarray:
    return row_noise(noise_keys(SEED, block.start + row, 1), faces().image_size)


def _words(passes: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(passes.items())) or "no passes"


IMAGES = (
    plans_and_renders,
    needs_are_known,
    reads_what_it_needs,
    images_are_uint8_rgb,
    colours_keep_their_order,
    rendering_repeats,
    blocks_render_in_any_order,
    rows_render_alone,
    another_seed_makes_other_images,
    *manners(_conduct, lambda subject: render(subject, Course(is_frozen=True))),
    evaluations_are_told_beforehand,
    evaluations_are_counted,
    passes_are_counted,
    passes_are_told_beforehand,
    one_identity_is_refused_or_works,
)
