"""Objects found without labels: slots with frames of their own, from a tenth of the images.

Each image holds sprites of one colour that may touch: four shapes at random places and sizes. An
autoencoder sees images alone. It reads each through a small convolutional network into slots, and
every slot paints a picture and says where it counts (Locatello et al. 2020). Where the pictures of
the slots count is compared with the true sprites by the adjusted Rand index, on images that were
not trained on. In plain slot attention slots read and paint in coordinates of the image; in
invariant slot attention (Biza et al. 2023) in coordinates of their own, so what was learnt in one
place and size holds in all. The first gets all images, the second a tenth, both as many steps.

    python slot_attention.py            # a quarter of an hour; writes slot_attention.png
    python slot_attention.py --quick    # half a minute, no picture
"""

import sys
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from schur.nn.frames import InvariantSlotAttention

WIDTH, BATCH, SEEDS = 32, 16, (0, 1, 2)


@dataclass(frozen=True)
class Setting:
    """Pixels a side, sprites in an image, images in all, steps, and the largest step size.

    Both step sizes are the best of 1, 2 and 4 in 1000 on images of another seed.
    """

    side: int = 24
    sprites: int = 3
    images: int = 2000
    steps: int = 3000
    plain: float = 2e-3
    invariant: float = 1e-3


QUICK = Setting(side=16, images=1000, steps=500, invariant=2e-3)


def pixels(side: int) -> Tensor:
    """Centres of pixels in [-1, 1] x [-1, 1], row by row."""
    centre = (torch.arange(side) + 0.5) * (2 / side) - 1
    return torch.cartesian_prod(centre, centre)


def covered(shape: Tensor, place: Tensor) -> Tensor:
    """Whether a place (…, 2) lies in the shape of that number: square, cross, triangle, corner."""
    y, x = place.unbind(-1)
    cross = torch.minimum(x.abs(), y.abs()) < 0.3
    corner = ((x + 0.4).abs() < 0.3) | ((y + 0.5).abs() < 0.3)
    shapes = [
        torch.maximum(x.abs(), y.abs()) < 0.72,
        cross & (torch.maximum(x.abs(), y.abs()) < 0.95),
        (y > -0.55) & (3**0.5 * x.abs() + y < 1.1),
        corner & (torch.maximum(x.abs(), y.abs()) < 0.8),
    ]
    return torch.stack(shapes).gather(0, shape.expand(1, *y.shape))[0]


