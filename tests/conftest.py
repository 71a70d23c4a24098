"""What every test shares: shapes checked at run time, quiet threads, reproducible properties."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import jaxtyping
import pytest

# These made the fixtures, in environments of their own with the packages that they import.
collect_ignore_glob = ["support/make_*.py"]

# Two workers on two cores: one thread each, said before torch or OpenMP start.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Without a GPU the kernels of Triton run in its interpreter, which it decides when it is loaded.
if not any(Path("/dev").glob("nvidia[0-9]*")) and not Path("/dev/kfd").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")
# Each of them is compared with the torch backend when it is first used.
os.environ.setdefault("SCHUR_SELF_CHECK", "1")

# Annotations such as Float[Array, "n 3"] become assertions in everything imported from here on.
jaxtyping.install_import_hook("schur", "shape_checks.checked")

# Compiling a routine makes single examples slow, so no deadline; derandomised, so that a red
# run stays red. `HYPOTHESIS_PROFILE=search` looks for new counterexamples instead.
hypothesis.settings.register_profile(
    "laws", deadline=None, max_examples=15, derandomize=True, print_blob=True
)
hypothesis.settings.register_profile("search", deadline=None, max_examples=200, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "laws"))

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the project; skips the test where it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared data folder (../shared/data) is not beside this checkout")
    return SHARED_DATA
