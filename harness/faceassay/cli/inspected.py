"""Own what ``data inspect`` says: one JSON object, and the same in lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faceassay.contracts import DatasetPlugin, FaceDataset
    from faceassay.sets.contents import Contents

_NAMED = 10


def described(plugin: DatasetPlugin, data: FaceDataset, found: Contents) -> dict[str, Any]:
    """Return what is known of a set as a JSON object."""
    import numpy as np

    from faceassay.sets.contents import across
    from faceassay.sets.summary import histogram, quartiles

    counts = np.bincount(data.labels, minlength=len(data.identities))
    several, single = (
        [[[data.item_ids[row], data.identities[data.labels[row]]] for row in group.tolist()] for group in groups]
        for groups in across(found.repeated, data.labels)
    )
    return {
        "plugin": plugin.name,
        "parameters": plugin.model_dump(mode="json"),
        "fingerprint": data.fingerprint,
        "images": len(data),
        "identities": len(data.identities),
        "images_per_identity": {"quartiles": quartiles(counts), "histogram": histogram(counts)},
        "examined": found.examined,
        "formats": dict(found.formats.most_common()),
        "sizes": dict(found.sizes.most_common()),
        "grey": found.grey,
        "same_image_of_several_identities": several,
        "same_image_of_one_identity": single,
    }


def lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the same for people."""
    parameters = ", ".join(f"{name}={value}" for name, value in document["parameters"].items())
    per_identity, examined = document["images_per_identity"], document["examined"]
    yield f"plugin       {document['plugin']} ({parameters})"
    yield f"fingerprint  {document['fingerprint']}"
    yield f"images       {document['images']:,}"
    yield f"identities   {document['identities']:,}"
    names = ("least", "quarter", "median", "three quarters", "most")
    shown = ", ".join(f"{name} {value:g}" for name, value in zip(names, per_identity["quartiles"], strict=True))
    yield f"images per identity: {shown}"
    yield "identities by number of images: " + _counted(per_identity["histogram"])
    share = "all" if examined == document["images"] else f"{examined:,} evenly chosen"
    yield f"of {share} images:"
    yield f"  formats  {_counted(document['formats'])}"
    yield f"  sizes    {_counted(document['sizes'])}"
    readable = sum(document["sizes"].values())
    yield f"  grey     {document['grey']:,} of {readable:,} ({100 * document['grey'] / max(readable, 1):.1f} %)"
    yield from _duplicates("same image of several identities", document["same_image_of_several_identities"])
    yield from _duplicates("same image twice of one identity", document["same_image_of_one_identity"])


def _duplicates(what: str, groups: list[Any]) -> Iterator[str]:
    yield f"  {what}: {len(groups):,}"
    for group in groups[:_NAMED]:
        yield "    " + " = ".join(f"{item} ({name})" for item, name in group)
    if len(groups) > _NAMED:
        yield f"    and {len(groups) - _NAMED:,} more"


def _counted(counts: Mapping[str, int]) -> str:
    named = [f"{name}: {count:,}" for name, count in list(counts.items())[: 2 * _NAMED]]
    return ", ".join(named) + (f" and {len(counts) - len(named)} more kinds" if len(counts) > len(named) else "")
