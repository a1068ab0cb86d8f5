"""Time and memory of what has to be fast, beside references measured in the same process.

``python tests/bench/speed.py [CASE ...]`` runs every case in a process of its own, so that their memory does not mix,
prints the table and, unless cases are named, writes it into ``reports/speed.md``.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import generation
import metrics
import numpy as np
import readers
import recognizers
from measuring import GIB, Measured

REPORT = Path(__file__).resolve().parents[2] / "reports" / "speed.md"
CASES = {**metrics.CASES, **generation.CASES, **readers.CASES, **recognizers.CASES}


def table(lines: list[Measured]) -> str:
    rows = ["| work | ours | reference | ratio | wanted | holds | peak memory |", "|---|---:|---:|---:|---|---|---:|"]
    for line in lines:
        peak = "" if line.peak is None else f"{line.peak / GIB:.2f} GiB {line.peak_of}"
        cells = (line.work, f"{line.ours:.3f} s", f"{line.reference:.3f} s", line.ratio, line.wanted)
        rows.append(f"| {' | '.join(cells)} | {'yes' if line.holds else 'no'} | {peak} |")
    return "\n".join(rows) + "\n"


def report(lines: list[Measured]) -> str:
    return f"""# Speed and memory

Written by `nox -s bench` on {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, numpy
{np.__version__}, torch {version("torch")}. Every case runs in a process of its own, ours and the reference in turn in
the same process, medians of the repeats. Embeddings, images and weights are made up, at the sizes of the real ones.

{table(lines)}
{metrics.NOTES}{generation.NOTES}{readers.NOTES}{recognizers.NOTES}"""


def measured_apart(name: str) -> Measured:
    """Measure a case in a new process."""
    found = subprocess.run([sys.executable, __file__, "--here", name], check=True, stdout=subprocess.PIPE, text=True)
    return Measured(**json.loads(found.stdout))


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--here"]:
        sys.stdout.write(json.dumps(asdict(CASES[arguments[1]]())))
        return
    lines = []
    for name in arguments or CASES:
        lines.append(measured_apart(name))
        sys.stderr.write(f"{name}: {lines[-1].ratio}\n")
    if not arguments:
        REPORT.write_text(report(lines), encoding="utf-8")
    sys.stdout.write(table(lines) if arguments else report(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
