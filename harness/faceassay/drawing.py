"""Own how pictures look and what keeps equal ones equal in bytes. What they show is others' business."""

from __future__ import annotations

from typing import Any

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#3b3b3b", "#8c6d31")
"""Mostly the palette of Okabe and Ito, which people with a colour vision deficiency can tell apart."""
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none", "font.size": 10, "text.parse_math": False, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False,
}  # fmt: skip
"""Matplotlib's, together with a ``svg.hashsalt``; formulas are off since a method's name may hold a dollar sign."""
NO_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
}
"""By format, what Matplotlib would say of when and by what a picture was made."""
