/* Products of strided blocks of rows with small matrices, for one number type T.

   A path reads `components` lines of mul_in numbers in a row of x and adds to as many lines of
   mul_out numbers in a row of out.  Panels of a matrix, NR vectors wide, are packed once for a run
   of rows; a tile of MR lines by NR vectors stays in registers while all paths into a block add up
   in it.  Each number is summed in one fixed order whatever the tile or thread that makes it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
typedef T V __attribute__((vector_size(BYTES)));
typedef T U __attribute__((vector_size(BYTES), aligned(sizeof(T)))); /* not aligned in memory */
enum { L = BYTES / sizeof(T) };
#if defined(__AVX512F__) || defined(__aarch64__)
enum { MR = 6, NR = 4 }; /* 32 registers */
#else
enum { MR = 4, NR = 2 }; /* 16 registers */
#endif
enum { PANEL = NR * L, DEEP = 128 };

typedef struct { int64_t start_in, start_out, components, mul_in, mul_out, start_weight; double scale; } Path;
typedef struct { int64_t group, group_end, first, last, slot, split; } Item; /* as the runtime's */
typedef struct {
  const Path *paths; /* by start_out */
  int64_t count, dim_in, dim_out, weight_numel, transposed;
  const T *x, *y; /* y: weights, or the cotangent whose product with x is asked for */
  T *out;
  const int64_t *order; /* the rows of group 0, then of group 1 and so on; NULL: as they stand */
} Call;

/* Room that each thread keeps. */
static T *room(int64_t numbers) {
  static _Thread_local T *kept;
  static _Thread_local int64_t size;
  if (numbers > size) {
    free(kept);
    size = numbers;
    kept = aligned_alloc(64, (size * sizeof(T) + 63) / 64 * 64);
    if (!kept) abort();
  }
  return kept;
}

/* The lines of some rows one after another: all components of a row, then the next row. */
typedef struct { const int64_t *order; int64_t position, component, components; } Walk;
typedef struct { int64_t row, component; } Line;

static inline Line next(Walk *w) {
  const Line line = {w->order ? w->order[w->position] : w->position, w->component};
  if (++w->component == w->components) { w->component = 0; ++w->position; }
  return line;
}

/* Columns [n0, n0 + width) of a path's matrix times its scale, padded to `nr` vectors with zeros. */
static void pack(const Path *p, const T *weight, int transposed, int64_t n0, int64_t width, int nr,
                 T *panel) {
  const T *w = weight + p->start_weight;
  const T scale = (T)p->scale;
  for (int64_t k = 0; k < p->mul_in; ++k) {
    T *to = panel + k * nr * L;
    if (transposed)
      for (int64_t n = 0; n < width; ++n) to[n] = scale * w[(n0 + n) * p->mul_in + k];
    else
      for (int64_t n = 0; n < width; ++n) to[n] = scale * w[k * p->mul_out + n0 + n];
    for (int64_t n = width; n < nr * L; ++n) to[n] = 0;
  }
}

