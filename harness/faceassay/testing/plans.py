"""Own the checks of an augmentation's plan and of its search. Images are checked in ``augmentations``."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import SkipTest

import numpy as np

from faceassay.contracts import Augmentation, SynthesisPlan
from faceassay.testing.augmentations import first
from faceassay.testing.checks import check, require
from faceassay.testing.faces import faces
from faceassay.testing.inputs import content
from faceassay.testing.rendering import Searched, search, stored_plan
from faceassay.testing.subject import Subject

NUMBERS = ("3", "0", "5", "1", "4", "2")
"""Names of people as many sets have them: numbers, in an order of their own."""
SEARCHED = frozenset({"generator", "recognizer"})


@check(
    "Augmentation.plan",
    "The same inputs and seed give the same plan.",
    do="draw from faceassay.seeds.generator(run.seed, ...) alone, and go through sets in a sorted order.",
)
def planning_repeats(subject: Subject) -> None:
    """Plan again, as the stage does, which writes the plan and opens it."""
    differing = _differing(first(subject).plan, stored_plan(subject))
    require(not differing, f"the plan made, stored and opened again differs in {', '.join(differing)}")


@check(
    "StageContext",
    "count_evaluations: add to the count of network evaluations (one network on one image is one evaluation).",
    do="call run.count_evaluations(number) in plan() for what the generator's networks did in it, and nowhere else.",
)
def planning_counts_what_it_does(subject: Subject) -> None:
    """Compare the evaluations that a plan tells with those that were made; render() has no count of its own."""
    made, told = first(subject).planning
    require(made == told, f"plan() made {made} network evaluations and counted {told}")


@check(
    "Augmentation.planned_images",
    "Return how many images the plan will list for ``identities`` real identities.",
    do="return the number of rows of the plan.",
)
def planned_images_are_listed(subject: Subject) -> None:
    """Compare the number with the rows of the plan."""
    told, rows = subject.plugin.planned_images(len(faces().identities)), len(first(subject).plan)
    require(told == rows, f"planned_images() foretells {told}, the plan lists {rows}")


@check(
    "SynthesisPlan",
    "No identity is without a row, and weights are finite.",
    do="name only identities that images are made of, and check what weights are computed from.",
)
def plan_is_sound(subject: Subject) -> None:
    """Look at types, ranges and names of a plan."""
    require(not list(_faults(first(subject).plan)), "; ".join(_faults(first(subject).plan)))


@check(
    "SynthesisPlan",
    "Where a row that joins a real identity has sources, that identity is among them.",
    do="give new people names of their own; name a real identity only where the image shows that person.",
)
def labels_are_honest(subject: Subject) -> None:
    """Compare the label of each row with what the row is made from, and names with those of real people."""
    plan, real = first(subject).plan, faces().identities
    for row, label in enumerate(plan.labels.tolist()):
        name, sources = plan.identities[label], [real[source] for source in plan.sources[row].tolist()]
        if name in real and sources:
            require(name in sources, f"row {row} is labelled {name!r} and made from {' and '.join(sources)}")
    like = {name.strip().casefold(): name for name in real}
    near = [
        (name, like[key]) for name in plan.identities if (key := name.strip().casefold()) in like and name not in real
    ]
    require(not near, f"{near[0][0]!r} is written unlike the real {near[0][1]!r}, so it does not join" if near else "")


@check(
    "Augmentation.plan",
    "Who is real is told by name alone, never by position.",
    do="name identities by sources.real.identities, and new ones so that no real name is hit: 'synthetic:' + ...",
)
def people_join_by_name(subject: Subject) -> None:
    """Plan for the same people under names that are numbers: the same rows join the same people."""
    renamed = faces().renamed(NUMBERS)
    joins = [_joined(first(subject).plan, faces().identities), _joined(stored_plan(subject, renamed), NUMBERS)]
    apart = [row for row, (one, other) in enumerate(zip(*joins, strict=True)) if one != other]
    require(
        not apart, f"row {apart[0]} joins another person once people are called {', '.join(NUMBERS)}" if apart else ""
    )


@check(
    "Search.needs",
    "They are exactly what is read.",
    do="let needs() of the search name what run() reads, any of generator and recognizer.",
)
def search_reads_what_it_needs(subject: Subject) -> None:
    """Compare what the search read with what it declares."""
    found, needs = _searched(subject), subject.plugin.search().needs()
    require(
        needs <= SEARCHED, f"needs() of the search names {', '.join(sorted(needs - SEARCHED))}, which nothing serves"
    )
    require(not found.undeclared, f"the search reads {', '.join(found.undeclared)}, which its needs() does not name")
    require(needs <= found.read, f"needs() of the search names {', '.join(sorted(needs - found.read))}, never read")


@check(
    "Search",
    "The same inputs and seed find the same, however often the search was killed and went on from a checkpoint.",
    do="draw from faceassay.seeds.generator(run.seed, ...) alone, and keep in a checkpoint whatever has changed.",
)
def search_repeats_and_resumes(subject: Subject) -> None:
    """Search again, then go on from a state in the middle."""
    whole, plugin = _searched(subject), subject.plugin.search()
    again = search(subject, plugin, faces())
    require(content(again.found) == content(whole.found), "a second search finds something else")
    if states := whole.checkpoints.saved:
        resumed = search(subject, plugin, faces(), states[len(states) // 2])
        require(
            content(resumed.found) == content(whole.found), "a search that goes on from a checkpoint finds other things"
        )
        require(resumed.told == whole.told, f"resumed it counts {resumed.told}, in one go {whole.told}")


@check(
    "Sources",
    "whoever looks through a recognizer or backwards through a denoiser adds to those that ``PASSES`` names.",
    do="call run.count_passes({'recognizer_forward': images}) and run.count_evaluations(number) in the search.",
)
def search_counts_what_it_does(subject: Subject) -> None:
    """Compare evaluations and passes that a search tells with those that were made."""
    found = _searched(subject)
    require(found.made == found.told, f"{found.made} were made, {found.told} were counted (evaluations, passes)")


@check(
    "Plugin",
    "It neither seeds nor draws from the global random states of Python, NumPy and torch.",
    do="in the search too use faceassay.seeds.generator(seed, ...) or torch.Generator().manual_seed(seed).",
)
def search_disturbs_nothing(subject: Subject) -> None:
    """Compare random states, settings and inputs before and after the search."""
    found = _searched(subject)
    changed = [*found.disturbance.random, *found.disturbance.torch, *found.changed]
    require(not changed, f"the search changed {' and '.join(changed)}")


def _searched(subject: Subject) -> Searched:
    plugin: Augmentation = subject.plugin
    searching = plugin.search()
    if searching is None:
        raise SkipTest("nothing is searched for")
    return subject.once("a first search", lambda: search(subject, searching, faces()))


def _differing(one: SynthesisPlan, other: SynthesisPlan) -> list[str]:
    names = ("identities", "labels", "sources", "weights", "block_size", "columns")
    return [name for name in names if content(_plain(getattr(one, name))) != content(_plain(getattr(other, name)))]


def _plain(value: object) -> object:
    return {name: np.array(column) for name, column in value.items()} if isinstance(value, dict) else value


def _faults(plan: SynthesisPlan) -> Iterator[str]:
    for name, kind in (("labels", np.int64), ("sources", np.int64), ("weights", np.float64)):
        array = getattr(plan, name)
        if not isinstance(array, np.ndarray) or array.dtype != kind:
            yield f"{name} are {getattr(array, 'dtype', type(array).__name__)}, not {np.dtype(kind)}"
    if not np.isfinite(plan.weights).all():
        yield "a weight is not finite"
    people = len(faces().identities)
    if plan.sources.size and not 0 <= plan.sources.min() <= plan.sources.max() < people:
        yield f"sources {plan.sources.min()}..{plan.sources.max()} are no class indices (0..{people - 1})"
    idle = sorted({*range(len(plan.identities))} - {*plan.labels.tolist()})
    if idle:
        yield f"{len(idle)} identities have no image, {plan.identities[idle[0]]!r} among them"
    yield from (
        f"the name of an identity is {name!r}" for name in plan.identities if not isinstance(name, str) or not name
    )


def _joined(plan: SynthesisPlan, real: tuple[str, ...]) -> list[int | None]:
    place = {name: number for number, name in enumerate(real)}
    return [place.get(plan.identities[label]) for label in plan.labels.tolist()]


PLANS = (
    planning_repeats,
    planning_counts_what_it_does,
    planned_images_are_listed,
    plan_is_sound,
    labels_are_honest,
    people_join_by_name,
    search_reads_what_it_needs,
    search_repeats_and_resumes,
    search_counts_what_it_does,
    search_disturbs_nothing,
)
