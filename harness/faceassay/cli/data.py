"""Own the commands about training sets: ``data inspect``, ``convert``, ``subset`` and ``verify``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceassay.cli.named_data import HELP, counting, named_dataset

if TYPE_CHECKING:
    from faceassay.contracts import WritableDataset
    from faceassay.registry import Registry
    from faceassay.sets.choosing import Rule


@click.group()
def data() -> None:
    """Look at training sets, check them, convert them, choose a part of them."""


@data.command(help=f"Describe DATASET, {HELP}.")
@click.argument("dataset")
@click.option("--sample", default=1000, show_default=True, type=click.IntRange(1), help="Images whose files are read.")
@click.option("--all", "whole", is_flag=True, help="Read all of them.")
@click.option("--contact-sheet", type=click.Path(dir_okay=False, path_type=Path), help="PNG of evenly chosen images.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def inspect(dataset: str, sample: int, whole: bool, contact_sheet: Path | None, as_json: bool) -> None:
    """Describe a dataset."""
    import json

    import numpy as np

    from faceassay.cli.inspected import described, lines
    from faceassay.datasets import evenly_chosen
    from faceassay.registry import load_plugins
    from faceassay.sets.contents import contents
    from faceassay.sets.summary import contact_sheet as drawn

    plugin = named_dataset(dataset, load_plugins())
    opened = plugin.open()
    rows = evenly_chosen(np.arange(len(opened), dtype=np.int64), len(opened) if whole else sample)
    with counting("reading", len(rows)) as advance:
        document = described(plugin, opened, contents(opened, rows, advance))
    if contact_sheet:
        _saved(drawn(opened), contact_sheet)
    click.echo(json.dumps(document, indent=1) if as_json else "\n".join(lines(document)))


@data.command(help=f"Write the images of SOURCE, {HELP}, to TARGET in another form; their bytes stay as they are.")
@click.argument("source")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--to", "form", required=True, help="Dataset plugin that writes: folder, zip, shards, recordio.")
def convert(source: str, target: Path, form: str) -> None:
    """Write a dataset in another form."""
    from faceassay.registry import load_plugins
    from faceassay.sets.converting import convert, refuse_existing

    registry = load_plugins()
    writer = _writer(form, registry)
    refuse_existing(target)
    opened = named_dataset(source, registry).open()
    with counting("writing and comparing", 2 * len(opened)) as advance:
        written = convert(opened, writer, target, advance)
    click.echo(f"{target}: {len(written):,} images of {len(written.identities):,} identities, compared with the source")


@data.command(
    help=f"""Choose images of SOURCE, {HELP}, by a rule, and record them in the file TARGET (.json).

    A matrix uses the file as `{{plugin: subset, path: TARGET}}`, no image is copied. With --to the chosen images are
    also written as a set of their own: then TARGET is that set, and the file is TARGET.json."""
)
@click.argument("source")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--identities", help="FIRST..LAST in the order of the set, or a file with a name in each line.")
@click.option("--images-per-identity", metavar="LOW..HIGH", help="Fewest (others are left out) and most images.")
@click.option("--count-identities", type=click.IntRange(1), help="Draw so many identities.")
@click.option("--images", type=click.IntRange(1), help="Draw so many images in all.")
@click.option("--rule", "named", help="A named rule instead of the options above: webface160k.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Another seed, another draw.")
@click.option("--to", "form", help="Also write the images: folder, zip, shards, recordio.")
def subset(
    source: str, target: Path, identities: str | None, images_per_identity: str | None, count_identities: int | None,
    images: int | None, named: str | None, seed: int, form: str | None,
) -> None:  # fmt: skip
    """Choose a part of a dataset."""
    from faceassay.contracts import FaceassayError
    from faceassay.datasets import select_items
    from faceassay.registry import load_plugins
    from faceassay.sets.choosing import choose
    from faceassay.sets.converting import convert, refuse_existing
    from faceassay.sets.subset import write_subset

    low, high = _from_to(images_per_identity) if images_per_identity else (None, None)
    rule = _rule(named, seed, low=low, high=high, count=count_identities, images=images, identities=_people(identities))
    registry = load_plugins()
    writer = _writer(form, registry) if form else None
    file = target.with_name(f"{target.name}.json") if form else target
    if file.suffix != ".json":
        raise FaceassayError(f"{target}: the file of a subset is called NAME.json; --to writes the images too")
    for place in {file, target}:
        refuse_existing(place)
    plugin = named_dataset(source, registry)
    opened = plugin.open()
    with counting("choosing", None) as advance:
        items = choose(opened, rule, advance)
    chosen = select_items(opened, items)
    if writer:
        with counting("writing and comparing", 2 * len(chosen)) as advance:
            convert(chosen, writer, target, advance)
    write_subset(file, plugin, opened, rule, items)
    click.echo(f"{file}: {len(chosen):,} of {len(opened):,} images, {len(chosen.identities):,} identities")


@data.command(help=f"Decode every image of DATASET, {HELP}, and name what is wrong; the exit code is 1 if anything is.")
@click.argument("dataset")
@click.option("--first", default=20, show_default=True, type=click.IntRange(0), help="Faults of each kind to name.")
def verify(dataset: str, first: int) -> None:
    """Check a dataset."""
    from collections import Counter

    from faceassay.contracts import DataError
    from faceassay.registry import load_plugins
    from faceassay.sets.faults import faults

    plugin = named_dataset(dataset, load_plugins())
    found: Counter[str] = Counter()
    try:
        opened = plugin.open()
    except DataError as error:
        click.secho(str(error), fg="red", err=True)
        sys.exit(1)
    with counting("decoding and comparing", 2 * len(opened)) as advance:
        for kind, where in faults(opened, advance):
            found[kind] += 1
            if found[kind] <= first:
                click.echo(f"{kind}: {where}")
    for kind, count in found.items():
        click.secho(f"{count:,} {kind}", fg="red")
    people = len(opened.identities)
    click.echo(f"{len(opened):,} images of {people:,} identities: {found.total() or 'no'} faults")
    sys.exit(1 if found else 0)


def _writer(form: str, registry: Registry) -> type[WritableDataset]:
    from faceassay.contracts import FaceassayError, WritableDataset

    cls = registry.get("dataset", form)
    if not issubclass(cls, WritableDataset):
        known = [
            name for name in registry.names("dataset") if issubclass(registry.get("dataset", name), WritableDataset)
        ]
        raise FaceassayError(f"dataset {form!r} is read, not written: --to {', '.join(known)}")
    return cls


def _rule(named: str | None, seed: int, **said: Any) -> Rule:
    """Return the rule that the options say; those that were not given are None."""
    from dataclasses import replace

    from faceassay.contracts import FaceassayError
    from faceassay.sets.choosing import NAMED_RULES, Rule

    given = {name: value for name, value in said.items() if value is not None}
    if named is None:
        return Rule(seed=seed, **given)
    if named not in NAMED_RULES or given:
        raise FaceassayError(f"--rule is one of {', '.join(NAMED_RULES)}, with --seed and no other option of a choice")
    return replace(NAMED_RULES[named], seed=seed)


def _from_to(text: str) -> tuple[int, int | None]:
    from faceassay.contracts import FaceassayError

    low, dots, high = text.partition("..")
    if (
        not dots
        or not (low.isdecimal() and (high.isdecimal() or not high))
        or (high and not 1 <= int(low) <= int(high))
    ):
        raise FaceassayError(f"--images-per-identity {text!r}: write LOW..HIGH, e.g. 11..24, or LOW.. without a limit")
    return int(low), int(high) if high else None


def _people(said: str | None) -> Any:
    """Return the names in the file that ``said`` is, or the range."""
    if said is None or not Path(said).is_file():
        return said
    return tuple(filter(None, map(str.strip, Path(said).read_text(encoding="utf-8").splitlines())))


def _saved(picture: Any, file: Path) -> None:
    from faceassay.contracts import FaceassayError

    try:
        picture.save(file, "PNG")
    except OSError as error:
        raise FaceassayError(f"{file} cannot be written ({error.strerror or error}): give another place") from error
