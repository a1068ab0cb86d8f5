"""Own the account of one artifact: plugin, parameters, code, inputs back to the data, machine, cost; as lines."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from faceassay.provenance.known import SHOWN, Find, Known, text_of

WIDTH = 110
MEBIBYTE = 2**20


def origin_lines(known: Known, find: Find) -> Iterator[str]:
    """Yield what made an artifact, and from what, back to the data.

    Args:
        known: the artifact, or the stage that failed.
        find: how its inputs are looked up.
    """
    plugin = known.document["plugin"]
    yield f"{known.digest}"
    yield f"{known.title} ({known.kind})"
    if known.failure:
        yield f"  failed       {known.failure}"
    whose = f" of {known.record['distribution']}" if "distribution" in known.record else ""
    yield f"  plugin       {plugin['name']} {plugin['version']}{whose}"
    for name, value in plugin["parameters"].items():
        yield f"  parameter    {name}: {text_of(value, WIDTH)}"
    axes = ", ".join(f"{name} {value}" for name, value in known.document["axes"].items())
    yield f"  seed         {known.document['seed']}" + (f", derived from {axes}" if axes else "")
    for name in ("threads", "world"):
        if name in known.document:
            yield f"  {name:<12} {known.document[name]}"
    yield from _code(known)
    yield from _circumstances(known.record)
    yield from _files(known.record)
    yield "  made from" if known.inputs else "  made from    nothing"
    yield from _inputs(known, find, "    ", set())


def _code(known: Known) -> Iterator[str]:
    named = {known.document["plugin"]["source"]: "of the plugin", known.document["core"]: "of the core"}
    for digest in dict.fromkeys([*named, *known.code]):
        modules = known.code.get(digest)
        about = f"  code         {named.get(digest, 'that opens the inputs')}, {digest[:SHOWN]}"
        yield about + (f", {len(modules)} modules:" if modules else ": its modules were not recorded")
        yield from textwrap.wrap(", ".join(modules or ()), WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)


def _circumstances(record: Mapping[str, Any]) -> Iterator[str]:
    cost, machine = record.get("cost"), record.get("environment")
    if cost:
        attempts = f" in {cost['attempts']} attempts" if cost["attempts"] > 1 else ""
        yield f"  finished     {cost['finished']}, after {cost['seconds']:,.1f} s{attempts} on {cost['device']}"
        counts = {"network evaluations": cost["network_evaluations"], **cost["passes"]}
        told = "".join(f", {count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count)
        memory = f"at most {cost['peak_memory_bytes'] / MEBIBYTE:,.0f} MiB"
        yield f"  cost         {cost['work']:,} {cost['unit']}{told}, {memory}"
    if machine:
        yield f"  machine      {machine['processor']}, {machine['cores']} cores, {machine['platform']}"
        versions = {"Python": machine["python"], **machine["packages"]}
        yield "  versions     " + ", ".join(f"{name} {version}" for name, version in versions.items() if version)


def _files(record: Mapping[str, Any]) -> Iterator[str]:
    absent = record.get("given_up", ())
    for name, described in record.get("files", {}).items():
        size = "given up" if name in absent else f"{described['bytes']:,} bytes"
        yield f"  file         {name}, {size}, sha256 {described['sha256'][:SHOWN]}"


def _inputs(known: Known, find: Find, indent: str, told: set[str]) -> Iterator[str]:
    """Yield the tree of inputs; what was opened before is named, not opened again."""
    for name, document in known.inputs.items():
        digest = document.get("stage")
        if digest is None:
            yield f"{indent}{name}: {given_text(document)}"
            continue
        source = find(digest)
        title = source.title if source else "not in this store"
        again = ", as above" if digest in told and source and source.inputs else ""
        yield f"{indent}{name}: {digest[:SHOWN]} {title}{again}"
        if source and digest not in told:
            told.add(digest)
            yield from _inputs(source, find, indent + "  ", told)


def given_text(document: Mapping[str, Any]) -> str:
    """Return what the key says of an input that no stage made: data, a pack, a recognizer that was brought."""
    match document:
        case {"data": {"plugin": plugin, "identities": people, "fingerprint": fingerprint}}:
            return f"data, {plugin['name']} {plugin['version']}, {len(people)} identities, fingerprint {fingerprint}"
        case {"pack": {"reader": reader, "fingerprint": fingerprint, "data": data}}:
            source = f", of {given_text(data)}" if data else ""
            return f"benchmark, {reader['name']} {reader['version']}, fingerprint {fingerprint}{source}"
        case {"validation": {"data": data}}:
            return f"validation by {given_text(data)}"
    return text_of(document, WIDTH)
