"""The commands and their words."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(
    name="schur",
    help="From a file of structures to a trusted interatomic potential.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Words = Annotated[
    list[str],
    typer.Argument(help="Structure files (extended XYZ) or one YAML file, then key=value words."),
]
Output = Annotated[Path, typer.Option("-o", "--output", help="Folder for everything written.")]
Model = Annotated[
    Optional[str],  # noqa: UP045 (typer reads annotations at run time)
    typer.Option(
        "--model", help="Architecture: mace (the default), nequip and more: docs/models.md."
    ),
]
Size = Annotated[str, typer.Option(help="Preset: small, medium or large.")]
TimeLimit = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--time-limit", help="Wall time of the training: 90s, 15m, 2h."),
]
Seed = Annotated[int, typer.Option(help="Of parameters, split and order.")]
Files = Annotated[list[Path], typer.Option(help="Files of their own instead of held-out frames.")]
Threads = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(min=1, help="Of the arithmetic; as many as processors are free by default."),
]
Device = Annotated[str, typer.Option(help="auto (a GPU where there is one), cpu, cuda or cuda:N.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
Allow = Annotated[list[str], typer.Option(help="Code of a finding that shall not stop the run.")]


@contextmanager
def honest_errors() -> Iterator[None]:
    """Prints an error that Schur raises on purpose, or of a file, and leaves with status 1.

    Of several processes (of torchrun) one that ends because of another leaves the message to it.
    """
    from ..errors import PeerError, SchurError

    try:
        yield
    except SchurError as error:
        if not isinstance(error, PeerError) or os.environ.get("RANK", "0") == "0":
            typer.echo(f"schur: {error}", err=True)
        raise typer.Exit(1) from None
    except OSError as error:  # a full disk, a folder that may not be written
        typer.echo(f"schur: a file cannot be used\n  got:      {error}", err=True)
        raise typer.Exit(1) from None


@app.command()
def train(
    words: Words,
    output: Output = Path("schur-run"),
    model: Model = None,
    size: Size = "small",
    valid: Files = [],  # noqa: B006 (typer copies defaults)
    test: Files = [],  # noqa: B006
    time_limit: TimeLimit = None,
    seed: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=0, help="Of parameters, split and order; 0 by default."),
    ] = None,
    device: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="auto (a GPU where there is one: the default), cpu, cuda or cuda:N."),
    ] = None,
    restart: Annotated[
        str, typer.Option(help="auto resumes what the folder holds; never.")
    ] = "auto",
    allow: Allow = [],  # noqa: B006
    start: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--from", help="Go on from the parameters of this model file."),
    ] = None,
    threads: Threads = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write curves for TensorBoard too.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop before training.")] = False,
) -> None:
    """Train a potential: schur train data.xyz."""
    from .threads import use_threads
    from .training import CHECKPOINT, run_training

    with honest_errors():
        use_threads(threads, output / CHECKPOINT if restart == "auto" else None)
        run_training(
            words,
            output=output,
            model=model,
            size=size,
            valid=valid,
            test=test,
            time_limit=time_limit,
            seed=seed,
            device=device,
            restart=restart,
            allow=allow,
            start=start,
            tensorboard=tensorboard,
            dry_run=dry_run,
        )


@app.command()
def demo(
    output: Output = Path("schur-demo"),
    frames: Annotated[int, typer.Option(help="Frames of ethanol to sample.")] = 400,
    time_limit: TimeLimit = "150s",
    picoseconds: Annotated[float, typer.Option(help="Length of the dynamics.")] = 10.0,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Sample ethanol, train a potential, judge it, run 10 ps of dynamics, write a report."""
    from .demonstration import Demo, run_demo
    from .threads import use_threads

    with honest_errors():
        use_threads(threads)
        run_demo(output, Demo(frames, time_limit, picoseconds, seed, device))


