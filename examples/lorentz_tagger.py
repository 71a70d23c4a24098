"""A tagger of jets that obeys special relativity, beside a network that does not.

Generated jets of ten particles: a particle of mass about 80 GeV that decays into two prongs, each
of which radiates; and background of the same mass, radiated by one parton. Both come from decays
that are isotropic at rest, so the truth does not depend on how the jet moves. The tagger is
Lorentz-invariant whatever it learns; a plain network learns how jets move along with the rest.

    python lorentz_tagger.py            # under a minute; writes lorentz_tagger.png
    python lorentz_tagger.py --quick    # a few seconds, no picture
"""

import sys
import time
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch

import schur
from schur.groups import Lorentz
from schur.nn import EquivariantLinear
from schur.reps import Defining, Trivial

PARTICLES = 10
GROUP = Lorentz()  # acts on (E, px, py, pz)
VECTOR = Defining(GROUP)
METRIC = torch.tensor([1.0, -1.0, -1.0, -1.0])


def decay(parent: np.ndarray, first: np.ndarray, second: np.ndarray, rng) -> tuple:
    """A decay into two particles of given masses, isotropic where the parent is at rest."""
    mass = np.sqrt(np.maximum(parent[:, 0] ** 2 - np.sum(parent[:, 1:] ** 2, 1), 1e-12))
    energy = (mass**2 + first**2 - second**2) / (2 * mass)
    momentum = np.sqrt(np.maximum(energy**2 - first**2, 0.0))
    direction = rng.standard_normal((len(parent), 3))
    p = direction * (momentum / np.linalg.norm(direction, axis=1))[:, None]
    # To the frame in which the parent moves.
    along = np.sum(parent[:, 1:] * p, 1)
    moved = p + parent[:, 1:] * ((along / (parent[:, 0] + mass) + energy) / mass)[:, None]
    one = np.column_stack([(parent[:, 0] * energy + along) / mass, moved])
    return one, parent - one


def radiated(parent: np.ndarray, mass: np.ndarray, count: int, rng) -> list[np.ndarray]:
    """So many massless particles: the parent sheds one after another and its mass with it."""
    found, nothing = [], np.zeros(len(parent))
    for left in range(count - 1, 0, -1):
        mass = mass * rng.uniform(0.6, 0.95, len(parent)) if left > 1 else nothing
        parent, shed = decay(parent, mass, nothing, rng)
        found.append(shed)
    return [*found, parent]


def jets(many: int, rng) -> tuple[torch.Tensor, torch.Tensor]:
    """Four-momenta in units of 100 GeV, a row of 10 x 4 for each jet, and labels."""
    mass = rng.normal(0.8, 0.1, many)
    across, angle, rapidity = (
        rng.uniform(a, b, many) for a, b in ((3, 7), (-np.pi, np.pi), (-1, 1))
    )
    upright = np.sqrt(across**2 + mass**2)
    parent = np.column_stack(
        [
            upright * np.cosh(rapidity),
            across * np.cos(angle),
            across * np.sin(angle),
            upright * np.sinh(rapidity),
        ]
    )
    prongs = [mass * rng.uniform(0.1, 0.4, many) for _ in range(2)]
    halves = decay(parent, prongs[0], prongs[1], rng)
    two = [p for h, m in zip(halves, prongs, strict=True) for p in radiated(h, m, 5, rng)]
    one = radiated(parent, mass, PARTICLES, rng)
    signal = rng.random(many) < 0.5
    x = np.where(signal[:, None, None], np.stack(two, 1), np.stack(one, 1))
    order = np.argsort(-x[:, :, 0], axis=1)
    x = np.take_along_axis(x, order[:, :, None], 1).reshape(many, -1)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(signal, dtype=torch.float32)


def network(*widths: int) -> torch.nn.Sequential:
    """Linear maps with SiLU between them."""
    layers = [
        part for a, b in pairwise(widths) for part in (torch.nn.Linear(a, b), torch.nn.SiLU())
    ]
    return torch.nn.Sequential(*layers[:-1])


