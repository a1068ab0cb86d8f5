"""Own the list of checks, in the order in which a report shows them."""

from __future__ import annotations

from faceassay.audit.agreement import (
    alike_findings,
    gain_findings,
    quotation_findings,
    recipe_findings,
    share_findings,
)
from faceassay.audit.averages import average_findings, definition_findings, earlier_findings, gap_findings
from faceassay.audit.comparisons import claim_findings, claim_number_findings, comparison_findings
from faceassay.audit.findings import Finding
from faceassay.audit.reading import Audited
from faceassay.audit.texts import order_findings, remark_findings, statement_findings

CHECKS = (
    average_findings, definition_findings, gap_findings, earlier_findings, quotation_findings, alike_findings,
    statement_findings, order_findings, share_findings, recipe_findings, gain_findings, claim_findings,
    claim_number_findings, comparison_findings, remark_findings,
)  # fmt: skip


def findings(audited: Audited) -> list[Finding]:
    """Return everything that is found, check by check."""
    return [finding for check in CHECKS for finding in check(audited)]
