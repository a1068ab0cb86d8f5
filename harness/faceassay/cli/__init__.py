"""Own the command line. Every command imports what it needs when it runs, so that help and lists are instant."""

from __future__ import annotations

import sys

import click

from faceassay.cli.audit import audit
from faceassay.cli.check import check
from faceassay.cli.claims import claims
from faceassay.cli.data import data
from faceassay.cli.evaluate import evaluate
from faceassay.cli.explain import explain
from faceassay.cli.figure import figure
from faceassay.cli.matrix import plan, report, run
from faceassay.cli.mlflow import mlflow
from faceassay.cli.new import new
from faceassay.cli.plugins import describe, list_plugins
from faceassay.cli.quality import quality
from faceassay.cli.store import store
from faceassay.cli.verify import verify
from faceassay.contracts import FaceassayError


class _Group(click.Group):
    """Turn an error of ours into one message without a traceback, and an interruption into a promise."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except FaceassayError as error:
            click.secho(str(error), fg="red", err=True)
            sys.exit(2)
        except KeyboardInterrupt:
            click.echo("interrupted: what is finished is kept; the same command goes on from here", err=True)
            sys.exit(130)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="faceassay")
def main() -> None:
    """Assay synthetic face data: methods by benchmarks, every number with its key."""


_ABOUT_PLUGINS = (list_plugins, describe, new, check)
_ABOUT_MATRICES = (plan, run, report, claims, explain, verify, figure, quality)
_BESIDE = (evaluate, data, store, audit, mlflow)
for command in (*_ABOUT_PLUGINS, *_ABOUT_MATRICES, *_BESIDE):
    main.add_command(command)
