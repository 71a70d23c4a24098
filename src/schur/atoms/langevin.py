"""Langevin dynamics that samples the canonical ensemble."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float

from ..errors import NumberError
from .units import ACCELERATION, BOLTZMANN

Forces = Callable[[Float[np.ndarray, "n 3"]], tuple[float, Float[np.ndarray, "n 3"]]]
"""Positions in Å -> energy in eV and forces in eV/Å."""


def langevin(
    forces: Forces,
    positions: Float[np.ndarray, "n 3"],
    masses: Float[np.ndarray, " n"],
    *,
    temperature: float,
    timestep: float,
    friction: float,
    generator: np.random.Generator,
) -> Iterator[tuple[Float[np.ndarray, "n 3"], float, Float[np.ndarray, "n 3"]]]:
    """Endless positions, energies and forces by the BAOAB splitting.

    A step is half a kick, half a drift, the exact solution of the friction and noise over the
    whole step, half a drift, half a kick. The sampled positions have an error of fourth order in
    the step for large friction, second otherwise, and do not depend on the masses.

    Args:
        forces: of the positions.
        positions: at the beginning, Å.
        masses: u.
        temperature: K.
        timestep: fs.
        friction: 1/fs.
        generator: of the noise and the first velocities.

    Raises:
        NumberError: forces or positions that are not finite.

    Source: Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34 (2013).

    Example:
        >>> spring = lambda r: (0.5 * float((r**2).sum()), -r)
        >>> chain = langevin(spring, np.zeros((1, 3)), np.ones(1), temperature=300.0,
        ...     timestep=1.0, friction=0.05, generator=np.random.default_rng(0))
        >>> next(chain)[0].shape
        (1, 3)
    """
    mass = masses[:, None]
    spread = np.sqrt(BOLTZMANN * temperature * ACCELERATION / mass)  # Å/fs
    keep = float(np.exp(-friction * timestep))
    position = np.array(positions, dtype=np.float64)
    velocity = spread * generator.standard_normal(position.shape)
    _, force = forces(position)
    while True:
        velocity = velocity + 0.5 * timestep * ACCELERATION * force / mass
        position = position + 0.5 * timestep * velocity
        noise = generator.standard_normal(position.shape)
        velocity = keep * velocity + np.sqrt(1.0 - keep**2) * spread * noise
        position = position + 0.5 * timestep * velocity
        energy, force = forces(position)
        if not (np.isfinite(position).all() and np.isfinite(force).all()):
            raise NumberError(
                "the dynamics left the finite numbers",
                got=f"energy {energy}",
                expected="finite positions and forces",
                remedy="a shorter time step",
            )
        velocity = velocity + 0.5 * timestep * ACCELERATION * force / mass
        yield position.copy(), energy, force
