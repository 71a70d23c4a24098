"""The settings of molecular dynamics."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Ensemble = Literal["nve", "langevin", "nose-hoover", "npt"]


class DynamicsConfig(BaseModel):
    """How a system moves.

    Args:
        ensemble: nve, langevin, nose-hoover, or npt (Berendsen's barostat).
        temperature: K; of the first velocities too.
        timestep: fs.
        steps: number of steps.
        friction: 1/fs, of langevin.
        damping: fs, of nose-hoover and npt.
        pressure: GPa, of npt.
        compressibility: 1/GPa, of npt.
        interval: steps between frames of the trajectory and lines of the log.
        seed: of velocities and noise.
        bonds: stop where a covalent bond breaks; false for reactions.
        max_deviation: eV/Å, of the force on any atom between the members of a committee; beyond
            it the dynamics stops. None does not stop.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ensemble: Ensemble = "langevin"
    temperature: float = Field(default=300.0, gt=0)
    timestep: float = Field(default=0.5, gt=0)
    steps: int = Field(default=1000, ge=1)
    friction: float = Field(default=0.01, gt=0)
    damping: float = Field(default=100.0, gt=0)
    pressure: float = 0.0
    compressibility: float = Field(default=0.05, gt=0)
    interval: int = Field(default=20, ge=1)
    seed: int = Field(default=0, ge=0)
    bonds: bool = True
    max_deviation: float | None = Field(default=None, gt=0)

    def describe(self) -> str:
        """The run in a few words.

        Example:
            >>> DynamicsConfig(steps=20000).describe()
            '10 ps of Langevin dynamics at 300 K in steps of 0.5 fs'
        """
        names = {
            "nve": "dynamics at constant energy, begun",
            "langevin": "Langevin dynamics",
            "nose-hoover": "Nosé-Hoover dynamics",
            "npt": f"dynamics at {self.pressure:g} GPa and",
        }
        at = "" if self.ensemble == "npt" else "at "
        return (
            f"{self.steps * self.timestep / 1000:.6g} ps of {names[self.ensemble]} "
            f"{at}{self.temperature:g} K in steps of {self.timestep:g} fs"
        )

    @property
    def kept_temperature(self) -> float | None:
        """The temperature that a thermostat keeps, K; None at constant energy.

        Example:
            >>> DynamicsConfig().kept_temperature, DynamicsConfig(ensemble="nve").kept_temperature
            (300.0, None)
        """
        return None if self.ensemble == "nve" else self.temperature