def scattered(count: int, sprites: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sizes, and places that are at least 0.65 of the sum of two sizes apart."""
    size = torch.empty(count, sprites)
    place = torch.empty(count, sprites, 2)
    left = torch.arange(count)
    while len(left):
        size[left] = 0.25 + 0.15 * torch.rand(len(left), sprites, generator=draw)
        spread = torch.rand(len(left), sprites, 2, generator=draw) * 2 - 1
        place[left] = spread * (1 - size[left, :, None])
        apart = torch.cdist(place[left], place[left]) + 9 * torch.eye(sprites)
        sums = size[left, :, None] + size[left, None]
        left = left[(apart < 0.65 * sums).any((1, 2))]
    return size, place


def scenes(count: int, setting: Setting, seed: int) -> tuple[Tensor, Tensor]:
    """Images (count, 1, side, side), and the number of the sprite at each pixel, 0 for none.

    The colour of a pixel is the share of a 3 x 3 grid in it that is covered; it belongs to the
    last sprite that covers half of it.
    """
    draw, side = torch.Generator().manual_seed(seed), setting.side
    size, place = scattered(count, setting.sprites, draw)
    fine = pixels(3 * side)
    image = torch.zeros(count, side, side)
    owner = torch.zeros(count, side, side, dtype=torch.long)
    for k in range(setting.sprites):
        shape = torch.randint(4, (count, 1), generator=draw)
        here = (fine - place[:, k, None]) / size[:, k, None, None]
        share = covered(shape, here).float().view(count, side, 3, side, 3).mean((2, 4))
        image = torch.maximum(image, share)
        owner[share > 0.5] = k + 1
    return image[:, None], owner


def adjusted_rand_index(found: np.ndarray, true: np.ndarray) -> float:
    """How well two partitions of the same things agree: 1 if they are equal, 0 by chance.

    With n_ij things in part i of the one and j of the other, row sums a, column sums b and
    pairs C(m) = m (m - 1) / 2: the excess of Σ C(n_ij) over its mean E = Σ C(a) Σ C(b) / C(n) under
    random permutations, as a share of the most, (Σ C(a) + Σ C(b)) / 2 - E (Hubert and Arabie 1985).
    """
    table = np.zeros((found.max() + 1, true.max() + 1))
    np.add.at(table, (found, true), 1)

    def pairs(counts: np.ndarray) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, rows, columns = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    chance = rows * columns / max(pairs(table.sum(keepdims=True)), 1.0)
    most = (rows + columns) / 2
    return 1.0 if most == chance else (both - chance) / (most - chance)


class Autoencoder(nn.Module):
    """Pixels to slots to pixels; with `framed`, coordinates are those of each slot throughout."""

    def __init__(self, setting: Setting, framed: bool) -> None:
        super().__init__()
        self.framed, self.side = framed, setting.side
        self.encoder = nn.Sequential(
            *(nn.Conv2d(1, WIDTH, 5, 2, 2), nn.ReLU()),
            *(nn.Conv2d(WIDTH, WIDTH, 3, 1, 1), nn.ReLU()),
            *(nn.Conv2d(WIDTH, WIDTH, 3, 1, 1), nn.ReLU()),
        )
        # Without frames slots see places in the features alone.
        self.places = nn.Linear(2, WIDTH)
        self.mixed = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH)
        )
        self.slots = InvariantSlotAttention(
            WIDTH, setting.sprites + 1, WIDTH, turned=False, framed=framed
        )
        self.slot, self.there = nn.Linear(WIDTH, WIDTH), nn.Linear(2, WIDTH)
        self.paint = nn.Sequential(
            *(nn.ReLU(), nn.Linear(WIDTH, WIDTH)),
            *(nn.ReLU(), nn.Linear(WIDTH, WIDTH)),
            *(nn.ReLU(), nn.Linear(WIDTH, 2)),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The images again, and what share of each pixel every slot has, (batch, slots, pixels)."""
        x = self.encoder(images).flatten(2).mT
        coarse, fine = pixels(self.side // 2), pixels(self.side)
        if not self.framed:
            x = self.mixed(x + self.places(coarse))
        slots, frames, _ = self.slots(x, coarse)
        if self.framed:
            fine = (fine - frames.origin[..., None, :]) / frames.scale[..., None, None]
        colour, weight = self.paint(self.slot(slots)[..., None, :] + self.there(fine)).unbind(-1)
        share = weight.softmax(1)
        return (share * colour).sum(1).view_as(images), share


def score(model: Autoencoder, images: Tensor, owner: Tensor) -> float:
    """The mean adjusted Rand index over the pixels of sprites; the background does not count."""
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        found = model(images)[1].argmax(1).numpy()
    true = owner.flatten(1).numpy()
    return float(
        np.mean([adjusted_rand_index(f[t > 0], t[t > 0]) for f, t in zip(found, true, strict=True)])
    )


@dataclass
class Trained:
    """A model, its scores after so many steps, and the seconds of computing that they took."""

    model: Autoencoder
    steps: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    seconds: float = 0.0


def train(setting: Setting, framed: bool, count: int, seed: int, looks: int = 8) -> Trained:
    """Adam on the mean square error of so many images, with a warm-up and cosine decay."""
    images, _ = scenes(setting.images, setting, 2 * seed)
    test = scenes(200, setting, 2 * seed + 1)
    torch.manual_seed(seed)
    result = Trained(Autoencoder(setting, framed))
    rate = setting.invariant if framed else setting.plain
    optimiser = torch.optim.Adam(result.model.parameters(), rate)
    pace = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, setting.steps, pct_start=0.1, cycle_momentum=False
    )
    draw = torch.Generator().manual_seed(seed)
    for step in range(1, setting.steps + 1):
        begun = time.thread_time()
        batch = images[torch.randint(count, (BATCH,), generator=draw)]
        loss = (result.model(batch)[0] - batch).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        pace.step()
        result.seconds += time.thread_time() - begun
        if step % max(setting.steps // looks, 1) == 0:
            result.steps.append(step)
            result.scores.append(score(result.model, *test))
    return result


def draw_picture(setting: Setting, runs: dict[str, list[Trained]]) -> None:
    """Images, who owns what in truth and as both say, and the scores over the steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    images, owner = scenes(200, setting, 1)
    some = slice(0, 6)
    rows = {"image": images[some, 0].numpy(), "true": owner[some].numpy()}
    for name, trained in runs.items():
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(0)
            share = trained[0].model(images)[1][some]
        rows[name] = share.argmax(1).view_as(owner[some]).numpy() + 1
    figure: Any = plt.figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.35, 1])
    axes = left.subplots(len(rows), 6)
    for line, (name, pictures) in zip(axes, rows.items(), strict=True):
        line[0].set_ylabel(name.replace(", ", ",\n"), fontsize=8)
        for k, (ax, picture) in enumerate(zip(line, pictures, strict=True)):
            if name == "image":
                ax.imshow(picture, cmap="gray")
            else:
                # Pixels of sprites, which alone are counted, stand out.
                shade = 0.3 + 0.7 * rows["image"][k]
                ax.imshow(
                    np.where(picture > 0, picture, np.nan), "Set2", vmin=1, vmax=8, alpha=shade
                )
            ax.set(xticks=[], yticks=[])
    ax = right.add_subplot()
    for (name, trained), colour in zip(runs.items(), ("#c77d1e", "#1f66b1"), strict=True):
        for k, one in enumerate(trained):
            ax.plot(one.steps, one.scores, "o-", ms=3, color=colour, label=None if k else name)
    ax.set(xlabel="steps", ylabel="adjusted Rand index of sprites", title="Images not trained on")
    ax.legend(frameon=False)
    figure.savefig("slot_attention.png", dpi=150)


def compare(setting: Setting, seeds: tuple[int, ...]) -> dict[str, list[Trained]]:
    """Plain slots with all images and invariant ones with a tenth, for each seed."""
    kinds = {
        f"plain, {setting.images} images": (False, setting.images),
        f"invariant, {setting.images // 10} images": (True, setting.images // 10),
    }
    runs: dict[str, list[Trained]] = {name: [] for name in kinds}
    for seed in seeds:
        for name, (framed, count) in kinds.items():
            runs[name].append(train(setting, framed, count, seed))
            last = runs[name][-1]
            print(f"seed {seed}, {name:24} {last.scores[-1]:.3f} in {last.seconds:4.0f} s")
    return runs


if __name__ == "__main__":
    torch.set_num_threads(1)
    if "--quick" in sys.argv:
        compare(QUICK, SEEDS[:1])
    else:
        draw_picture(Setting(), compare(Setting(), SEEDS))
