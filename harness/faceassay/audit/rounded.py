"""Own arithmetic with printed numbers: each is known to half a unit of its last digit. Reads no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction


@dataclass(frozen=True)
class Rounded:
    """Hold a number that is known within limits, exactly.

    Attributes:
        value: what the printed digits give.
        low, high: between which the unrounded number lies, both included, since papers round ties either way.
    """

    value: Fraction
    low: Fraction
    high: Fraction

    def __sub__(self, other: Rounded) -> Rounded:
        """Return the difference of two numbers that were rounded apart."""
        return Rounded(self.value - other.value, self.low - other.high, self.high - other.low)

    def __abs__(self) -> Rounded:
        """Return the distance from zero."""
        ends = (abs(self.low), abs(self.high))
        lowest = Fraction(0) if self.low <= 0 <= self.high else min(ends)
        return Rounded(abs(self.value), lowest, max(ends))

    def scaled(self, factor: Fraction | int) -> Rounded:
        """Return ``factor`` times the number, for a factor above zero."""
        return Rounded(factor * self.value, factor * self.low, factor * self.high)

    def meets(self, other: Rounded) -> bool:
        """Return whether one unrounded number can stand behind both."""
        return self.low <= other.high and other.low <= self.high


def rounded(text: str, factor: Fraction | int = 1) -> Rounded | None:
    """Return ``factor`` times the number that is printed as ``text``; None where it is no number.

    ``92.5`` is known from 92.45 to 92.55, ``92.50`` from 92.495 to 92.505.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        return None
    half = Fraction(10) ** exponent / 2
    return Rounded(Fraction(number), Fraction(number) - half, Fraction(number) + half).scaled(factor)


def mean(numbers: Sequence[Rounded]) -> Rounded:
    """Return the mean of numbers that were rounded apart."""
    count = len(numbers)
    return Rounded(
        sum((number.value for number in numbers), Fraction(0)) / count,
        sum((number.low for number in numbers), Fraction(0)) / count,
        sum((number.high for number in numbers), Fraction(0)) / count,
    )


def relative_gain(number: Rounded, over: Rounded) -> Rounded:
    """Return 100 (number - over) / over, in percent, for numbers above zero.

    The quotient rises with ``number`` and falls with ``over``, so that its limits lie at those of the two.
    """
    return Rounded(
        100 * (number.value / over.value - 1), 100 * (number.low / over.high - 1), 100 * (number.high / over.low - 1)
    )


def beyond(difference: Rounded, spreads: Sequence[Rounded], factor: int) -> bool | None:
    """Return whether a difference exceeds ``factor`` standard deviations of it, that is of independent ``spreads``.

    The standard deviation of a difference is the root of the sum of squares. None where rounding leaves it open.
    """
    size = abs(difference)
    if size.low**2 > factor**2 * sum(spread.high**2 for spread in spreads):
        return True
    if size.high**2 <= factor**2 * sum(max(spread.low, Fraction(0)) ** 2 for spread in spreads):
        return False
    return None


def is_share(number: Rounded, count: int) -> bool:
    """Return whether a percentage can be a whole number of ``count`` cases."""
    least = -((-number.low * count) // 100)
    return least * 100 <= number.high * count
