"""C text of sums across the lanes of a vector."""

from __future__ import annotations

_WIDTHS = (16, 8, 4, 2)
_REGISTER = 16  # bytes of the narrowest one

_IN_MEMORY = """\
  T s[W]; memcpy(s, &v, sizeof v);
  for (int h = W / 2; h > 0; h /= 2) for (int k = 0; k < h; ++k) s[k] += s[k + h];
  return s[0];"""


def lanes_sum(itemsize: int) -> str:
    """`lanes_sum(v, n)`: the sum of a vector's first n lanes, where those behind them are zero.

    Half is added to half in registers, where the compiler has shuffles: a round through memory
    takes several times as long. The order of additions is the same for both.
    """
    lines = [
        "#ifdef __has_builtin",
        "#if __has_builtin(__builtin_shufflevector)",
        "#define HAS_SHUFFLES",
        "#endif",
        "#endif",
    ]
    least = _REGISTER // itemsize
    widths = [width for width in _WIDTHS if least <= width <= 64 // itemsize]
    for width in widths[1:]:
        lines += [f"#if WIDTH > {width}", _half_type(width, itemsize), "#endif"]
    lines.append("static inline T lanes_sum(V v, int n) { (void)n;")
    for width in widths:
        lines += [
            f"#if WIDTH == {width} && defined(HAS_SHUFFLES)",
            *_folded(width, least),
            "#endif",
        ]
    return "\n".join([*lines, "#ifndef HAS_SHUFFLES", _IN_MEMORY, "#endif", "}", ""])


def _half_type(width: int, itemsize: int) -> str:
    return f"typedef T V{width} __attribute__((vector_size({width * itemsize})));"


def _folded(width: int, least: int) -> list[str]:
    lines, name = [], "v"
    while width > least:
        half = width // 2
        low, high = (", ".join(map(str, range(k, k + half))) for k in (0, half))
        lines.append(f"  V{half} v{half} = __builtin_shufflevector({name}, {name}, {low});")
        lines.append(
            f"  if (n > {half}) v{half} += __builtin_shufflevector({name}, {name}, {high});"
        )
        width, name = half, f"v{half}"
    pairs = "({0}[0] + {0}[2]) + ({0}[1] + {0}[3])" if least == 4 else "{0}[0] + {0}[1]"
    return [*lines, f"  return {pairs.format(name)};"]
