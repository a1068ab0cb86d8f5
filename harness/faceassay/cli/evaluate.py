"""Own the command ``evaluate``: a recognizer or embeddings of one's own on benchmarks. How results look: `scores`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceassay.cli.benchmarks import each, named_protocols, opened_columns
from faceassay.cli.matrix import WORKING_FOLDER, opened, writable

if TYPE_CHECKING:
    from faceassay.assay import AssayPlan
    from faceassay.brought.opening import BroughtRecognizer
    from faceassay.contracts import EvaluationProtocol
    from faceassay.store import Store


@click.command()
@click.option(
    "--benchmark", "benchmarks", multiple=True, required=True, metavar="NAME=PATH[,PARAMETER=VALUE...]",
    help="A benchmark and its files; give several, also two packs of one name. `faceassay describe NAME` tells its "
    "parameters; the values of a list are joined by +, as in fprs=1e-3+1e-4.",
)  # fmt: skip
@click.option(
    "--recognizer",
    type=click.Path(path_type=Path),
    help="ONNX file, TorchScript file, or folder of a trained artifact.",
)
@click.option(
    "--embeddings", multiple=True, metavar="FILE | NAME=FILE",
    help="Embeddings instead of a recognizer: .npy, .npz or .safetensors, rows in the order that --list-images prints.",
)  # fmt: skip
@click.option(
    "--convention", "conventions", multiple=True, metavar="NAME",
    help="insightface_eval_ijbc, adaface, cvlface, tface, facexzoo, or all for every one on the same features.",
)  # fmt: skip
@click.option("--colour", type=click.Choice(["rgb", "bgr"]), help="Colour order that the network takes [default: rgb]")
@click.option("--mean", type=float, help="Grey level that becomes 0  [default: 127.5]")
@click.option("--std", type=float, help="Grey levels that become 1  [default: 127.5]")
@click.option("--image-size", type=click.IntRange(8), help="Side that the network takes, where its file does not say.")
@click.option("--output", help="Name of the output that is the embedding, where an ONNX network has several.")
@click.option(
    "--json", "json_path", type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the results here too.",
)  # fmt: skip
@click.option("--list-images", is_flag=True, help="Print the names of the benchmark's images, one a line, and stop.")
@click.option(
    "--store", type=click.Path(file_okay=False, path_type=Path), envvar="FACEASSAY_STORE",
    default=Path(WORKING_FOLDER) / "store", show_default=True, help="Where embeddings and scores are kept.",
)  # fmt: skip
@click.option("--device", default="cpu", show_default=True, help="Device of the network.")
@click.option("--threads", type=click.IntRange(1, 256), default=2, show_default=True, help="CPU threads.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def evaluate(
    benchmarks: tuple[str, ...], recognizer: Path | None, embeddings: tuple[str, ...], conventions: tuple[str, ...],
    json_path: Path | None, list_images: bool, store: Path, device: str, threads: int, quiet: bool, **stated: Any,
) -> None:  # fmt: skip
    """Evaluate a recognizer, or embeddings, on benchmarks.

    Every image is embedded once and kept: another convention afterwards takes seconds.

    \b
    faceassay evaluate --recognizer model.onnx --benchmark lfw=lfw.bin --benchmark ijb-c=IJBC --convention all
    faceassay evaluate --benchmark cfp-fp=cfp_fp.bin --list-images
    faceassay evaluate --embeddings cfp_fp.npz --benchmark cfp-fp=cfp_fp.bin --json cfp_fp.json
    """
    from faceassay.torching import require_device

    protocols = named_protocols(benchmarks, conventions)
    if list_images:
        _print_names(protocols)
        return
    said = {name: value for name, value in stated.items() if value is not None}
    _check(recognizer, embeddings, said)
    require_device(device)
    if json_path is not None:
        writable(json_path.resolve().parent, "--json FILE")
    plan = _planned(protocols, recognizer, embeddings, said, threads, device)
    document = _run(plan, opened(store), device, quiet)
    if json_path is not None:
        json_path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    _show(document)
    sys.exit(1 if any("failure" in part for part in document["benchmarks"].values()) else 0)


def _check(recognizer: Path | None, embeddings: Sequence[str], stated: Mapping[str, Any]) -> None:
    """Refuse options that contradict one another."""
    from faceassay.contracts import FaceassayError

    if (recognizer is None) == (not embeddings):
        raise FaceassayError("give either --recognizer PATH or --embeddings FILE")
    if embeddings and stated:
        options = ", ".join("--" + name.replace("_", "-") for name in stated)
        raise FaceassayError(f"--embeddings are made already: leave out {options}")


def _print_names(protocols: Sequence[tuple[str, EvaluationProtocol]]) -> None:
    from faceassay.contracts import FaceassayError

    if len(protocols) != 1:
        raise FaceassayError("--list-images prints the images of one benchmark: give one")
    for names in each(protocols, lambda _, protocol: protocol.reader().open(None).names):
        click.echo("\n".join(names))


def _planned(
    protocols: Sequence[tuple[str, EvaluationProtocol]],
    recognizer: Path | None,
    embeddings: Sequence[str],
    stated: Mapping[str, Any],
    threads: int,
    device: str,
) -> AssayPlan:
    """Open what the user brought, then the packs, which may take longer."""
    from faceassay.assay import AssayPlan
    from faceassay.brought.embeddings import BroughtEmbeddings

    plan = AssayPlan(threads)
    if recognizer is not None:
        brought = _brought(recognizer, stated)
        brought.open(device, threads)  # what cannot embed is refused before packs are read for minutes
        for column in opened_columns(protocols):
            plan.embed(column, brought, check=brought.preprocessing is not None)
    else:
        paths = _matched([name for name, _ in protocols], embeddings)
        for column, path in zip(opened_columns(protocols), paths, strict=True):
            plan.score(column, BroughtEmbeddings.of(path.expanduser().absolute(), column.pack.images))
    return plan


def _brought(recognizer: Path, stated: Mapping[str, Any]) -> BroughtRecognizer:
    from faceassay.brought.opening import BroughtRecognizer
    from faceassay.brought.preprocessing import Preprocessing

    prepared = {name: stated[name] for name in ("colour", "mean", "std") if name in stated}
    rest = {name: value for name, value in stated.items() if name not in prepared}
    preprocessing = Preprocessing(**prepared) if prepared else None
    return BroughtRecognizer.of(recognizer.expanduser().absolute(), preprocessing=preprocessing, **rest)


def _matched(names: Sequence[str], embeddings: Sequence[str]) -> list[Path]:
    """Return the file of embeddings of each benchmark."""
    from faceassay.contracts import FaceassayError

    if len(names) == len(embeddings) == 1:
        return [Path(embeddings[0].removeprefix(f"{names[0]}="))]
    named = dict(text.split("=", 1) for text in embeddings if "=" in text)
    if set(named) != {*names} or len(named) != len(embeddings):
        wanted = " ".join(f"--embeddings {name}=FILE" for name in names)
        raise FaceassayError(f"give the embeddings of each benchmark by its name: {wanted}")
    return [Path(named[name]) for name in names]


def _run(plan: AssayPlan, store: Store, device: str, quiet: bool) -> dict[str, Any]:
    from faceassay.assay import results_document
    from faceassay.contracts import Resources
    from faceassay.registry import load_plugins
    from faceassay.run import Surroundings, Watchers, run_graph

    registry = load_plugins()
    executor: Any = registry.get("executor", "serial")
    progress: Any = registry.get("observer", "progress")
    observers = [] if quiet else [progress()]
    watchers = Watchers(observers, warn=lambda text: click.secho(f"warning: {text}", fg="yellow", err=True))
    try:
        failures = run_graph(plan.graph, Surroundings(store, executor(), Resources(device)), watchers)
    finally:
        watchers.tell("close")
    return results_document(plan.parts, store, failures)


def _show(document: Mapping[str, Any]) -> None:
    from faceassay.cli.scores import failure_lines, score_lines, warning_lines

    for line in score_lines(document):
        click.echo(line)
    for line in failure_lines(document):
        click.secho(line, fg="red", err=True)
    for line in warning_lines(document):
        click.secho(line, fg="yellow", err=True)
