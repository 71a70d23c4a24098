"""All equivariant maps between two representations, solved for and not looked up. No torch."""

import numpy as np

from schur.reps import Irreps, clebsch_gordan, intertwiners

vector = Irreps("1o")
pair = vector.tensor(vector)
for target in ("0e", "1e", "1o", "2e", "3o"):
    maps = intertwiners(pair, Irreps(target))
    print(f"1o x 1o -> {target}: {len(maps)} independent map(s)")

(cross,) = intertwiners(pair, Irreps("1e"))
coupling = clebsch_gordan(1, 1, 1).transpose(2, 0, 1).reshape(3, 9)
coupling = coupling / np.linalg.norm(coupling)
print(f"the one to 1e is the cross product: overlap {abs(np.vdot(cross, coupling)):.12f}")

hidden = Irreps("2x0e + 3x1o")
print(f"{hidden} -> {hidden}: {len(intertwiners(hidden, hidden))} maps = 2² + 3², by Schur's lemma")
