"""A potential for acetylacetone from 500 frames at 300 K, judged on 650 others, then dynamics.

    python examples/acac.py                       15 minutes of training on two cores
    python examples/acac.py --time-limit 2h       towards the published accuracy
    python examples/acac.py --quick               a few seconds, to see that it runs

The data (BOTNet-datasets, D. P. Kovacs et al.) are read from ../shared/data beside the project, or
from the folder that --data names.
"""

import argparse
import subprocess
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description="A potential for acetylacetone.")
parser.add_argument(
    "--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared/data"
)
parser.add_argument("--time-limit", default="15m")
parser.add_argument("--output", type=Path, default=Path("runs/acac"))
parser.add_argument("--quick", action="store_true")
options = parser.parse_args()

folder = options.data / "acac"
if not folder.is_dir():
    sys.exit(None if options.quick else f"there are no data in {folder}: name them with --data")
size, limit, steps = ("small", "5s", 20) if options.quick else ("medium", options.time_limit, 20000)
schur = [sys.executable, "-m", "schur.cli"]
test = folder / "test_MD_300K.xyz"

training = [folder / "train_300K.xyz", folder / "isolated_atoms.xyz", "--test", test]
training += ["--size", size, "--time-limit", limit, "--output", options.output]
subprocess.run([*schur, "train", *map(str, training)], check=True)

# Constant energy: the drift says whether forces are the gradient of the energy, and smooth.
motion = [options.output / "model.schur", test, "--ensemble", "nve", "--steps", steps]
motion += ["--output", options.output / "md"]
subprocess.run([*schur, "md", *map(str, motion)], check=True)
