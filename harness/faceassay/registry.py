"""Own the loading of plugins: entry points to classes, each failure kept to the plugin that caused it.

Nothing is registered at import time; ``load_plugins`` returns a fresh registry.
"""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from faceassay import hookspecs
from faceassay.contracts import FaceassayError, Plugin

RESERVED_PARAMETERS = frozenset({"plugin", "preset", "identities", "expect", "card"})
"""Words of the spec that stand beside a plugin's parameters."""


@dataclass(frozen=True)
class Origin:
    """Say where a plugin comes from."""

    entry_point: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} (entry point {self.entry_point!r})"


@dataclass(frozen=True)
class BrokenPlugin:
    """Keep a plugin that could not be loaded, with the reason in one line and the traceback."""

    origin: Origin
    reason: str
    details: str


@dataclass(frozen=True)
class Registry:
    """Hold every plugin class by kind and name, and every plugin that failed."""

    classes: Mapping[tuple[str, str], type[Plugin]]
    origins: Mapping[tuple[str, str], Origin]
    broken: tuple[BrokenPlugin, ...] = ()

    def names(self, kind: str) -> list[str]:
        """Return the names of the plugins of ``kind``, sorted."""
        return sorted(name for known, name in self.classes if known == kind)

    def get(self, kind: str, name: str) -> type[Plugin]:
        """Return the class ``name`` of ``kind``.

        Raises:
            FaceassayError: when there is none, with the nearest names and with the plugins that failed to load.
        """
        if (kind, name) in self.classes:
            return self.classes[kind, name]
        raise FaceassayError(f"no {kind} plugin is called {name!r}{self._hint(kind, name)}")

    def find(self, name: str) -> list[tuple[str, type[Plugin]]]:
        """Return (kind, class) of every plugin called ``name``."""
        return [(kind, cls) for (kind, known), cls in self.classes.items() if known == name]

    def _hint(self, kind: str, name: str) -> str:
        known = self.names(kind)
        near = difflib.get_close_matches(name, known, n=2)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else f"; known: {', '.join(known) or 'none'}"
        failed = "; ".join(f"{plugin.origin} did not load: {plugin.reason}" for plugin in self.broken)
        return hint + (f". Note: {failed}" if failed else "")


@dataclass
class _Loading:
    manager: pluggy.PluginManager
    classes: dict[tuple[str, str], type[Plugin]] = field(default_factory=dict)
    origins: dict[tuple[str, str], Origin] = field(default_factory=dict)
    broken: list[BrokenPlugin] = field(default_factory=list)


def load_plugins(found: Iterable[EntryPoint] | None = None) -> Registry:
    """Load every entry point of the group ``faceassay``.

    The harness's own distribution comes first, the others in the order of their names, so that installing a package
    cannot displace a name that was there; whoever registers a name a second time is refused as a whole.
    """
    manager = pluggy.PluginManager("faceassay")
    manager.add_hookspecs(hookspecs)
    loading = _Loading(manager)
    points = entry_points(group=hookspecs.ENTRY_POINT_GROUP) if found is None else found
    for point, origin in sorted(((p, _origin(p)) for p in points), key=_order):
        _load(loading, point, origin)
    return Registry(loading.classes, loading.origins, tuple(loading.broken))


def _order(item: tuple[EntryPoint, Origin]) -> tuple[bool, str, str]:
    origin = item[1]
    return origin.distribution != "faceassay", origin.distribution, origin.entry_point


def _origin(point: EntryPoint) -> Origin:
    distribution = point.dist
    if distribution is None:
        return Origin(point.name, "unknown distribution", "?")
    return Origin(point.name, distribution.name, distribution.version)


def _load(loading: _Loading, point: EntryPoint, origin: Origin) -> None:
    plugin: Any = None
    try:
        plugin = point.load()
        loading.manager.register(plugin, name=f"{origin.distribution}:{origin.entry_point}")
        _check_hooks(loading.manager, plugin)
        offered = _offered_classes(loading.manager, plugin)
        _refuse_duplicates(loading, offered)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may fail in any way; it must stop nobody else
        if plugin is not None and loading.manager.is_registered(plugin):
            loading.manager.unregister(plugin)
        loading.broken.append(BrokenPlugin(origin, _one_line(error), traceback.format_exc()))
        return
    for key, cls in offered.items():
        loading.classes[key] = cls
        loading.origins[key] = origin


def _check_hooks(manager: pluggy.PluginManager, plugin: Any) -> None:
    known = [f"faceassay_{kind}s" for kind in hookspecs.KINDS]
    callers = manager.get_hookcallers(plugin) or []
    if not callers:
        raise FaceassayError(f"implements no hook: mark one with @faceassay.hookimpl; known hooks: {', '.join(known)}")
    for caller in callers:
        if not caller.has_spec():
            near = difflib.get_close_matches(caller.name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known hooks: {', '.join(known)}"
            raise FaceassayError(f"implements an unknown hook {caller.name!r}; {hint}")


def _offered_classes(manager: pluggy.PluginManager, plugin: Any) -> dict[tuple[str, str], type[Plugin]]:
    others = [other for other in manager.get_plugins() if other is not plugin]
    offered: dict[tuple[str, str], type[Plugin]] = {}
    for kind, contract in hookspecs.KINDS.items():
        for classes in manager.subset_hook_caller(f"faceassay_{kind}s", others)():
            if not isinstance(classes, Iterable):
                raise FaceassayError(f"hook faceassay_{kind}s returned {classes!r}, which is no list of classes")
            for cls in classes:
                key = (kind, _checked(cls, kind, contract).name)
                if key in offered:
                    raise FaceassayError(f"registers the {kind} {key[1]!r} twice")
                offered[key] = cls
    return offered


def _checked(cls: Any, kind: str, contract: type) -> type[Plugin]:
    if not (isinstance(cls, type) and issubclass(cls, contract) and issubclass(cls, Plugin)):
        raise FaceassayError(f"hook faceassay_{kind}s returned {cls!r}, which is no subclass of {contract.__name__}")
    missing = [name for name in ("name", "version", "summary") if not isinstance(getattr(cls, name, None), str)]
    if missing:
        raise FaceassayError(f"{cls.__qualname__} sets no class attribute {', '.join(missing)} (a text)")
    abstract = sorted(getattr(cls, "__abstractmethods__", ()))
    if abstract:
        raise FaceassayError(f"{cls.__qualname__} does not implement {', '.join(abstract)}")
    reserved = RESERVED_PARAMETERS & set(cls.model_fields)
    if reserved:
        raise FaceassayError(f"{cls.__qualname__} has a parameter {', '.join(sorted(reserved))}, a word of the spec")
    return cls


def _refuse_duplicates(loading: _Loading, offered: Mapping[tuple[str, str], type[Plugin]]) -> None:
    for kind, name in offered:
        if (kind, name) in loading.classes:
            raise FaceassayError(f"registers the {kind} {name!r}, which {loading.origins[kind, name]} has already")


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if isinstance(error, FaceassayError) else f"{type(error).__name__}: {text}"
