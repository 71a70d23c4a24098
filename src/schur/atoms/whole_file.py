"""A file that is written to its end or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import DataError


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """The path of a partial file that takes the place of `path` once the block ends well.

    Args:
        path: target; the folder must exist.

    Raises:
        DataError: no space or no permission; a file that was there before is then unchanged.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "a.txt"
        >>> with whole_file(target) as partial:
        ...     _ = partial.write_text("whole")
        >>> target.read_text()
        'whole'
    """
    target = Path(path)
    # Its ending stays the same: libraries choose a format by it.
    partial = target.with_name(f".partial-{os.getpid()}-{target.name}")
    try:
        yield partial
        with open(partial, "rb") as stream:
            os.fsync(stream.fileno())
        os.replace(partial, target)
    except OSError as error:
        raise DataError(
            f"{target} could not be written; a file that was there before is unchanged",
            got=str(error),
            expected="a writable folder with enough free space",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
