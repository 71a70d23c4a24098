"""Counting what message passing cannot see: triangles and rings of four in regular graphs.

Every vertex of the graphs has three neighbours, so message passing gives all of them, and all
graphs of one size, the same numbers. A network on pairs that commutes with renumbering (order-2
S_n, with products of neighbours) learns to count.

    python count_substructures.py            # under a minute; writes count_substructures.png
    python count_substructures.py --quick    # a few seconds, no picture
"""

import sys
import time

import numpy as np
import torch

from schur.nn import PermutationLinear, PermutationNetwork

SIZES = (10, 12, 14, 16)


def cubic(n: int, rng: np.random.Generator) -> np.ndarray:
    """A random graph whose vertices have three neighbours: half-edges paired at random."""
    while True:
        ends = rng.permutation(np.repeat(np.arange(n), 3)).reshape(-1, 2)
        graph = np.zeros((n, n))
        graph[ends[:, 0], ends[:, 1]] = graph[ends[:, 1], ends[:, 0]] = 1.0
        if np.all(np.diag(graph) == 0) and np.all(graph.sum(0) == 3):
            return graph


def counts(graph: np.ndarray) -> list[float]:
    """Triangles and rings of four, from closed walks: of the walks of four steps leave out those
    that go back and forth, n d^2 + n d (d - 1)."""
    walks = [np.trace(np.linalg.matrix_power(graph, k)) for k in (3, 4)]
    return [walks[0] / 6, (walks[1] - len(graph) * (9 + 6)) / 8]


def data(many: int, seed: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """For each size graphs and counts."""
    rng = np.random.default_rng(seed)
    found = []
    for n in SIZES:
        graphs = np.array([cubic(n, rng) for _ in range(many // len(SIZES))])
        found.append(
            (torch.tensor(graphs).float(), torch.tensor([counts(g) for g in graphs]).float())
        )
    return found


class Pairs(torch.nn.Module):
    """Order 2: functions of pairs of vertices; a sum over all pairs at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.body = PermutationNetwork([2, 2, 2, 2], [1, 12, 12, 2], multiply=True)

    def forward(self, graphs: torch.Tensor) -> torch.Tensor:
        return self.body(graphs[..., None]).sum((1, 2))


class Messages(torch.nn.Module):
    """Order 1: vertices gather from neighbours; a sum over all vertices at the end."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        widths = [(2, width), (2 * width, width), (2 * width, 2)]
        self.layers = torch.nn.ModuleList(PermutationLinear(1, 1, a, b) for a, b in widths)

    def forward(self, graphs: torch.Tensor) -> torch.Tensor:
        x = torch.ones(*graphs.shape[:2], 1)
        for layer in self.layers:
            x = layer(torch.cat([torch.nn.functional.silu(x), graphs @ x], -1))
        return x.sum(1)


def train(network: torch.nn.Module, sets: list, steps: int) -> None:
    """Adam on the squared error, a batch of one size a step."""
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        graphs, target = sets[step % len(sets)]
        chosen = torch.randint(len(graphs), (32,), generator=generator)
        loss = (network(graphs[chosen]) - target[chosen]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def draw(results: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """True against predicted counts, a row a network."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(7, 7), constrained_layout=True)
    for row, (name, (true, found)) in zip(axes, results.items(), strict=True):
        for axis, title, x, y in zip(
            row, ("triangles", "rings of four"), true.T, found.T, strict=True
        ):
            spread = np.random.default_rng(0).uniform(-0.15, 0.15, len(x))
            axis.plot([0, x.max()], [0, x.max()], color="0.8", zorder=0)
            axis.scatter(x + spread, y, s=6, alpha=0.5, linewidths=0)
            axis.set(title=f"{title}, {name}", xlabel="true count", ylabel="predicted")
    figure.savefig("count_substructures.png", dpi=120)
    print("count_substructures.png")


def main() -> None:
    quick = "--quick" in sys.argv
    torch.manual_seed(0)
    sets, held_out = data(80 if quick else 800, 0), data(400, 1)
    true = torch.cat([target for _, target in held_out])
    print("spread of the counts:", [f"{x:.2f}" for x in true.std(0).tolist()])
    results = {}
    for name, network in (("message passing", Messages()), ("order-2 S_n network", Pairs())):
        start = time.process_time()
        train(network, sets, 20 if quick else 1000)
        with torch.no_grad():
            found = torch.cat([network(graphs) for graphs, _ in held_out])
        errors = (found - true).square().mean(0).sqrt().tolist()
        numel = sum(p.numel() for p in network.parameters())
        seconds = time.process_time() - start
        print(f"{name}: {numel} parameters, {seconds:.0f} s of a processor")
        print(f"  RMSE {errors[0]:.3f} of triangles, {errors[1]:.3f} of rings of four")
        results[name] = true.numpy(), found.numpy()
    if not quick:
        draw(results)


if __name__ == "__main__":
    main()
