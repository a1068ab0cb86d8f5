"""Own a plugin under check and what its checks share: a folder that goes with it, and what was made once for all."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from unittest import SkipTest

from faceassay.contracts import FaceassayError, Plugin, WritableDataset
from faceassay.hookspecs import KINDS
from faceassay.testing.faces import faces

Made = TypeVar("Made")


class Subject:
    """Hold a plugin under check.

    Args:
        given: an instance, or a class that offers one by ``example`` or needs no parameters.
    """

    def __init__(self, given: Plugin | type[Plugin]) -> None:
        self.given = given
        self.cls = given if isinstance(given, type) else type(given)
        self._made: dict[str, Any] = {}
        self._folders = 0

    @cached_property
    def kind(self) -> str:
        """Kind of the plugin: augmentation, generator, recognizer, ...

        Raises:
            FaceassayError: when it is none that can be checked.
        """
        kinds = [kind for kind, contract in KINDS.items() if issubclass(self.cls, contract)]
        if not kinds:
            raise FaceassayError(f"{self.cls.__qualname__} is a plugin of no kind: {', '.join(KINDS)}")
        return kinds[0]

    @cached_property
    def plugin(self) -> Any:
        """The instance."""
        return self.given if isinstance(self.given, Plugin) else example(self.given, self.folder())

    @cached_property
    def _root(self) -> TemporaryDirectory[str]:
        return TemporaryDirectory(prefix="faceassay-check-")

    def folder(self) -> Path:
        """Return a new empty folder, which goes when the subject does."""
        self._folders += 1
        folder = Path(self._root.name).resolve() / f"{self._folders:03d}"
        folder.mkdir()
        return folder

    def once(self, what: str, make: Callable[[], Made]) -> Made:
        """Return what ``make`` returned the first time.

        Raises:
            SkipTest: where that failed: whoever asked first has told of it.
        """
        if what not in self._made:
            self._made[what] = None
            self._made[what] = (make(),)
        if self._made[what] is None:
            raise SkipTest(f"{what} failed: see the check that says so")
        made: Made = self._made[what][0]
        return made


def example(cls: type[Plugin], folder: Path) -> Plugin:
    """Return a small instance of ``cls``: its own example, or a set that it wrote itself.

    Raises:
        FaceassayError: when it has required parameters and offers no example.
    """
    offers = cls.example.__func__ is not Plugin.example.__func__  # type: ignore[attr-defined]
    if not offers and issubclass(cls, WritableDataset):
        cls.write(faces(), folder / "set", lambda images: None)
        return cls.model_validate({"path": folder / "set"})
    required = [name for name, field in cls.model_fields.items() if field.is_required()]
    if required and not offers:
        raise FaceassayError(
            f"{cls.name} has required parameters: give {', '.join(f'--set {name}=VALUE' for name in required)}, "
            "or let the class offer a small instance by the class method 'example'"
        )
    return cls.example(folder)