@app.command(name="eval")
def evaluate(
    model: Annotated[Path, typer.Argument(help="A model file.")],
    files: Annotated[list[Path], typer.Argument(help="Labelled structures, extended XYZ.")],
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("-o", "--output", help="Folder for metrics as JSON and CSV, and pictures."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Compare a potential with labelled structures."""
    from .evaluation import run_evaluation

    with honest_errors():
        run_evaluation(model, files, output, device)


@app.command()
def info(model: Annotated[Path, typer.Argument(help="A model file.")]) -> None:
    """Say what a model file holds."""
    from .evaluation import run_info

    with honest_errors():
        run_info(model)


@app.command()
def audit(
    model: Annotated[Path, typer.Argument(help="A model file.")],
    files: Annotated[list[Path], typer.Argument(help="Structures, extended XYZ.")],
    frames: Annotated[int, typer.Option(min=1, help="How many structures, evenly spaced.")] = 10,
    samples: Annotated[int, typer.Option(min=1, help="Motions of each kind.")] = 4,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Measure how exactly a potential respects motions, reflections and orders of atoms."""
    from .auditing import run_audit

    with honest_errors():
        run_audit(model, files, frames, samples, seed, device)


@app.command()
def convert(
    model: Annotated[Path, typer.Argument(help="A .model file of mace-torch.")],
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("-o", "--output", help="Model file to write; beside the other by default."),
    ] = None,
    head: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Whose energies, where the model has several heads."),
    ] = None,
) -> None:
    """Turn a model of mace-torch into one of Schur, without running what is in its file."""
    from .conversion import run_conversion

    with honest_errors():
        run_conversion(model, output, head)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="A model file.")],
    files: Annotated[list[Path], typer.Argument(help="Structures, extended XYZ.")],
    output: Annotated[Path, typer.Option("-o", "--output")] = Path("predicted.xyz"),
    device: Device = "auto",
) -> None:
    """Write energies, forces and stresses of structures."""
    from .prediction import run_prediction

    with honest_errors():
        run_prediction(model, files, output, device)


