"""A plain point network, made exactly E(3)-equivariant in one line, and what happens at a cube.

python examples/frames.py            the picture frames.png, in some seconds
python examples/frames.py --quick    fewer points on the curves
"""

import argparse

import matplotlib
import torch

import schur

matplotlib.use("Agg")
from matplotlib import pyplot as plt

parser = argparse.ArgumentParser(description="Plain and weighted frames near a cube.")
parser.add_argument("--quick", action="store_true")
options = parser.parse_args()

torch.manual_seed(0)
torch.set_grad_enabled(False)


class PointNetwork(torch.nn.Module):
    """A perceptron on each point and one on their mean: it knows of no symmetry but the order."""

    def __init__(self) -> None:
        super().__init__()
        self.point = torch.nn.Sequential(torch.nn.Linear(3, 64), torch.nn.Tanh())
        self.head = torch.nn.Sequential(
            torch.nn.Linear(64, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.point(3 * x).mean(-2))


network = PointNetwork().double()
model = schur.Equivariant(network, "E(3)")  # the line

clouds = torch.randn(20, 8, 3, dtype=torch.float64)
turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))[0]
change = (network(clouds @ turn) - network(clouds)).abs().max() / network(clouds).abs().max()
print(f"the network alone changes by {change:.0%} when clouds are turned; wrapped:")
print(model.report(clouds), end="\n\n")

corners = [torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 3
cube = torch.cartesian_prod(*corners)
wrapped = {
    "principal axes": model,
    "blended": schur.Equivariant(network, "E(3)", method="blended"),
    "weighted": schur.Equivariant(network, "E(3)", method="weighted"),
}
for name, one in wrapped.items():
    print(f"at a cube, {name}:\n{one.report(cube[None])}", end="\n\n")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
colours = {"principal axes": "#c77d1e", "blended": "#7a4fa3", "weighted": "#1f66b1"}

# A path of clouds that passes through the cube at 0.
direction = torch.randn(8, 3, dtype=torch.float64)
path = torch.linspace(-0.2, 0.2, 40 if options.quick else 200, dtype=torch.float64)
for name, one in wrapped.items():
    values = one(cube + path[:, None, None] * direction)[:, 0]
    half = len(path) // 2  # the halves apart, so that no line is drawn across the jump
    for part in (slice(None, half), slice(half, None)):
        label = name if part.start is None else None
        left.plot(path[part], values[part], color=colours[name], label=label)
left.set(xlabel="displacement from the cube", ylabel="result", title="Through a cube")
left.legend(frameon=False)

# The range of results for a cube with noise.
sizes = torch.logspace(-9, -1, 5 if options.quick else 17, dtype=torch.float64)
noise = torch.randn(20 if options.quick else 60, 8, 3, dtype=torch.float64)
for name, one in wrapped.items():
    results = [one(cube + size * noise) for size in sizes]
    ranges = [float(values.max() - values.min()) for values in results]
    right.loglog(sizes, ranges, "o-", ms=3, color=colours[name], label=name)
right.set(xlabel="noise", ylabel="range of results", title="A cube with noise")

figure.savefig("frames.png", dpi=150)
print("frames.png: on principal axes the result jumps at the cube; weighted frames are continuous")
