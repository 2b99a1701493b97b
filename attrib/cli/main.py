"""The entry point: the commands in the order of a day's work, and one line for everything that goes wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Any

import typer

from attrib.cli import (
    attribute,
    claims,
    devices,
    diagnose,
    fit,
    import_timings,
    measure,
    optimize,
    period,
    predict,
    run,
)
from harness.errors import AttribError

BAD_INPUT, INTERRUPTED = 2, 130

_BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

# Base of all complaints about a command line; the typed name differs between versions of typer.
_UsageError: Any = typer.BadParameter.__base__

app = typer.Typer(
    name="attrib",
    help="Attribute the ruggedness of GEMM throughput to its mechanisms, and remove what software can.",
    epilog="Commands are listed in the order of use; 'attrib COMMAND --help' shows an example of each.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"attrib {version('gemm-attrib')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(BAD_INPUT)


for _name, _command, _example in (
    ("devices", devices.devices, devices.EXAMPLE),
    ("measure", measure.measure, measure.EXAMPLE),
    ("import", import_timings.import_timings, import_timings.EXAMPLE),
    ("fit", fit.fit, fit.EXAMPLE),
    ("diagnose", diagnose.diagnose, diagnose.EXAMPLE),
    ("attribute", attribute.attribute, attribute.EXAMPLE),
    ("period", period.period, period.EXAMPLE),
    ("claims", claims.claims, claims.EXAMPLE),
    ("optimize", optimize.optimize, optimize.EXAMPLE),
    ("predict", predict.predict, predict.EXAMPLE),
    ("run", run.run, run.EXAMPLE),
):
    app.command(_name, epilog=f"Example:  {_example}")(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line without the program; by default that of the process.

    Returns
    -------
    int
        Exit status: 0, 2 after bad input or wrong usage (with one line on stderr), 130 after Ctrl-C.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] != ["measure"]:  # where the library's own choice of threads is measured
        _use_one_blas_thread()
    try:
        status = app(args=given, prog_name="attrib", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except AttribError as error:
        return _refuse(str(error))
    except _UsageError as error:
        where = "attrib" if error.ctx is None else error.ctx.command_path
        return _refuse(f"{error.format_message().rstrip('.')} (see '{where} --help')")
    except BrokenPipeError:
        _silence_stdout()
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{where}{error.strerror or error}")
    except SystemExit as stop:  # typer's own way out of a closed pipe
        status = stop.code
    if status == INTERRUPTED:
        typer.echo("attrib: interrupted", err=True)
    return status if isinstance(status, int) else 0


def _use_one_blas_thread() -> None:
    """Keep linear algebra on one thread, unless the user has chosen a number.

    Our products are tall and thin: more threads gain nothing on an idle machine and wait for each other on a
    busy one.
    """
    if "numpy" not in sys.modules:  # which reads them when it is imported
        for name in _BLAS_THREADS:
            os.environ.setdefault(name, "1")


def _refuse(message: str) -> int:
    typer.echo(f"attrib: {' '.join(message.split())}", err=True)
    return BAD_INPUT


def _silence_stdout() -> None:
    """Keep the interpreter from complaining, at its end, about a pipe that nobody reads any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