@app.command()
def md(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... STRUCTURE [KEY=VALUE]...",
            help="Model file (several are a committee), a file whose last frame is the start, "
            "then key=value: friction, damping, pressure, interval, bonds ...",
        ),
    ],
    model: Annotated[list[Path], typer.Option(help="A further model of the committee.")] = [],  # noqa: B006
    output: Annotated[Path, typer.Option("-o", "--output")] = Path("schur-md"),
    ensemble: Annotated[str, typer.Option(help="nve, langevin, nose-hoover or npt.")] = "langevin",
    temperature: Annotated[float, typer.Option(help="K")] = 300.0,
    timestep: Annotated[float, typer.Option(help="fs")] = 0.5,
    steps: Annotated[int, typer.Option(help="How many.")] = 2000,
    seed: Seed = 0,
    max_deviation: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="eV/Å between the committee's forces on an atom, beyond which to stop."),
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Run molecular dynamics: schur md model.schur start.xyz."""
    from .moving import run_md
    from .threads import use_threads

    settings = {
        "ensemble": ensemble,
        "temperature": temperature,
        "timestep": timestep,
        "steps": steps,
        "seed": seed,
        "max_deviation": max_deviation,
    }
    with honest_errors():
        use_threads(threads)
        run_md(model, output, settings, words, device)


@app.command()
def plot(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of train and md, history.csv, dynamics.csv, files of schur predict."
        ),
    ],
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("-o", "--output", help="Folder for the PNG files; beside them by default."),
    ] = None,
) -> None:
    """Draw learning curves, parity, errors and logs of dynamics as PNG."""
    from .plotting import run_plot

    with honest_errors():
        run_plot(paths, output)


@app.command()
def explain(
    first: Annotated[str, typer.Argument(help="Irreps of the first factor: 128x0e+128x1o.")],
    second: Annotated[str, typer.Argument(help="Of the second: 0e+1o+2e+3o.")],
    out: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(help="Of the product; all that come out by default."),
    ] = None,
    couplings: Annotated[str, typer.Option(help="That must be within reach: all, even.")] = "all",
    weights: Annotated[str, typer.Option(help="Free for each path, or for each term.")] = "path",
    second_is: Annotated[
        str, typer.Option(help="any tensor, or harmonics of a direction.")
    ] = "any",
    rows: Annotated[int, typer.Option(min=1, help="How many are counted and measured.")] = 1024,
    timed: Annotated[bool, typer.Option("--time/--no-time", help="Measure, or only count.")] = True,
    picture: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder for products.png: time and expressivity against l."),
    ] = None,
    lmax: Annotated[int, typer.Option(min=1, help="The highest l of the picture.")] = 4,
) -> None:
    """Compare the ways to multiply geometric tensors, and say which to take."""
    from ..products import Needs
    from .explaining import run_explain

    with honest_errors():
        needs = Needs(couplings, weights, second_is)
        run_explain(first, second, out, needs, rows, timed, picture, lmax)


@app.command()
def relax(
    model: Annotated[Path, typer.Argument(help="A model file.")],
    start: Annotated[Path, typer.Argument(help="A structure; the last frame of its file.")],
    output: Annotated[Path, typer.Option("-o", "--output")] = Path("relaxed.xyz"),
    force: Annotated[float, typer.Option(help="Largest force left, eV/Å.")] = 0.01,
    steps: Annotated[int, typer.Option(help="At most.")] = 500,
    cell: Annotated[bool, typer.Option("--cell", help="Relax the cell too.")] = False,
    device: Device = "auto",
) -> None:
    """Move a structure to a minimum of the energy."""
    from .relaxing import run_relax

    with honest_errors():
        run_relax(model, start, output, force, steps, cell, device)


data = typer.Typer(help="Look at data and make them.", no_args_is_help=True)
app.add_typer(data, name="data")


@data.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Structures, extended XYZ.")],
    cutoff: Annotated[float, typer.Option(help="Å; atoms without neighbours are noted.")] = 5.0,
    allow: Allow = [],  # noqa: B006
) -> None:
    """Say what is in files of structures, and stop on what would ruin a model."""
    from .inspection import run_check

    with honest_errors():
        run_check(files, cutoff, allow)


@data.command(name="convert")
def convert_data(
    files: Annotated[list[Path], typer.Argument(help="Files to read, and last the one to write.")],
    force: Force = False,
) -> None:
    """Write structures in another format: .xyz, .db, .json, .aselmdb; any that ASE reads."""
    from .datasets import run_convert

    with honest_errors():
        run_convert(files, force)


@data.command()
def split(
    files: Annotated[list[Path], typer.Argument(help="Structures in any format.")],
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("-o", "--output", help="Folder; that of the first file by default."),
    ] = None,
    valid: Annotated[float, typer.Option(help="Fraction, of each config_type.")] = 0.05,
    test: Annotated[float, typer.Option(help="Fraction, of each config_type.")] = 0.1,
    seed: Seed = 0,
    group: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Name of a value; frames that have it alike stay together."),
    ] = None,
    force: Force = False,
) -> None:
    """Write a training, a validation and a test file."""
    from .datasets import run_split

    with honest_errors():
        run_split(files, output, valid=valid, test=test, seed=seed, group=group, force=force)


@data.command()
def sample(
    molecule: Annotated[
        str,
        typer.Argument(help="A SMILES string, a name that ASE knows (CH3CH2OH), or a file."),
    ],
    output: Annotated[Path, typer.Option("-o", "--output")] = Path("sampled.xyz"),
    frames: Annotated[int, typer.Option(help="How many, of all temperatures together.")] = 300,
    temperature: Annotated[list[float], typer.Option(help="K; one chain each.")] = [300.0, 600.0],  # noqa: B006
    seed: Seed = 0,
    calculator: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="GFN1-xTB, one of ASE's such as emt, or module:Class."),
    ] = None,
) -> None:
    """Make a data set from nothing: dynamics with xTB or any calculator, and isolated atoms."""
    from .demonstration import run_sampling

    with honest_errors():
        run_sampling(molecule, output, frames, temperature, seed, calculator)


@app.command()
def version() -> None:
    """Print the version."""
    from .. import __version__

    sys.stdout.write(f"schur {__version__}\n")
