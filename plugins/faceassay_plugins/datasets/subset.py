"""Own the dataset plugin for a part of another set: the images that a file names, read where the whole set lies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from pydantic import PrivateAttr, ValidationError, ValidationInfo, model_validator

from faceassay import DataError, DataPath, DatasetPlugin, FaceassayError, FaceDataset, parameter
from faceassay.datasets import select_items
from faceassay.keys import plugin_document
from faceassay.registry import load_plugins
from faceassay.sets.subset import read_subset


class Subset(DatasetPlugin):
    """Open the images that a file of `faceassay data subset` names, in the order of the whole set.

    The whole set is opened as the file says, by whatever plugin; other parameters than those here are the file's.
    """

    name: ClassVar[str] = "subset"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "a part of another set, chosen by a rule and recorded: faceassay data subset"

    path: DataPath = parameter(description="the .json file that names the images")
    source: DataPath | None = parameter(None, description="where the whole set lies; none: where the file says")
    image_size: int | None = parameter(
        None, description="side of the decoded images; none: as the file says", unit="px", ge=8, le=1024
    )
    _whole: DatasetPlugin | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _find_the_whole(self, info: ValidationInfo) -> Subset:
        """Make the plugin of the whole set now, so that paths are looked up, or missed, with all others."""
        if self.path.exists():
            try:
                self._whole = self._named_source(info)
            except FaceassayError as error:
                raise ValueError(str(error)) from error
        return self

    def open(self) -> FaceDataset:
        """Open the whole set and show the chosen images.

        Raises:
            DataError: when the whole set cannot be used, or lacks chosen images: all of them are named.
        """
        if self._whole is None:
            raise DataError(f"{self.path} is not there: bring the file")
        whole = self._whole.open()
        try:
            return select_items(whole, read_subset(self.path).items, json.dumps(plugin_document(self._whole)))
        except DataError as error:
            raise DataError(f"{self.path}: {error}. The whole set is not the one it was chosen from") from error

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Tell whether ``path`` is a file called .json."""
        return path.is_file() and path.suffix == ".json"

    def _named_source(self, info: ValidationInfo) -> DatasetPlugin:
        """Return the plugin of the whole set; paths of the file are looked up beside it."""
        said = read_subset(self.path)
        own = {"path": self.source and str(self.source), "image_size": self.image_size}
        parameters = {**said.parameters, **{name: value for name, value in own.items() if value is not None}}
        cls: Any = load_plugins().get("dataset", said.plugin)
        try:
            whole: DatasetPlugin = cls.model_validate(
                parameters, context={**(info.context or {}), "folder": str(self.path.parent)}
            )
            return whole
        except ValidationError as error:
            faults = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)]
            raise DataError(f"the whole set cannot be opened: {'; '.join(faults)} (say source: PATH)") from error
