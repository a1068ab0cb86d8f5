"""Render a plan block by block. A killed stage keeps its finished blocks; any worker makes the same bytes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from faceassay.contracts import Augmentation, FaceassayError, FaceDataset, ImageBatch, Sources, StageContext
from faceassay.seeds import row_noise
from faceassay.shards import ShardDataset, assemble, block_is_complete, write_block
from faceassay.stages.plan import StoredPlan


def run(plugin: Augmentation, sources: Sources, context: StageContext) -> None:
    """Render the blocks that are missing and join all into tar shards."""
    stored: StoredPlan = sources.open("plan")
    plan, total = stored.plan, len(stored.plan)
    for index in missing_blocks(stored, context.scratch):
        context.progress(index * plan.block_size, total)
        render_block(plugin, sources, stored, index, context.scratch)
    blocks = [block_path(context.scratch, index) for index in range(plan.blocks)]
    assemble(blocks, context.folder, plan.identities)
    for facts in filter(None, map(_cost_of, blocks)):
        context.count_evaluations(facts["evaluations"])
        context.count_passes(facts["passes"])
    context.progress(total, total)


def load(plugin: Augmentation, folder: Path, device: str) -> FaceDataset:
    """Open the synthetic images."""
    return ShardDataset(folder)


def block_path(scratch: Path, index: int) -> Path:
    """Return where block ``index`` is kept until the synthesis is complete."""
    return scratch / "blocks" / f"block-{index:06d}.tar"


def missing_blocks(stored: StoredPlan, scratch: Path) -> list[int]:
    """Return the numbers of the blocks that are still to be rendered."""
    paths = {index: block_path(scratch, index) for index in range(stored.plan.blocks)}
    return [index for index, path in paths.items() if _cost_of(path) is None or not block_is_complete(path)]


def render_block(plugin: Augmentation, sources: Sources, stored: StoredPlan, index: int, scratch: Path) -> None:
    """Render one block into ``scratch``.

    Raises:
        FaceassayError: when the plugin returns anything but uint8 RGB images, one per row.
    """
    block = stored.plan.block(index)
    noise = row_noise(stored.noise[block.start : block.start + len(block)], sources.real.image_size)
    started, before = time.monotonic(), _evaluations(sources)
    images = plugin.render(sources, block, noise)
    _check_images(plugin, images, len(block), sources.real.image_size)
    path = block_path(scratch, index)
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "evaluations": _evaluations(sources) - before,
        "passes": dict(sources.passes),
        "seconds": time.monotonic() - started,
    }
    sources.passes.clear()  # they are counted from here on with the block
    _facts(path).write_text(json.dumps(facts))
    write_block(path, block.start, images, block.labels)


def _evaluations(sources: Sources) -> int:
    return sources.generator.evaluations if "generator" in sources else 0


def _facts(path: Path) -> Path:
    return path.with_suffix(".json")


def _cost_of(path: Path) -> dict[str, Any] | None:
    """Return the network evaluations and other passes of a block, None where they were not written to the end."""
    try:
        facts = json.loads(_facts(path).read_text())
        return {"evaluations": int(facts["evaluations"]), "passes": dict(facts["passes"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _check_images(plugin: Augmentation, images: ImageBatch, rows: int, size: int) -> None:
    shape = getattr(images, "shape", None)
    if str(getattr(images, "dtype", None)) != "uint8" or shape != (rows, size, size, 3):
        raise FaceassayError(
            f"augmentation {plugin.name!r} rendered {type(images).__name__} {shape} {getattr(images, 'dtype', '')}: "
            f"render() must return uint8 [{rows}, {size}, {size}, 3] RGB"
        )
