"""The loop nest of a pass: what is computed at which level, shared subexpressions, no text.

A pass is a list of groups.  A group holds the terms of paths that share channel letters; its
nest is

    for each outer letter:            scalars that depend on the letters so far
        for each vector of channels:  sums of products of vectors and scalars -> targets
        after the vectors:            reductions over channels -> targets without the vector letter

Terms are turned into nested sums (Horner's rule over the operands, in the order that needs the
fewest operations), and equal subexpressions are made once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import permutations

from schur.engine.schedule import Pass
from schur.forms import Operand, Path

# Reductions kept in registers at a time: more would spill on every machine we know.
_ACCUMULATORS = 20
# Operations in one vector loop; longer ones are cut so that compile time stays linear.
_LOOP_OPERATIONS = 400
# Above this many terms the order of operands is chosen by rule and not by trial.
_TRIAL_TERMS = 1500

Ref = tuple[str, int, int, str]  # operand, block, component, channel letters
Node = int


@dataclass(frozen=True)
class Entry:
    """Where a load or store goes: a component of a block, with the letters of its channels."""

    operand: str
    offset: int  # of the component within the row
    letters: str
    extents: tuple[int, ...]


@dataclass
class Graph:
    """Hash-consed expressions: loads and sums of products."""

    loads: dict[Node, Entry] = field(default_factory=dict)
    sums: dict[Node, tuple[tuple[Node, Node | float], ...]] = field(default_factory=dict)
    constants: dict[Node, float] = field(default_factory=dict)
    level: dict[Node, int] = field(default_factory=dict)
    vector: dict[Node, bool] = field(default_factory=dict)
    _ids: dict[object, Node] = field(default_factory=dict)

    def load(self, entry: Entry, level: int, vector: bool) -> Node:
        node = self._node(entry)
        self.loads[node], self.level[node], self.vector[node] = entry, level, vector
        return node

    def sum(self, pairs: Iterable[tuple[Node, Node | float]]) -> Node:
        """The value of `sum a * b`; a lone `a * 1` is `a` itself."""
        key = tuple(sorted(pairs, key=_pair_key))
        if len(key) == 1 and key[0][1] == 1.0 and isinstance(key[0][1], float):
            return key[0][0]
        # Node 2 and the number 2.0 are equal to Python, and must not be taken for each other.
        node = self._node(tuple((a, isinstance(b, float), b) for a, b in key))
        if node not in self.sums:
            parts = [a for a, _ in key] + [b for _, b in key if not isinstance(b, float)]
            self.sums[node] = key
            self.level[node] = max(self.level[p] for p in parts)
            self.vector[node] = any(self.vector[p] for p in parts)
        return node

    def constant(self, value: float) -> Node:
        """A number as a node, for sums that have a constant term."""
        node = self._node(("constant", value))
        self.constants[node], self.level[node], self.vector[node] = value, 0, False
        return node

    def operations(self) -> int:
        """Multiply-adds on vectors, the measure by which orders are compared."""
        return sum(len(pairs) for node, pairs in self.sums.items() if self.vector[node])

    def reachable(self, roots: Iterable[Node]) -> list[Node]:
        """The nodes under the roots, operands before their uses."""
        order: dict[Node, None] = {}
        stack: list[tuple[Node, bool]] = [(root, False) for root in reversed(list(roots))]
        while stack:
            node, done = stack.pop()
            if node in order:
                continue
            if done or node not in self.sums:
                order[node] = None
                continue
            stack.append((node, True))
            for a, b in reversed(self.sums[node]):
                if not isinstance(b, float):
                    stack.append((b, False))
                stack.append((a, False))
        return list(order)

    def _node(self, key: object) -> Node:
        return self._ids.setdefault(key, len(self._ids))


def _pair_key(pair: tuple[Node, Node | float]) -> tuple[int, int, float]:
    a, b = pair
    return (a, 0, b) if isinstance(b, float) else (a, 1, float(b))


@dataclass
class Loop:
    """One loop over vectors of channels.

    Args:
        stores: vectors added to a target's channels.
        reductions: vectors summed over the loop, and what the sums feed once it has ended.
    """

    stores: list[tuple[Entry, Node | float]] = field(default_factory=list)
    reductions: list[tuple[Node, list[tuple[Entry, Node | float]]]] = field(default_factory=list)


@dataclass
class Group:
    """The nest of paths that share their letters.

    Args:
        outer: letters looped over one by one, with extents.
        vector: the letter whose channels are one vector, or None.
        extent: the vector letter's extent.
        loops: the loops over vectors.
        scalars: stores of groups without a vector letter.
    """

    graph: Graph
    outer: tuple[tuple[str, int], ...]
    vector: str | None
    extent: int
    loops: list[Loop]
    scalars: list[tuple[Entry, Node | float]]


@dataclass(frozen=True)
class _Term:
    target: Entry
    target_has_vector: bool
    vectors: tuple[Ref, ...]
    scalars: tuple[Ref, ...]
    coefficient: float


# A path with the target that it adds to and the operands by name.
Member = tuple[str, dict[str, Operand], Path]


def groups(work: Pass) -> list[Group]:
    """The nests of a pass, one for each set of paths that belong together."""
    return [group(members) for members in together(work)]


def together(work: Pass) -> list[list[Member]]:
    """The paths of a pass in sets that share labels and letters."""
    sets: dict[object, list[Member]] = {}
    lone = 0
    for statement in work.statements:
        for path in statement.form.paths:
            extents = statement.form.extents(path)
            key: object = (path.label, tuple(sorted(extents.items())))
            if not path.label:
                key, lone = lone, lone + 1
            sets.setdefault(key, []).append((statement.target, statement.form.by_name, path))
    return list(sets.values())


def _vector_letter(members: Sequence[Member], extents: dict[str, int]) -> str | None:
    """The longest letter that lies contiguously wherever it occurs."""
    factors = [factor for _, _, path in members for factor in path.factors]
    fitting = [
        letter
        for letter, extent in extents.items()
        if extent > 1 and all(letter not in f.letters[:-1] for f in factors)
    ]
    return max(fitting, key=lambda letter: extents[letter], default=None)


class _Space:
    """Entries of operands within the letters of a group."""

    def __init__(self, members: Sequence[Member], outermost: str = "") -> None:
        self.extents: dict[str, int] = {}
        self.operands: dict[str, Operand] = {}
        for _, operands, path in members:
            self.operands.update(operands)
            for factor in path.factors:
                channels = operands[factor.operand].blocks[factor.block].channels
                self.extents.update(zip(factor.letters, channels, strict=True))
        self.vector = _vector_letter(members, self.extents)
        others = [letter for letter in self.extents if letter != self.vector]
        others.sort(key=lambda letter: letter not in outermost)
        self.outer = tuple((letter, self.extents[letter]) for letter in others)
        self.depth = {letter: k + 1 for k, (letter, _) in enumerate(self.outer)}

    def entry(self, ref: Ref) -> Entry:
        name, block, component, letters = ref
        shape = self.operands[name].blocks[block]
        width = shape.size // shape.components
        offset = self.operands[name].offsets[block] + component * width
        return Entry(name, offset, letters, shape.channels)

    def level(self, letters: str) -> int:
        return max((self.depth.get(letter, 0) for letter in letters), default=0)


def group(members: Sequence[Member], outermost: str = "") -> Group:
    """The nest of paths that share their letters, loops over the `outermost` ones outside."""
    space = _Space(members, outermost)
    terms = list(_terms(members, space))
    refs = {ref for term in terms for ref in (*term.vectors, *term.scalars)}
    count = {}
    for ref in refs:
        count[ref[0]] = count.get(ref[0], 0) + 1
    # Operands with one component (weights) are multiplied last; the order of the others is tried.
    single, several = [], []
    for name in sorted({r[0] for t in terms for r in t.vectors}):
        (single if count[name] == 1 else several).append(name)
    orders: Iterable[tuple[str, ...]] = [tuple(several)]
    if len(terms) <= _TRIAL_TERMS and 1 < len(several) <= 4:
        orders = permutations(several)
    best: tuple[int, Group] | None = None
    for order in orders:
        made = _nest(space, terms, {name: k for k, name in enumerate((*single, *order))})
        operations = made.graph.operations()
        if best is None or operations < best[0]:
            best = (operations, made)
    assert best is not None
    return best[1]


def _terms(members: Sequence[Member], space: _Space) -> Iterable[_Term]:
    for target, _, path in members:
        (slot,) = path.positions(target)
        has_vector = [space.vector is not None and space.vector in f.letters for f in path.factors]
        for row, coefficient in zip(path.components.tolist(), path.coefficients, strict=True):
            refs = [
                (f.operand, f.block, c, f.letters) for f, c in zip(path.factors, row, strict=True)
            ]
            others = [k for k in range(len(refs)) if k != slot]
            yield _Term(
                space.entry(refs[slot]),
                has_vector[slot],
                tuple(refs[k] for k in others if has_vector[k]),
                tuple(refs[k] for k in others if not has_vector[k]),
                float(coefficient),
            )


class _Nester:
    """Builds the expressions of one group for one order of the vector operands."""

    def __init__(self, space: _Space, priority: dict[str, int]) -> None:
        self.space, self.priority = space, priority
        self.graph = Graph()
        self._loads: dict[Ref, Node] = {}

    def load(self, ref: Ref) -> Node:
        if ref not in self._loads:
            letters = ref[3]
            vector = self.space.vector is not None and self.space.vector in letters
            self._loads[ref] = self.graph.load(
                self.space.entry(ref), self.space.level(letters), vector
            )
        return self._loads[ref]

    def vectors_sorted(self, refs: Sequence[Ref]) -> tuple[Ref, ...]:
        return tuple(sorted(refs, key=lambda r: (self.priority[r[0]], r)))

    def scalars_sorted(self, refs: Sequence[Ref]) -> tuple[Ref, ...]:
        """The deepest first, so that what depends on few letters is summed outside their loops."""
        return tuple(sorted(refs, key=lambda r: (-self.space.level(r[3]), r)))

    def horner(self, terms: dict[tuple[Ref, ...], Node | float]) -> Node | float:
        """`sum coefficient * product of refs`, nested from the first ref inwards."""
        children: dict[Ref, dict[tuple[Ref, ...], Node | float]] = {}
        pairs: list[tuple[Node, Node | float]] = []
        constant = 0.0
        for refs, coefficient in terms.items():
            if refs:
                children.setdefault(refs[0], {})[refs[1:]] = coefficient
            elif isinstance(coefficient, float):
                constant += coefficient
            else:
                pairs.append((coefficient, 1.0))
        if not children and not pairs:
            return constant
        for ref, rest in children.items():
            pairs.append((self.load(ref), self.horner(rest)))
        if constant:
            pairs.append((self.graph.constant(constant), 1.0))
        return self.graph.sum(pairs)

    def polynomial(self, terms: dict[tuple[Ref, ...], float]) -> Node | float:
        """The scalar factor of a product of vectors."""
        return self.horner({self.scalars_sorted(refs): c for refs, c in terms.items()})


def _nest(space: _Space, terms: Sequence[_Term], priority: dict[str, int]) -> Group:
    nester = _Nester(space, priority)
    extent = space.extents[space.vector] if space.vector else 1
    group = Group(nester.graph, space.outer, space.vector, extent, [], [])
    stored = [term for term in terms if term.target_has_vector]
    reduced = [term for term in terms if not term.target_has_vector and term.vectors]
    scalar = [term for term in terms if not term.target_has_vector and not term.vectors]
    _add_stores(group, nester, stored)
    _add_reductions(group, nester, reduced)
    # A sum over the vector letter of something that does not have it is a multiple.
    by_target: dict[Entry, dict[tuple[Ref, ...], float]] = {}
    for term in scalar:
        held = by_target.setdefault(term.target, {})
        held[term.scalars] = held.get(term.scalars, 0.0) + term.coefficient * extent
    group.scalars = [(target, nester.polynomial(held)) for target, held in by_target.items()]
    return group


def _add_stores(group: Group, nester: _Nester, terms: Sequence[_Term]) -> None:
    by_target: dict[Entry, dict[tuple[Ref, ...], dict[tuple[Ref, ...], float]]] = {}
    for term in terms:
        products = by_target.setdefault(term.target, {})
        held = products.setdefault(nester.vectors_sorted(term.vectors), {})
        held[term.scalars] = held.get(term.scalars, 0.0) + term.coefficient
    inside: set[Node] = set()
    operations = _LOOP_OPERATIONS
    for target, products in by_target.items():
        factors = {refs: nester.polynomial(held) for refs, held in products.items()}
        value = nester.horner(factors)
        if operations >= _LOOP_OPERATIONS:
            group.loops.append(Loop())
            inside, operations = set(), 0
        group.loops[-1].stores.append((target, value))
        if not isinstance(value, float):
            new = set(nester.graph.reachable([value])) - inside
            inside |= new
            operations += sum(
                len(nester.graph.sums[n])
                for n in new
                if n in nester.graph.sums and nester.graph.vector[n]
            )


def _add_reductions(group: Group, nester: _Nester, terms: Sequence[_Term]) -> None:
    """Sums over channels; products that feed the same targets alike are summed as one."""
    feeds: dict[tuple[Ref, ...], dict[tuple[Entry, tuple[Ref, ...]], float]] = {}
    for term in terms:
        held = feeds.setdefault(nester.vectors_sorted(term.vectors), {})
        key = (term.target, nester.scalars_sorted(term.scalars))
        held[key] = held.get(key, 0.0) + term.coefficient
    alike: dict[tuple[tuple[tuple[Entry, tuple[Ref, ...]], float], ...], list[tuple[Ref, ...]]] = {}
    for refs, held in feeds.items():
        alike.setdefault(tuple(held.items()), []).append(refs)
    loop: Loop | None = None
    for signature, products in alike.items():
        if loop is None or len(loop.reductions) >= _ACCUMULATORS:
            loop = Loop()
            group.loops.append(loop)
        by_target: dict[Entry, dict[tuple[Ref, ...], float]] = {}
        for (target, scalars), coefficient in signature:
            by_target.setdefault(target, {})[scalars] = coefficient
        value = nester.horner(dict.fromkeys(products, 1.0))
        assert not isinstance(value, float)
        feeds_of = [(target, nester.polynomial(held)) for target, held in by_target.items()]
        loop.reductions.append((value, feeds_of))
