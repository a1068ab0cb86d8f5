"""Own what a check is: a sentence of a contract, the test of it, and what came of the test. Knows no plugin kind."""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce
from pathlib import Path
from typing import Any
from unittest import SkipTest

from faceassay import contracts
from faceassay.testing.disturbance import watched
from faceassay.testing.subject import Subject

HERE = Path(__file__).parent
CORE = HERE.parent


class BrokenContract(AssertionError):
    """Report that a plugin does not do what its contract says."""


class Status(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    EXPECTED_FAILURE = "expected failure"
    UNEXPECTEDLY_PASSED = "unexpectedly passed"


@dataclass(frozen=True)
class CheckResult:
    """Say what came of one check.

    Attributes:
        check: name of the check.
        contract: the sentence of the contract that it tests.
        line: where that sentence stands, FILE:LINE.
        status: what came of it.
        message: what is wrong and what to do, or why it was skipped or was expected to fail; empty where it passed.
    """

    check: str
    contract: str
    line: str
    status: Status
    message: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing has to be done about it."""
        return self.status not in (Status.FAILED, Status.UNEXPECTEDLY_PASSED)


@dataclass(frozen=True)
class Check:
    """Test one sentence of a contract.

    Attributes:
        name: of the check.
        of: the part of the contracts in whose docstring the sentence stands, such as ``Augmentation.render``.
        contract: the sentence, word for word.
        remedy: what to do where it is broken.
        examine: the test; raises BrokenContract, or whatever the plugin raises.
    """

    name: str
    of: str
    contract: str
    remedy: str
    examine: Callable[[Any], None]

    @property
    def line(self) -> str:
        """Where the sentence stands, FILE:LINE within the distribution."""
        part: Any = reduce(getattr, self.of.split("."), contracts)
        file = Path(inspect.getsourcefile(part) or "")
        lines, first = inspect.getsourcelines(part)
        found = re.search(r"\s+".join(map(re.escape, self.contract.split())), "".join(lines))
        if found is None:
            raise LookupError(f"the contract {self.of} does not say {self.contract!r}")
        number = first + "".join(lines)[: found.start()].count("\n")
        return f"{file.relative_to(CORE.parent).as_posix()}:{number}"

    def __call__(self, subject: Subject) -> None:
        """Test ``subject``.

        Raises:
            BrokenContract: with what is wrong, the sentence, its place, and what to do.
            SkipTest: where there is nothing to test.
        """
        try:
            with watched(0):  # whatever the plugin does to the process is undone behind it
                self.examine(subject)
        except SkipTest:
            raise
        except BrokenContract as error:
            raise BrokenContract(self.told(str(error))) from error
        except Exception as error:
            raise BrokenContract(self.told(in_one_line(error))) from error

    def told(self, problem: str) -> str:
        """Return a message of what is wrong, with the sentence that is broken and what to do."""
        return f"{problem}. The contract {self.of} ({self.line}) says: {self.contract} Do this: {self.remedy}"

    def result(self, subject: Subject, expected_failures: Mapping[str, str] | None = None) -> CheckResult:
        """Test ``subject`` and return what came of it."""
        found = CheckResult(self.name, self.contract, self.line, Status.PASSED)
        reason = (expected_failures or {}).get(self.name)
        try:
            self(subject)
        except SkipTest as skipped:
            return replace(found, status=Status.SKIPPED, message=str(skipped))
        except BrokenContract as broken:
            if reason is not None:
                return replace(found, status=Status.EXPECTED_FAILURE, message=reason)
            return replace(found, status=Status.FAILED, message=str(broken))
        if reason is not None:
            said = f"it was expected to fail ({reason}) and passes: take it off the expected failures"
            return replace(found, status=Status.UNEXPECTEDLY_PASSED, message=said)
        return found


def check(of: str, says: str, *, do: str) -> Callable[[Callable[[Any], None]], Check]:
    """Make a check of a function, whose name it takes: it tests the sentence ``says`` of the contract ``of``."""

    def made(examine: Callable[[Any], None]) -> Check:
        return Check(examine.__name__, of, says, do, examine)

    return made


def require(holds: bool, problem: str) -> None:
    """Raise BrokenContract with ``problem`` unless ``holds``."""
    if not holds:
        raise BrokenContract(problem)


def in_one_line(error: Exception) -> str:
    """Return an error with the line of the plugin that raised it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame.filename)]
    where = f" at {frames[-1].filename}:{frames[-1].lineno}: `{frames[-1].line}`" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}{where}"


def _is_ours(file: str) -> bool:
    path = Path(file)
    return path.is_relative_to(CORE) or "site-packages" in path.parts or file.startswith("<")
