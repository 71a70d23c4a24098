"""A first structure from a word: a SMILES string, a name or formula known to ASE, or a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import DataError
from .frame import Frame
from .sources import read_frames

SMILES: dict[str, str] = {
    "C": "CH4",
    "CC": "C2H6",
    "CCO": "CH3CH2OH",
    "CO": "CH3OH",
    "O": "H2O",
    "N": "NH3",
    "C=C": "C2H4",
    "C#C": "C2H2",
    "C#N": "HCN",
    "C=O": "H2CO",
    "CC=O": "CH3CHO",
    "CC(=O)O": "CH3COOH",
    "COC": "CH3OCH3",
    "CN": "H3CNH2",
    "c1ccccc1": "C6H6",
    "c1ccncc1": "C5H5N",
    "O=C=O": "CO2",
}
"""SMILES strings that need no further package, and what ASE calls these molecules."""


def first_structure(word: str) -> Frame:
    """The structure that a word means.

    Looked up in this order: a file (its last frame), a SMILES string of the table, a molecule or
    formula known to ASE, a SMILES string that rdkit reads. So CO is methanol, as SMILES has it.

    Raises:
        DataError: none of these.

    Example:
        >>> first_structure("CCO").numbers.tolist() == first_structure("CH3CH2OH").numbers.tolist()
        True
    """
    if Path(word).is_file():
        *_, frame = read_frames(word)
        return frame
    from ase.build import molecule

    try:
        atoms = molecule(SMILES.get(word, word))
    except (KeyError, NotImplementedError):
        return _from_smiles(word)
    return Frame(np.array(atoms.numbers, dtype=np.int64), np.array(atoms.positions))


def _from_smiles(word: str) -> Frame:
    remedy = "pip install 'schur[smiles]' reads any SMILES string"
    try:
        from rdkit import Chem, RDLogger
        from rdkit.Chem import AllChem
    except ImportError:
        raise _unknown(word, remedy) from None
    blocked = RDLogger.DisableLog  # what rdkit says on standard error, the error here says
    blocked("rdApp.*")
    molecule = Chem.MolFromSmiles(word)
    if molecule is None:
        raise _unknown(word, "rdkit cannot read it as SMILES either")
    molecule = Chem.AddHs(molecule)
    if AllChem.EmbedMolecule(molecule, randomSeed=0) != 0:  # pyright: ignore[reportAttributeAccessIssue]
        raise _unknown(word, "rdkit finds no shape for it; give a structure file")
    AllChem.MMFFOptimizeMolecule(molecule)  # pyright: ignore[reportAttributeAccessIssue]
    numbers = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
    return Frame(np.array(numbers), np.array(molecule.GetConformer().GetPositions()))


def _unknown(word: str, remedy: str) -> DataError:
    return DataError(
        f"this molecule is not known: {word}",
        expected="a structure file, a name or formula of ase.build.molecule, or a SMILES string",
        remedy=remedy,
    )
