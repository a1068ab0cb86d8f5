"""Own the ways to run checks: as data, and as the parameters of a test. What is checked is in the modules of kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from faceassay.contracts import FaceassayError, Plugin
from faceassay.testing.attributes import ATTRIBUTE, FIGURE
from faceassay.testing.augmentations import IMAGES
from faceassay.testing.checks import Check, CheckResult
from faceassay.testing.datasets import DATASET
from faceassay.testing.generators import GENERATOR
from faceassay.testing.generic import GENERIC
from faceassay.testing.plans import PLANS
from faceassay.testing.protocols import PROTOCOL
from faceassay.testing.recognizers import RECOGNIZER
from faceassay.testing.subject import Subject

OF_A_KIND: Mapping[str, tuple[Check, ...]] = {
    "augmentation": (*IMAGES, *PLANS),
    "generator": GENERATOR,
    "recognizer": RECOGNIZER,
    "dataset": DATASET,
    "protocol": PROTOCOL,
    "attribute": ATTRIBUTE,
    "figure": FIGURE,
}


@dataclass(frozen=True, eq=False)
class BoundCheck:
    """Hold a check with the plugin that it is about; the checks of one plugin share what was made once."""

    check: Check
    subject: Subject

    def __call__(self) -> None:
        """Run the check, as ``Check.__call__`` does."""
        self.check(self.subject)

    def __str__(self) -> str:
        return f"{self.subject.kind}-{self.subject.cls.name}-{self.check.name}"


def checks_for(plugin: Plugin | type[Plugin]) -> tuple[Check, ...]:
    """Return the checks of a plugin: those of every plugin, then those of its kind.

    Raises:
        FaceassayError: when it is a plugin of no known kind.
    """
    return (*GENERIC, *OF_A_KIND.get(Subject(plugin).kind, ()))


def run_checks(
    plugin: Plugin | type[Plugin], *, expected_failures: Mapping[str, str] | None = None
) -> list[CheckResult]:
    """Check a plugin and return what came of every check.

    Args:
        plugin: an instance, or a class that needs no parameters or offers a small instance by ``example``.
        expected_failures: name of a check -> why the plugin does not pass it.

    Raises:
        FaceassayError: when there is no instance to check, or an expected failure names no check of the plugin.
    """
    subject, checks = Subject(plugin), checks_for(plugin)
    _refuse_unknown(expected_failures or {}, checks)
    subject.plugin  # noqa: B018 - what cannot be made cannot be checked
    return [check.result(subject, expected_failures) for check in checks]


def parametrize_with_checks(
    plugins: Iterable[Plugin | type[Plugin]], *, expected_failures: Mapping[str, str] | None = None
) -> Any:
    """Return the decorator that makes a test of every check of every plugin::

        @parametrize_with_checks([Swirl, Mirror(images=4)])
        def test_conforms(check):
            check()

    Args:
        plugins: as ``run_checks`` takes them.
        expected_failures: name of a check -> why these plugins do not pass it; a check that passes after all fails.

    Raises:
        FaceassayError: when an expected failure names no check.
    """
    import pytest

    subjects = [(Subject(plugin), checks_for(plugin)) for plugin in plugins]
    reasons = expected_failures or {}
    _refuse_unknown(reasons, [check for _, checks in subjects for check in checks])
    bound = [BoundCheck(check, subject) for subject, checks in subjects for check in checks]
    marked = [
        pytest.param(one, id=str(one), marks=pytest.mark.xfail(reason=reasons[one.check.name], strict=True))
        if one.check.name in reasons
        else pytest.param(one, id=str(one))
        for one in bound
    ]
    return pytest.mark.parametrize("check", marked)


def _refuse_unknown(expected_failures: Mapping[str, str], checks: Iterable[Check]) -> None:
    known = {check.name for check in checks}
    unknown = sorted(expected_failures.keys() - known)
    if unknown:
        raise FaceassayError(f"no check is called {', '.join(unknown)}; known: {', '.join(sorted(known))}")
