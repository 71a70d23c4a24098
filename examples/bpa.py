"""A potential for 3-(benzyloxy)pyridin-2-amine from 450 frames at 300 K, judged on 50 others.

    python examples/bpa.py                        30 minutes of training on two cores
    python examples/bpa.py --quick                a few seconds, to see that it runs

The data (BOTNet-datasets, D. P. Kovacs et al.) are read from ../shared/data beside the project, or
from the folder that --data names.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description="A potential for 3BPA.")
parser.add_argument(
    "--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared/data"
)
parser.add_argument("--time-limit", default="30m")
parser.add_argument("--output", type=Path, default=Path("runs/3bpa"))
parser.add_argument("--quick", action="store_true")
options = parser.parse_args()

folder = options.data / "3bpa"
if not folder.is_dir():
    sys.exit(None if options.quick else f"there are no data in {folder}: name them with --data")
size, limit = ("small", "5s") if options.quick else ("medium", options.time_limit)

command = [sys.executable, "-m", "schur.cli", "train"]
words = [folder / "train_300K.xyz", folder / "iso_atoms.xyz", "data.test_fraction=0.1"]
words += ["--size", size, "--time-limit", limit, "--output", options.output]
subprocess.run([*command, *map(str, words)], check=True)

errors = json.loads((options.output / "metrics.json").read_text())["errors"]["test"]["total"]
print(
    f"on {errors['systems']} frames that it has not seen: forces "
    f"{errors['forces_rmse_meV_per_A']:.1f} meV/Å, energy {errors['energy_rmse_meV']:.1f} meV (rms)"
)
