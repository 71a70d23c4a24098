/* Linear maps taken apart into contract, mix and copy, for W rows at a time: a vector holds one
   number of each, so that few channels or entries leave none of it empty.

   A side has the entries of a tensor and, after them, further numbers, each a sum of what stands
   before it.  Reading a tensor fills them in that order.  Writing is the transpose, from the last
   number to the first: each adds up the later ones that it is a part of.  Between the sides
   channels are mixed with the matrix of each map.  Here are the products and their gradient by the
   matrices; the gradient by the tensor is a product with the sides exchanged. */
#include <stdlib.h>

typedef struct { const int32_t *start, *other; const T *factor; } Sums; /* factor NULL: all are one */
typedef struct { int64_t entries, size, given; Sums parts, wholes; } Side; /* the last are given */
typedef struct { const int32_t *start, *to, *from, *map; const T *factor; } Couplings;
typedef struct {
  Side from, to;
  Couplings by_target, by_map;
  int64_t maps, width_in, width_out;
} Maps;
typedef struct {
  const Maps *maps;
  const T *x, *second, *given; /* second: maps by width_in by width_out; of `outer` the other rows */
  T *out;
} Task;

#define INLINE static inline __attribute__((always_inline))

/* Room that each thread keeps. */
static V *room(int64_t vectors) {
  static _Thread_local V *kept;
  static _Thread_local int64_t size;
  if (vectors > size) {
    free(kept);
    size = vectors;
    kept = aligned_alloc(BYTES, size * BYTES);
    if (!kept) abort();
  }
  return kept;
}

/* `count` numbers of each row, at most W of them, to as many vectors; zeros beyond the rows. */
INLINE void read_tile(const T *p, int64_t stride, int64_t count, int rows, V *to) {
  V tile[W];
  for (int k = 0; k < W; ++k) {
    tile[k] = (V){0};
    if (k < rows && count >= W) tile[k] = load(p + k * stride);
    else if (k < rows) memcpy(tile + k, p + k * stride, count * sizeof(T));
  }
  transpose(tile);
  for (int k = 0; k < W; ++k)
    if (k < count) to[k] = tile[k];
}

INLINE void write_tile(T *p, int64_t stride, int64_t count, int rows, const V *from) {
  V tile[W];
  for (int k = 0; k < W; ++k) tile[k] = k < count ? from[k] : (V){0};
  transpose(tile);
  for (int k = 0; k < W; ++k)
    if (k < rows && count >= W) store(p + k * stride, tile[k]);
    else if (k < rows) memcpy(p + k * stride, tile + k, count * sizeof(T));
}

/* Whole tiles first, in which nothing is asked. */
#define TILES(tile, p, size, rows, v)                                            \
  {                                                                              \
    int64_t n = 0;                                                               \
    if ((rows) == W)                                                             \
      for (; n + W <= (size); n += W) tile((p) + n, size, W, W, (v) + n);        \
    for (; n < (size); n += W) tile((p) + n, size, (size) - n, rows, (v) + n);   \
  }

/* A step for `count` channels from o on, a number that the compiler knows, until all are done. */
#define RUN(width, o, number, step) \
  for (; o + number <= (width); o += number) { enum { count = number }; step; }
#define CHANNELS(width, o, step) \
  { int64_t o = 0; RUN(width, o, 8, step) RUN(width, o, 4, step) RUN(width, o, 1, step) }
#define FEW_CHANNELS(width, o, step) \
  { int64_t o = 0; RUN(width, o, 4, step) RUN(width, o, 1, step) }

INLINE void add_sums(const Sums *s, int64_t row, const V *values, int64_t width, const int count, V *sum) {
  for (int32_t k = s->start[row]; k < s->start[row + 1]; ++k) {
    const V *from = values + s->other[k] * width;
    if (s->factor) {
#pragma GCC unroll 8
      for (int n = 0; n < count; ++n) sum[n] += s->factor[k] * from[n];
    } else {
#pragma GCC unroll 8
      for (int n = 0; n < count; ++n) sum[n] += from[n];
    }
  }
}

INLINE void contract(const Side *s, int64_t row, int64_t width, const int count, V *values) {
  V sum[8];
#pragma GCC unroll 8
  for (int n = 0; n < count; ++n) sum[n] = (V){0};
  add_sums(&s->parts, row, values, width, count, sum);
#pragma GCC unroll 8
  for (int n = 0; n < count; ++n) values[row * width + n] = sum[n];
}

/* The entries of W rows, and all numbers of that side. */
static void read_side(const Side *s, const T *x, int64_t width, int rows, V *values) {
  TILES(read_tile, x, s->entries * width, rows, values)
  for (int64_t row = s->entries; row < s->size; ++row)
    CHANNELS(width, o, contract(s, row, width, count, values + o))
}

/* `count` channels of one number of the side that is written, from those that are made of it and
   from the other side. */
