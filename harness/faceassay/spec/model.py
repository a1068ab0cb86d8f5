"""Own the shape of a spec: what a matrix file may say. Plugins' own parameters are validated by the reader."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from faceassay.contracts import DataPath, DatasetCard
from faceassay.quality import ImageQuality
from faceassay.unions import Balance, People

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ,.+_()=/-]{0,79}$")]
"""A name for people: letters, digits, blanks and , . + _ ( ) = / -"""
Slug = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A name that is also part of file names and metric names."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Choice = dict[str, Any]
"""``plugin: NAME`` beside the plugin's parameters."""


def _known_schema(version: int) -> int:
    if version != 1:
        raise ValueError("this version of faceassay reads schema 1")
    return version


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Expected(_Part):
    """What a benchmark holds: planned with where its files are not there, compared where they are."""

    images: int = Field(ge=1)
    image_size: int = Field(ge=8, description="side in pixels")


class ExpectedData(Expected):
    """What an entry of ``data`` holds."""

    identities: int = Field(ge=1)


class MethodEntry(_Part):
    """One row: how a training set is made and a recognizer trained on it."""

    name: Name
    group: Literal["FR_syn", "FR_real", "FR_mix"] = Field(description="synthetic only, real only, or both")
    aux: str = Field("", description="auxiliary models or data that the method needs, as the papers' Aux column")
    augmentation: Choice | None = Field(None, description="the synthetic set; none for a real-only row")
    data: Slug | None = Field(
        None, description="an entry of ``data`` in place of the augmentation, or in a real-only row of ``train``"
    )
    generator: dict[str, Any] = Field(
        default_factory=dict, description="the generator of this row, or overrides of the matrix's"
    )
    recognizer: dict[str, Any] = Field(default_factory=dict, description="overrides of the recognizer's parameters")
    match_updates: Name | None = Field(None, description="train for as many optimizer steps as this row")
    people: People | None = Field(
        None,
        description="in a mixed row: whether real and synthetic people of one name are one class (joined) or not "
        "(apart); by default joined, unless the only names that two sets of data share are numbers",
    )
    balance: Balance = Field(
        "images",
        description="in a mixed row: an epoch has every image once (images), or as many real as synthetic ones, those "
        "of the smaller set repeated (sources)",
    )
    note: str = Field("", description="a footnote of the table")


class BenchmarkEntry(_Part):
    """One column group: a protocol with its data."""

    name: Slug
    data: Slug | None = Field(None, description="name of an entry of ``data``; none where the protocol has a path")
    protocol: Choice
    expect: Expected | None = Field(None, description="what it holds; its files may then be absent")
    card: DatasetCard = Field(default_factory=DatasetCard, description="where its images are from; in no key")


class BroughtEntry(_Part):
    """A trained recognizer: a TorchScript or ONNX file, or the folder of one in a store."""

    path: DataPath
    colour: Literal["rgb", "bgr"] = Field("rgb", description="colour order that the network takes")
    mean: float = Field(127.5, description="grey level that becomes 0")
    std: float = Field(127.5, gt=0, description="grey levels that become 1")
    image_size: int | None = Field(None, ge=8, description="side that the network takes, where its file does not say")
    output: str | None = Field(None, description="the output that is the embedding, where an ONNX network has several")


class ValidationEntry(_Part):
    """What chooses the checkpoint of every recognizer that rows train and methods look through."""

    data: Slug = Field(description="an entry of ``data``: people that nothing is trained or tested on")
    checks: int = Field(
        20, ge=2, le=1000, description="checkpoints to choose from, evenly spaced, the last one among them"
    )
    pairs: int = Field(
        10_000,
        ge=1,
        le=100_000,
        description="measured are all pairs of one person and of two, or a fixed sample of so many of each",
    )


class MemberEntry(_Part):
    """One of the numbers that an average is the mean of."""

    benchmark: Slug
    metric: str = Field(description="metric identity, or its part before the first slash where that is unambiguous")


class AverageEntry(_Part):
    """A column that is the mean of others."""

    name: Name
    of: list[MemberEntry] = Field(min_length=2)
    mixes_units: bool = Field(False, description="admit that unlike metrics are averaged; a footnote says so")
    note: str = Field("", description="a footnote of the table")


class PublishedEntry(_Part):
    """Numbers that a paper prints for rows and columns of this matrix, and when ours can be compared with them."""

    path: str = Field(description="CSV file beside the matrix: row, column, metric, value, unit, source, note")
    comparable_in: Slug | None = Field(
        None, description="the profile whose data are the paper's; none: the file as it is"
    )
    unstated: list[str] = Field(
        default_factory=list, description="what the paper leaves open that changes its numbers; with any, no verdict"
    )


class Spec(_Part):
    """A matrix: methods by benchmarks by seeds."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Annotated[int, AfterValidator(_known_schema)] = Field(
        alias="schema", description="version of this file format"
    )
    name: Slug
    title: str = ""
    notes: list[str] = Field(default_factory=list, description="what a reader must know, printed under the table")
    base_seed: Seed = 0
    seeds: list[Seed] = Field(min_length=1, description="seeds of recognizer and synthesis")
    generator_seed: Seed = Field(0, description="seed of the generator")
    generator_seeds: list[Seed] | None = Field(
        None, min_length=1, description="in its place: seeds of several generators, which ``seeds`` use in turn"
    )
    threads: int = Field(2, ge=1, le=256, description="CPU threads of every stage; part of the keys")
    world: int = Field(
        1,
        ge=1,
        le=64,
        description="processes, one for each GPU, that train a generator or recognizer together; in keys",
    )
    data: dict[Slug, Choice] = Field(min_length=1)
    train: Slug = Field(description="name of the entry of ``data`` that everything is trained on")
    generator: Choice | None = None
    attributes: list[Choice] = Field(default_factory=list, description="what tells the attributes of the real images")
    recognizer: Choice
    validation: ValidationEntry | None = Field(
        None, description="the images that choose the checkpoints of recognizers; without it the last one is kept"
    )
    original: BroughtEntry | None = Field(
        None, description="a trained recognizer that methods look through, in place of one trained on ``train``"
    )
    judge: dict[str, Any] | None = Field(
        None,
        description="the recognizer that the dataset quality report looks through: one to train (plugin, its "
        "parameters, and ``data``, by default ``train``), or a trained one as in ``original``",
    )
    held_out: Slug | None = Field(
        None, description="an entry of ``data``: real people that nothing was trained on, the judge included"
    )
    quality: ImageQuality = Field(default_factory=ImageQuality, description="how synthetic images are measured")
    methods: list[MethodEntry] = Field(min_length=1)
    benchmarks: list[BenchmarkEntry] = Field(min_length=1)
    averages: list[AverageEntry] = Field(default_factory=list, description="columns that are means of others")
    published: PublishedEntry | None = None
    baseline: Name | None = Field(None, description="the row that the others are compared with; the first by default")
    profiles: dict[Slug, dict[str, Any]] = Field(default_factory=dict, description="named overrides of sizes")

    @property
    def generators(self) -> list[int]:
        """Seeds of the generators, one for each training of a generator."""
        return self.generator_seeds or [self.generator_seed]
