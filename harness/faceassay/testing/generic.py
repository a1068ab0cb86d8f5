"""Own the checks of what every plugin promises: its parameters and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator

import yaml
from pydantic import ValidationError

from faceassay.contracts import Plugin
from faceassay.keys import code_digest, digest, plugin_document
from faceassay.spec.yaml import read_yaml
from faceassay.testing.checks import BrokenContract, check, require
from faceassay.testing.subject import Subject

STRANGER = "no_such_parameter"


@check(
    "Plugin",
    "Parameters come back from a spec unchanged, under the same key.",
    do="let every parameter be of a type that YAML can hold, without a default that its own validator changes.",
)
def parameters_survive_a_spec(subject: Subject) -> None:
    """Write the parameters as a spec does, read them, and compare plugin and key."""
    plugin: Plugin = subject.plugin
    file = subject.folder() / "matrix.yaml"
    file.write_text(yaml.safe_dump(plugin.model_dump(mode="json"), sort_keys=False))
    located = read_yaml(file)
    require(not located.problems, f"the parameters cannot be read: {'; '.join(map(str, located.problems))}")
    again = type(plugin).model_validate(located.data)
    documents = [plugin_document(one, code_digest(subject.cls)) for one in (plugin, again, plugin)]
    require(again == plugin, f"what is read is another plugin: {again!r} in place of {plugin!r}")
    require(
        len({digest(one) for one in documents}) == 1,
        f"its key is another one: {documents[1]} in place of {documents[0]}",
    )


@check(
    "Plugin",
    "A parameter that the plugin does not have is refused.",
    do="leave model_config alone, or set extra='forbid' in it.",
)
def unknown_parameters_are_refused(subject: Subject) -> None:
    """Give one parameter too many."""
    try:
        subject.cls.model_validate({**subject.plugin.model_dump(), STRANGER: 1})
    except ValidationError as error:
        refused = any(STRANGER in one["loc"] for one in error.errors(include_url=False))
        require(refused, f"it refuses its own parameters: {error.errors(include_url=False)}")
        return
    raise BrokenContract(f"{STRANGER}: 1 was taken without a word")


@check(
    "Plugin",
    "Carry the parameters of one plugin: its fields are its parameters, typed, bounded and described.",
    do="declare each with faceassay.parameter(default, description='...'), and let each preset make a valid plugin.",
)
def parameters_are_described(subject: Subject) -> None:
    """Look at every field, what the class says of itself, and every preset."""
    require(not list(_faults(subject)), "; ".join(_faults(subject)))


def _faults(subject: Subject) -> Iterator[str]:
    cls = subject.cls
    yield from (
        f"parameter {name} has no description" for name, field in cls.model_fields.items() if not field.description
    )
    for name in ("name", "version", "summary"):
        text = getattr(cls, name, None)
        if not isinstance(text, str) or not text.strip() or "\n" in text:
            yield f"{name} is {text!r}, no line of text"
    if not cls.model_config.get("frozen"):
        yield "its parameters can be changed after it was made (frozen is off)"
    required = {name: getattr(subject.plugin, name) for name, field in cls.model_fields.items() if field.is_required()}
    for name, values in cls.presets.items():
        try:
            cls.model_validate({**required, **values})
        except ValidationError as error:
            yield f"preset {name}: {'; '.join(one['msg'] for one in error.errors(include_url=False))}"


GENERIC = (parameters_survive_a_spec, unknown_parameters_are_refused, parameters_are_described)
