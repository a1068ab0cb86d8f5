"""Draw formulas as MathML: browsers render it themselves, so a page needs neither script nor network."""

from __future__ import annotations

from typing import Any

from docutils.nodes import Element, SkipNode
from latex2mathml.converter import convert


def _inline(translator: Any, node: Element) -> None:
    translator.body.append(convert(node.astext()))
    raise SkipNode


def _block(translator: Any, node: Element) -> None:
    translator.body.append(f'<div class="formula">{convert(node.astext(), display="block")}</div>\n')
    raise SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer ``mathml``."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
