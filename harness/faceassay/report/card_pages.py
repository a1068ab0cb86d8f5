"""Own the renderings of the cards: ``cards.md`` for people, without seconds, and ``cards.json`` with all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from faceassay.contracts.running import PASSES
from faceassay.report.cards import NOT_STATED, Card, StageCost
from faceassay.report.plain import escaped, grid
from faceassay.report.words import title
from faceassay.results import Results

MARKDOWN, JSON = "cards.md", "cards.json"
LINK = "Cards of all image sets: source, licence, consent, provenance, cost"
SCHEMA = 1
"""Version of ``cards.json``."""
COST_NOTE = (
    "Cost of all seeds together. A stage that several sets need is counted whole in the card of each. Training images "
    "are no network evaluations; seconds are in cards.json and cost.csv."
)
UNKNOWN = "no record"


def cards_markdown(results: Results, cards: Sequence[Card]) -> str:
    """Return the cards for people; the same for the same store, whatever the time or the machine."""
    said = f"One card for each image set. What nobody stated says '{NOT_STATED}'; `card:` in a spec states it."
    parts = [f"# Cards: {escaped(title(results))}", said]
    for card in cards:
        lines = [f"- **{about}**: {escaped(text)}" for about, text in _facts(card)]
        parts += [f"## {escaped(card.title)}", "\n".join(lines)]
        parts += [_cost_grid(card), COST_NOTE] if card.costs else []
    return "\n\n".join(parts) + "\n"


def cards_json(results: Results, cards: Sequence[Card]) -> str:
    """Return the cards for programs; seconds stand under ``cost``."""
    matrix = results.matrix
    document = {
        "schema": SCHEMA,
        "matrix": matrix.spec.name,
        "profile": matrix.profile,
        "cards": [_document(card) for card in cards],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _facts(card: Card) -> Iterator[tuple[str, str]]:
    yield from (("Used", text) for text in card.uses or ("by nothing in this matrix",))
    yield from ((name.capitalize(), text) for name, text in card.stated.items() if text)
    yield from (("Provenance", text) for text in card.provenance)
    yield from (("Auxiliary models and data", text) for text in card.auxiliary)
    identities = "unknown" if card.identities is None else f"{card.identities:,}"
    each = " for each seed" if card.kind == "synthetic" else ""
    yield "Content", f"{card.images:,} images{each}, identities: {identities}, {card.image_size} px"
    yield from (("sha256", f"{digest} ({of})") for of, digest in card.content.items())
    if not card.content:
        yield "sha256", "none: there are no images"


def _cost_grid(card: Card) -> str:
    total = card.total()
    atleast = "" if card.complete else ", at least"
    rows = [_cost_row(cost, cost.title) for cost in card.costs] + [_cost_row(total, f"total{atleast}")]
    return grid(("Stage", "Work", "Network evaluations", *(name.replace("_", " ") for name in PASSES)), rows, (0, 1))


def _cost_row(cost: StageCost, name: str) -> list[str]:
    known = cost.evaluations is not None and cost.passes is not None
    passes = [f"{(cost.passes or {}).get(kind, 0):,}" if known else UNKNOWN for kind in PASSES]
    return [name, f"{cost.work:,} {cost.unit}", f"{cost.evaluations:,}" if known else UNKNOWN, *passes]


def _document(card: Card) -> dict[str, object]:
    facts = asdict(card)
    stages = facts.pop("costs")
    cost = {"complete": card.complete, "total": asdict(card.total()), "stages": stages}
    return facts | {"cost": cost if stages else None}