INLINE void mix(const Maps *m, const T *weight, int64_t row, const int count, const V *y, V *z) {
  const int64_t width = m->width_out, deep = m->width_in;
  const Couplings *c = &m->by_target;
  V sum[8];
#pragma GCC unroll 8
  for (int n = 0; n < count; ++n) sum[n] = (V){0};
  add_sums(&m->to.wholes, row, z, width, count, sum);
  for (int32_t k = c->start[row]; k < c->start[row + 1]; ++k) {
    const V *from = y + c->from[k] * deep;
    const T *w = weight + c->map[k] * deep * width;
#pragma GCC unroll 4
    for (int64_t u = 0; u < deep; ++u, w += width) {
      const V value = c->factor ? c->factor[k] * from[u] : from[u];
#pragma GCC unroll 8
      for (int n = 0; n < count; ++n) sum[n] += w[n] * value;
    }
  }
#pragma GCC unroll 8
  for (int n = 0; n < count; ++n) z[row * width + n] = sum[n];
}

/* out = Σ_d D_d x weight_d + what the given numbers, the same for all rows, are written to. */
void apply(const Task *t, const Item *item) {
  const Maps *m = t->maps;
  const int64_t in = m->from.entries * m->width_in, out = m->to.entries * m->width_out;
  const int64_t free = m->to.size - m->to.given;
  V *y = room(m->from.size * m->width_in + m->to.size * m->width_out);
  V *z = y + m->from.size * m->width_in;
  for (int64_t b = 0; b < m->to.given * m->width_out; ++b)
    z[free * m->width_out + b] = t->given ? (V){0} + t->given[b] : (V){0};
  for (int64_t row = item->row; row < item->row_end; row += W) {
    const int rows = item->row_end - row < W ? (int)(item->row_end - row) : W;
    read_side(&m->from, t->x + row * in, m->width_in, rows, y);
    for (int64_t k = free - 1; k >= 0; --k)
      CHANNELS(m->width_out, o, mix(m, t->second + o, k, count, y, z + o))
    TILES(write_tile, t->out + row * out, out, rows, z)
  }
}

/* sums[n, p] += Σ over the couplings of a map, count_in by count_out channels of it. */
INLINE void pair(const Maps *m, int64_t map, const int count_in, const int count_out, const V *y,
                 const V *z, V *sums) {
  const int64_t width = m->width_out, deep = m->width_in;
  const Couplings *c = &m->by_map;
  V sum[4][4];
#pragma GCC unroll 4
  for (int n = 0; n < count_in; ++n)
#pragma GCC unroll 4
    for (int p = 0; p < count_out; ++p) sum[n][p] = sums[n * width + p];
  for (int32_t k = c->start[map]; k < c->start[map + 1]; ++k) {
    const V *from = y + c->from[k] * deep, *to = z + c->to[k] * width;
#pragma GCC unroll 4
    for (int n = 0; n < count_in; ++n) {
      const V value = c->factor ? c->factor[k] * from[n] : from[n];
#pragma GCC unroll 4
      for (int p = 0; p < count_out; ++p) sum[n][p] += value * to[p];
    }
  }
#pragma GCC unroll 4
  for (int n = 0; n < count_in; ++n)
#pragma GCC unroll 4
    for (int p = 0; p < count_out; ++p) sums[n * width + p] = sum[n][p];
}

INLINE void pairs(const Maps *m, int64_t map, const int deep, const V *y, const V *z,
                  V *sums) {
  FEW_CHANNELS(m->width_out, o, pair(m, map, deep, count, y, z + o, sums + o))
}

/* Sums over the lanes of `size` vectors. */
static void lane_sums(const V *v, int64_t size, T *out) {
  for (int64_t n = 0; n < size; n += W) {
    V tile[W], sum = {0};
    for (int k = 0; k < W; ++k) tile[k] = n + k < size ? v[n + k] : (V){0};
    transpose(tile);
    for (int k = 0; k < W; ++k) sum += tile[k];
    if (size - n >= W) store(out + n, sum);
    else memcpy(out + n, &sum, (size - n) * sizeof(T));
  }
}

/* The gradients of ⟨g, apply(x)⟩ by the weights and by the given numbers, one after the other, as
   the sum over the rows of an item. */
void outer(const Task *t, const Item *item) {
  const Maps *m = t->maps;
  const int64_t in = m->from.entries * m->width_in, out = m->to.entries * m->width_out;
  const int64_t block = m->width_in * m->width_out, weights = m->maps * block;
  const int64_t given = m->to.given * m->width_out, size_y = m->from.size * m->width_in;
  V *y = room(size_y + m->to.size * m->width_out + weights + given);
  V *z = y + size_y, *sums = z + m->to.size * m->width_out;
  memset(sums, 0, (weights + given) * sizeof(V));
  for (int64_t row = item->row; row < item->row_end; row += W) {
    const int rows = item->row_end - row < W ? (int)(item->row_end - row) : W;
    read_side(&m->from, t->x + row * in, m->width_in, rows, y);
    read_side(&m->to, t->second + row * out, m->width_out, rows, z);
    for (int64_t map = 0; map < m->maps; ++map)
      FEW_CHANNELS(m->width_in, u, pairs(m, map, count, y + u, z, sums + map * block + u * m->width_out))
    const V *last = z + m->to.size * m->width_out - given;
    for (int64_t b = 0; b < given; ++b) sums[weights + b] += last[b];
  }
  lane_sums(sums, weights + given, t->out + item->slot * (weights + given));
}
