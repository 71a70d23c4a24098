"""Settings of a training run that concern neither model nor data."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class TrainingConfig(BaseModel):
    """How the parameters are found.

    The learning rate rises linearly over `warmup` of the run and then falls to `final_rate` of
    its peak. The run is over after `epochs`, or after `time_limit` seconds where that comes
    first; the schedule follows whichever is closer to its end, so that a run that is cut by the
    clock still anneals.

    Args:
        epochs: passes over the training set.
        time_limit: seconds, or None.
        clock: which seconds those are, and those of the history: of wall time, or of the
            processor, summed over the threads of the process, for runs that are compared on a
            machine that others use too.
        batch_size: samples a step.
        learning_rate: peak of the schedule.
        schedule: shape of the fall.
        warmup: fraction of the run in which the rate rises.
        final_rate: last rate as a fraction of the peak.
        optimiser: `"soap"` (see `schur.train.Soap`) or `"adamw"` (Loshchilov & Hutter 2019).
        weight_decay, beta1, beta2: of either.
        amsgrad: of AdamW alone.
        clip_norm: largest norm of the gradient.
        clip_ratio: largest norm of the gradient as a multiple of its running mean over some fifty
            steps; one batch in thousands has a gradient that would throw the parameters away.
        ema_decay: of the averaged parameters; 0 keeps the last parameters.
        late_stage: fraction of the run after which the second stage of the loss begins;
            1 for no such stage.
        validate_every: epochs between validations.
        patience: validations without improvement after which to stop, or None.
        seed: of parameters and of the order of samples.
        dtype: number type of model and gradients.
        device: auto, cpu, cuda or cuda:N; see `schur.train.device`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=200, ge=1)
    time_limit: float | None = Field(default=None, gt=0)
    clock: Literal["wall", "processor"] = "wall"
    batch_size: int = Field(default=5, ge=1)
    learning_rate: float = Field(default=0.03, gt=0)
    schedule: Literal["cosine", "linear", "constant"] = "linear"
    warmup: float = Field(default=0.01, ge=0, lt=1)
    final_rate: float = Field(default=0.001, ge=0, le=1)
    optimiser: Literal["soap", "adamw"] = "soap"
    weight_decay: float = Field(default=0.0, ge=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    amsgrad: bool = False
    clip_norm: float = Field(default=10.0, gt=0)
    clip_ratio: float = Field(default=5.0, gt=1)
    ema_decay: float = Field(default=0.995, ge=0, lt=1)
    late_stage: float = Field(default=0.75, ge=0, le=1)
    validate_every: int = Field(default=1, ge=1)
    patience: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)
    dtype: Literal["float32", "float64"] = "float32"
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")

    @model_validator(mode="after")
    def _amsgrad_is_of_adamw(self) -> TrainingConfig:
        if self.amsgrad and self.optimiser != "adamw":
            raise ValueError(
                f"amsgrad is a variant of AdamW, and the optimiser is {self.optimiser}; "
                'set optimiser to "adamw", or leave amsgrad out'
            )
        return self
