"""What an inspection of data found, and whether one may go on."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from ..errors import DataError


@dataclass(frozen=True)
class Finding:
    """One thing that a chemist should know about a data set.

    Args:
        code: short name, the word that `--allow` takes.
        stops: whether training on such data would ruin the model.
        message: what was found, in one sentence with numbers.
        frames: where, by origin; the first few are shown.
        remedy: what to do about it.
        count: in how many frames, where `frames` names but the first of them.
    """

    code: str
    stops: bool
    message: str
    frames: tuple[str, ...] = ()
    remedy: str = ""
    count: int | None = None

    def __str__(self) -> str:
        lines = [f"[{self.code}] {self.message}"]
        if self.frames:
            rest = (self.count or len(self.frames)) - len(self.frames[:3])
            more = f" and {rest} more" if rest > 0 else ""
            lines.append("    in " + ", ".join(self.frames[:3]) + more)
        if self.remedy:
            lines.append(f"    {self.remedy}")
        return "\n".join(lines)


@dataclass
class Noted:
    """Frames with the same fault: all are counted, the first few are named.

    Example:
        >>> noted = Noted()
        >>> for number in range(5):
        ...     noted.add(f"frame {number}")
        >>> print(noted.finding("odd", False, "five frames are odd"))
        [odd] five frames are odd
            in frame 0, frame 1, frame 2 and 2 more
    """

    count: int = 0
    first: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return self.count

    def add(self, origin: str) -> None:
        """Counts a frame."""
        self.count += 1
        if len(self.first) < 3:
            self.first.append(origin)

    def finding(self, code: str, stops: bool, message: str, remedy: str = "") -> Finding:
        """What was found in these frames."""
        return Finding(code, stops, message, tuple(self.first), remedy, self.count)


def require(findings: Iterable[Finding], allow: Collection[str] = ()) -> None:
    """Stops where a finding would ruin the model and is not allowed by its code.

    Raises:
        DataError: with all such findings in one message.

    Example:
        >>> require([Finding("close-atoms", True, "two atoms share a place")], {"close-atoms"})
    """
    fatal = [finding for finding in findings if finding.stops and finding.code not in allow]
    if fatal:
        codes = " ".join(f"--allow {code}" for code in dict.fromkeys(f.code for f in fatal))
        raise DataError(
            "these data would give a wrong model:\n" + "\n".join(str(f) for f in fatal),
            remedy=f"mend the data, or go on knowingly with {codes}",
        )
