"""Own the checks of what every run of a plugin leaves as it was: its inputs, random states, torch's settings."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from faceassay.testing.checks import BrokenContract, Check, check, in_one_line, require
from faceassay.testing.disturbance import Disturbance
from faceassay.testing.subject import Subject


@dataclass(frozen=True)
class Conduct:
    """Say what a run left otherwise than it found it.

    Attributes:
        disturbances: what each method disturbed, by its name.
        changed: what it wrote into of what was handed over.
    """

    disturbances: Mapping[str, Sequence[Disturbance]]
    changed: Sequence[str] = ()


def manners(
    observed: Callable[[Subject], Conduct], with_frozen_inputs: Callable[[Subject], object]
) -> tuple[Check, ...]:
    """Return the checks that a run leaves alone what is not its own.

    Args:
        observed: tells of a run with arrays that can be written into.
        with_frozen_inputs: runs it again with arrays that cannot, to find the line that writes.
    """

    @check(
        "Plugin",
        "A plugin never writes into what it is handed.",
        do="copy before writing: x = x + 1 in place of x += 1, np.array(...) in place of np.asarray(...).",
    )
    def inputs_stay_as_they_are(subject: Subject) -> None:
        changed = " and ".join(dict.fromkeys(observed(subject).changed))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch warns of every array that cannot be written into
                with_frozen_inputs(subject)
        except (ValueError, RuntimeError) as error:
            raise BrokenContract(f"it writes into {changed or 'a read-only array'}: {in_one_line(error)}") from error
        require(not changed, f"it writes into {changed}")

    @check(
        "Plugin",
        "It neither seeds nor draws from the global random states of Python, NumPy and torch.",
        do="use faceassay.seeds.generator(seed, ...), or a torch.Generator().manual_seed(seed) of your own.",
    )
    def global_random_states_stay(subject: Subject) -> None:
        _require_none(observed(subject), lambda disturbance: disturbance.random)

    @check(
        "Plugin",
        "It leaves torch's settings as they are: threads, default dtype, gradients, determinism.",
        do="do not set them; use torch.no_grad() as a context or decorator, and give dtype= where a tensor is made.",
    )
    def torch_settings_stay(subject: Subject) -> None:
        _require_none(observed(subject), lambda disturbance: disturbance.torch)

    return inputs_stay_as_they_are, global_random_states_stay, torch_settings_stay


def _require_none(conduct: Conduct, kind: Callable[[Disturbance], Sequence[str]]) -> None:
    for method, disturbances in conduct.disturbances.items():
        names = dict.fromkeys(name for disturbance in disturbances for name in kind(disturbance))
        require(not names, f"{method} changed {' and '.join(names)}")
