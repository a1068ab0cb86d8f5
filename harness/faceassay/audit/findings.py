"""Own the form of what an audit finds: a line for each thing that was checked. Finds nothing itself."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from fractions import Fraction


@dataclass(frozen=True)
class Finding:
    """Hold one line.

    Attributes:
        check: which check it is of.
        source: table, paper or place in a text.
        row: what the number is of.
        column: which number.
        printed: as the source has it.
        computed: what it should be, or what it is set beside.
        difference: printed minus computed, or one row minus another, in percentage points unless said otherwise.
        verdict: in a few words.
        detail: what its reader must know.
    """

    check: str
    source: str
    row: str = ""
    column: str = ""
    printed: str = ""
    computed: str = ""
    difference: str = ""
    verdict: str = ""
    detail: str = ""

    def cells(self) -> tuple[str, ...]:
        """Return the line as texts."""
        return astuple(self)


COLUMNS = tuple(field.name for field in fields(Finding))


def digits(number: Fraction, places: int = 2, sign: bool = False) -> str:
    """Return a number with ``places`` decimals, rounded half away from zero, exactly."""
    units = abs(number) * 10**places
    whole, rest = divmod(int(2 * units + 1) // 2, 10**places)
    text = f"{whole}.{rest:0{places}d}" if places else str(whole)
    if number < 0 and (whole or rest):
        return f"-{text}"
    return f"+{text}" if sign else text