class Exchange(torch.nn.Module):
    """Each pair of particles exchanges what is invariant; vectors are added with such weights."""

    def __init__(self, scalars: int, vectors: int, width: int) -> None:
        super().__init__()
        self.message = network(2 * scalars + 2 * vectors, width, width)
        self.weight = torch.nn.Linear(width, vectors)
        self.mix = EquivariantLinear(2 * vectors * VECTOR, vectors * VECTOR, bias=False)
        self.update = network(scalars + width, width, scalars)

    def forward(self, h: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        dots = torch.einsum("bicm,m,bjcm->bijc", x, METRIC.to(x), x)
        squares = torch.einsum("biic->bic", dots)
        apart = squares[:, :, None] + squares[:, None] - 2 * dots
        invariants = torch.cat([dots, apart], -1)
        invariants = invariants.sign() * torch.log1p(100 * invariants.abs())
        each = h[:, :, None].expand(-1, -1, h.shape[1], -1)
        ends = [each, each.transpose(1, 2)]
        message = self.message(torch.cat([*ends, invariants], -1))
        gathered = torch.einsum("bijc,bjcm->bicm", self.weight(message), x) / x.shape[1]
        mixed = self.mix(torch.cat([x, gathered], 2).flatten(2))
        return h + self.update(torch.cat([h, message.mean(2)], -1)), x + mixed.reshape(x.shape)


class Tagger(torch.nn.Module):
    """Lorentz-equivariant: scalars and four-vectors at each particle, two exchanges."""

    def __init__(self, scalars: int = 8, vectors: int = 4, width: int = 24) -> None:
        super().__init__()
        self.start = EquivariantLinear(VECTOR, vectors * VECTOR, bias=False)
        self.first = torch.nn.Parameter(torch.zeros(scalars))
        self.layers = torch.nn.ModuleList(Exchange(scalars, vectors, width) for _ in range(2))
        self.end = network(scalars, width, 1)
        self.vectors = vectors

    def forward(self, jets: torch.Tensor) -> torch.Tensor:
        particles = jets.reshape(-1, PARTICLES, 4)
        x = self.start(particles).reshape(-1, PARTICLES, self.vectors, 4)
        h = self.first.expand(*particles.shape[:2], -1)
        for layer in self.layers:
            h, x = layer(h, x)
        return self.end(h.mean(1))


def usual_coordinates(particles: torch.Tensor) -> torch.Tensor:
    """log p_T, log E, and rapidity and angle around the beam measured from the jet's axis."""
    whole = particles.sum(1, keepdim=True)
    along, around = [], []
    for p in (particles, whole):
        across = p[..., 1:3].norm(dim=-1).clamp_min(1e-6)
        along.append(torch.asinh(p[..., 3] / across))
        around.append(torch.atan2(p[..., 2], p[..., 1]))
    across = particles[..., 1:3].norm(dim=-1).clamp_min(1e-6)
    turn = around[0] - around[1]
    turn = torch.atan2(turn.sin(), turn.cos())
    sizes = torch.log(across), torch.log(particles[..., 0])
    return torch.stack([*sizes, 5 * (along[0] - along[1]), 5 * turn], -1)


class Plain(torch.nn.Module):
    """The same exchanges between pairs of particles, in the coordinates that taggers often use."""

    def __init__(self, scalars: int = 16, width: int = 24) -> None:
        super().__init__()
        self.start = torch.nn.Linear(4, scalars)
        self.messages = torch.nn.ModuleList(network(2 * scalars, width, width) for _ in range(2))
        self.updates = torch.nn.ModuleList(
            network(scalars + width, width, scalars) for _ in range(2)
        )
        self.end = network(scalars, width, 1)

    def forward(self, jets: torch.Tensor) -> torch.Tensor:
        h = self.start(usual_coordinates(jets.reshape(-1, PARTICLES, 4)))
        for message, update in zip(self.messages, self.updates, strict=True):
            each = h[:, :, None].expand(-1, -1, PARTICLES, -1)
            pairs = message(torch.cat([each, each.transpose(1, 2)], -1))
            h = h + update(torch.cat([h, pairs.mean(2)], -1))
        return self.end(h.mean(1))


def train(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, steps: int) -> None:
    """Adam on the cross entropy."""
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        chosen = torch.randint(len(x), (64,), generator=generator)
        found = model(x[chosen])[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(found, y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def boosted(x: torch.Tensor, rapidity: float) -> torch.Tensor:
    """All jets as seen by somebody who moves across the beam."""
    a, b = np.cosh(rapidity), np.sinh(rapidity)
    g = torch.eye(4, dtype=x.dtype)
    g[0, 0] = g[1, 1] = a
    g[0, 1] = g[1, 0] = b
    return (x.reshape(-1, PARTICLES, 4) @ g.T).reshape(x.shape)


def accuracy(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """The share of labels that are right."""
    with torch.no_grad():
        return float(((model(x)[:, 0] > 0) == (y > 0.5)).double().mean())


def efficiencies(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple:
    """Shares of background and of signal that are kept, for every threshold."""
    with torch.no_grad():
        kept = y[model(x)[:, 0].argsort(descending=True)].double()
    return ((1 - kept).cumsum(0) / (1 - kept).sum()).numpy(), (kept.cumsum(0) / kept.sum()).numpy()


def draw(models: dict, audits: dict, x: torch.Tensor, y: torch.Tensor) -> None:
    """Efficiencies; accuracy for an observer who moves; errors under each generator."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(13, 4), constrained_layout=True)
    rapidities = np.linspace(0, 3, 7)
    for place, (name, model) in enumerate(models.items()):
        background, signal = efficiencies(model, x, y)
        axes[0].plot(signal, background, label=name)
        right = [accuracy(model.double(), boosted(x.double(), r), y) for r in rapidities]
        axes[1].plot(rapidities, right, marker="o", markersize=3, label=name)
        errors = [found.value for found in audits[name].elements.values()]
        bars = np.arange(len(errors)) + 0.4 * place - 0.2
        axes[2].bar(bars, errors, 0.4, label=name)
        model.float()
    axes[0].set(xlabel="signal kept", ylabel="background kept", yscale="log", ylim=(1e-3, 1))
    axes[1].set(xlabel="rapidity of the observer", ylabel="accuracy", ylim=(0.45, 1))
    axes[2].set(ylabel="equivariance error", yscale="log", ylim=(1e-16, 3))
    axes[2].set_xticks(range(6), generator_names(), rotation=45)
    axes[0].legend(frameon=False)
    figure.savefig("lorentz_tagger.png", dpi=120)
    print("lorentz_tagger.png")


def generator_names() -> Sequence[str]:
    """Rotations move no time component, boosts move it."""
    kinds = ["boost" if np.abs(x[0]).max() > 0 else "rotation" for x in GROUP.generators()]
    return [f"{kind} {kinds[: i + 1].count(kind)}" for i, kind in enumerate(kinds)]


def main() -> None:
    quick = "--quick" in sys.argv
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    x, y = jets(400 if quick else 4000, rng)
    held_out, labels = jets(500 if quick else 4000, rng)
    models: dict[str, torch.nn.Module] = {"plain network": Plain(), "Lorentz tagger": Tagger()}
    audits = {}
    for name, model in models.items():
        start = time.process_time()
        train(model, x, y, 20 if quick else 1000)
        numel = sum(p.numel() for p in model.parameters())
        seconds = time.process_time() - start
        print(f"{name}: {numel} parameters, {seconds:.0f} s of a processor")
        still = accuracy(model, held_out, labels)
        moving = accuracy(model, boosted(held_out, 1.5), labels)
        print(f"  right {still:.3f}, seen at rapidity 1.5 {moving:.3f}")
        audits[name] = schur.audit(
            model.double(),
            GROUP,
            rep_in=PARTICLES * VECTOR,
            rep_out=Trivial(GROUP),
            inputs=held_out[:200].double(),
        )
        model.float()
        print(audits[name])
    if not quick:
        draw(models, audits, held_out, labels)


if __name__ == "__main__":
    main()