/* One tile: `mr` lines by `nr` vectors, for all paths into a block. */
static inline __attribute__((always_inline)) void
tile(const int mr, const int nr, const Call *c, const Path *paths, int64_t count, const T *panel,
     const Line *lines, int64_t n0, int64_t width) {
  V sum[MR][NR];
#pragma GCC unroll 8
  for (int m = 0; m < mr; ++m)
#pragma GCC unroll 8
    for (int n = 0; n < nr; ++n) sum[m][n] = (V){0};
  for (int64_t q = 0; q < count; ++q) {
    const Path *p = paths + q;
    const T *in[MR];
#pragma GCC unroll 8
    for (int m = 0; m < mr; ++m)
      in[m] = c->x + lines[m].row * c->dim_in + p->start_in + lines[m].component * p->mul_in;
    for (int64_t k = 0; k < p->mul_in; ++k, panel += nr * L) {
      V b[NR];
#pragma GCC unroll 8
      for (int n = 0; n < nr; ++n) b[n] = *(const V *)(panel + n * L);
#pragma GCC unroll 8
      for (int m = 0; m < mr; ++m) {
        const T a = in[m][k];
#pragma GCC unroll 8
        for (int n = 0; n < nr; ++n) sum[m][n] += a * b[n];
      }
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < mr; ++m) {
    T *to = c->out + lines[m].row * c->dim_out + paths->start_out +
            lines[m].component * paths->mul_out + n0;
    if (width == nr * L) {
#pragma GCC unroll 8
      for (int n = 0; n < nr; ++n) *(U *)(to + n * L) = sum[m][n];
    } else {
      memcpy(to, sum[m], width * sizeof(T));
    }
  }
}

#define TILES(NAME, N)                                                                             \
  static void NAME(int mr, const Call *c, const Path *p, int64_t count, const T *panel,            \
                   const Line *lines, int64_t n0, int64_t width) {                                 \
    switch (mr) {                                                                                  \
      case MR: tile(MR, N, c, p, count, panel, lines, n0, width); break;                              \
      case 5: tile(5 < MR ? 5 : MR, N, c, p, count, panel, lines, n0, width); break;                  \
      case 3: tile(3, N, c, p, count, panel, lines, n0, width); break;                                \
      case 2: tile(2, N, c, p, count, panel, lines, n0, width); break;                                \
      default: tile(1, N, c, p, count, panel, lines, n0, width);                                      \
    }                                                                                              \
  }
TILES(tiles_1, 1)
TILES(tiles_2, 2)
#if defined(__AVX512F__) || defined(__aarch64__)
TILES(tiles_3, 3)
TILES(tiles_4, 4)
#else
#define tiles_3 tiles_2
#define tiles_4 tiles_2
#endif

static void block(const Call *c, const Path *paths, int64_t count, const Item *item) {
  const T *weight = c->y + item->group * c->weight_numel;
  const int64_t mul_out = paths->mul_out;
  int64_t deep = 0;
  for (int64_t q = 0; q < count; ++q) deep += paths[q].mul_in;
  T *panel = room(deep * PANEL);
  for (int64_t n0 = 0; n0 < mul_out; n0 += PANEL) {
    const int64_t width = mul_out - n0 < PANEL ? mul_out - n0 : PANEL;
    const int nr = (int)((width + L - 1) / L);
    T *to = panel;
    for (int64_t q = 0; q < count; to += paths[q].mul_in * nr * L, ++q)
      pack(paths + q, weight, c->transposed, n0, width, nr, to);
    Walk walk = {c->order, item->first, 0, paths->components};
    for (int64_t left = (item->last - item->first) * paths->components; left > 0;) {
      int mr = left >= MR ? MR : left == 4 ? 3 : (int)left; /* 4 lines are 3 and 1 */
      Line lines[MR];
      for (int m = 0; m < mr; ++m) lines[m] = next(&walk);
      if (nr == 1) tiles_1(mr, c, paths, count, panel, lines, n0, width);
      else if (nr == 2) tiles_2(mr, c, paths, count, panel, lines, n0, width);
      else if (nr == 3) tiles_3(mr, c, paths, count, panel, lines, n0, width);
      else tiles_4(mr, c, paths, count, panel, lines, n0, width);
      left -= mr;
    }
  }
}

/* out[row] = Σ_paths scale x[row] W: every block that a path goes to is written. */
void apply(const Call *c, const Item *item) {
  for (int64_t p = 0; p < c->count;) {
    int64_t end = p + 1;
    while (end < c->count && c->paths[end].start_out == c->paths[p].start_out) ++end;
    block(c, c->paths + p, end - p, item);
    p = end;
  }
}

/* Lines of two tables, side by side: a's by address, b's packed, and what they add to. */
typedef struct { const T *a[DEEP]; int64_t depth; const T *panel; T *out; int64_t stride, width; } Deep;

/* out[m, n] += Σ_d a[d, m] b[d, n] for `mr` columns of a and `nr` vectors of b. */
static inline __attribute__((always_inline)) void
corner(const int mr, const int nr, const Deep *d, int64_t m0) {
  V sum[MR][NR];
#pragma GCC unroll 8
  for (int m = 0; m < mr; ++m)
#pragma GCC unroll 8
    for (int n = 0; n < nr; ++n) sum[m][n] = (V){0};
  for (int64_t k = 0; k < d->depth; ++k) {
    const T *a = d->a[k] + m0, *b = d->panel + k * nr * L;
#pragma GCC unroll 8
    for (int m = 0; m < mr; ++m)
#pragma GCC unroll 8
      for (int n = 0; n < nr; ++n) sum[m][n] += a[m] * *(const V *)(b + n * L);
  }
#pragma GCC unroll 8
  for (int m = 0; m < mr; ++m) {
    T *to = d->out + (m0 + m) * d->stride;
    if (d->width == nr * L) {
#pragma GCC unroll 8
      for (int n = 0; n < nr; ++n) *(U *)(to + n * L) += sum[m][n];
    } else {
      for (int64_t n = 0; n < d->width; ++n) to[n] += ((T *)sum[m])[n];
    }
  }
}

#define CORNERS(NAME, N)                                                                           \
  static void NAME(const Deep *d, int64_t columns) {                                               \
    int64_t m = 0;                                                                                 \
    for (; m + MR <= columns; m += MR) corner(MR, N, d, m);                                        \
    for (; m + 2 <= columns; m += 2) corner(2, N, d, m);                                           \
    for (; m < columns; ++m) corner(1, N, d, m);                                                   \
  }
CORNERS(corners_1, 1)
CORNERS(corners_2, 2)
#if defined(__AVX512F__) || defined(__aarch64__)
CORNERS(corners_3, 3)
CORNERS(corners_4, 4)
#else
#define corners_3 corners_2
#define corners_4 corners_2
#endif

/* Σ over the item's rows of scale x y for one path. */
static void outer_path(const Call *c, const Path *p, const Item *item, T *out) {
  const int swap = (int)c->transposed;
  const T *a = swap ? c->y + p->start_out : c->x + p->start_in;
  const T *b = swap ? c->x + p->start_in : c->y + p->start_out;
  const int64_t dim_a = swap ? c->dim_out : c->dim_in, dim_b = swap ? c->dim_in : c->dim_out;
  const int64_t mul_a = swap ? p->mul_out : p->mul_in, mul_b = swap ? p->mul_in : p->mul_out;
  const T scale = (T)p->scale;
  T *panel = room(DEEP * PANEL);
  Deep d = {.panel = panel, .stride = mul_b};
  for (int64_t n0 = 0; n0 < mul_b; n0 += PANEL) {
    d.width = mul_b - n0 < PANEL ? mul_b - n0 : PANEL;
    d.out = out + n0;
    const int nr = (int)((d.width + L - 1) / L);
    Walk walk = {c->order, item->first, 0, p->components};
    for (int64_t left = (item->last - item->first) * p->components; left > 0; left -= d.depth) {
      d.depth = left < DEEP ? left : DEEP;
      for (int64_t k = 0; k < d.depth; ++k) {
        const Line line = next(&walk);
        d.a[k] = a + line.row * dim_a + line.component * mul_a;
        const T *from = b + line.row * dim_b + line.component * mul_b + n0;
        T *to = panel + k * nr * L;
        for (int64_t n = 0; n < d.width; ++n) to[n] = scale * from[n];
        for (int64_t n = d.width; n < nr * L; ++n) to[n] = 0;
      }
      if (nr == 1) corners_1(&d, mul_a);
      else if (nr == 2) corners_2(&d, mul_a);
      else if (nr == 3) corners_3(&d, mul_a);
      else corners_4(&d, mul_a);
    }
  }
}

/* out[slot] = the gradient of ⟨y, apply(x)⟩ by the weights, summed over the item's rows. */
void outer(const Call *c, const Item *item) {
  T *out = c->out + item->slot * c->weight_numel;
  memset(out, 0, c->weight_numel * sizeof(T));
  for (int64_t p = 0; p < c->count; ++p)
    outer_path(c, c->paths + p, item, out + c->paths[p].start_weight);
}
