/* What every compiled routine needs around its loops: sorting an index, cutting the walk into
   items, running the items on the threads of the OpenMP runtime that torch has loaded, and adding
   up partial sums in a fixed order.  Items depend on the data alone and never on the number of
   threads, so results repeat bit for bit. */
#pragma GCC optimize("O3", "tree-vectorize") /* plain loops here, which the vectoriser must see */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct { int64_t segment, segment_end, row, row_end, slot, split; } Item;
typedef void (*Kernel)(const void *call, const Item *item);
typedef void (*Parallel)(void (*work)(void *), void *data, unsigned threads, unsigned flags);

/* Counting sort.  Returns -1, or the first row whose entry lies outside [0, size). */
int64_t sort_index(const int64_t *index, int64_t rows, int64_t size, int64_t *start, int64_t *order) {
  memset(start, 0, (size + 1) * sizeof(int64_t));
  for (int64_t r = 0; r < rows; ++r) {
    if (index[r] < 0 || index[r] >= size) return r;
    ++start[index[r] + 1];
  }
  for (int64_t s = 0; s < size; ++s) start[s + 1] += start[s];
  for (int64_t r = 0; r < rows; ++r) order[start[index[r]]++] = r;
  for (int64_t s = size; s > 0; --s) start[s] = start[s - 1];
  start[0] = 0;
  return -1;
}

/* Returns -1, or the first row whose entry lies outside [0, size). */
int64_t check_index(const int64_t *index, int64_t rows, int64_t size) {
  for (int64_t r = 0; r < rows; ++r)
    if (index[r] < 0 || index[r] >= size) return r;
  return -1;
}

/* Items for a walk over segments: runs of whole segments of about `grain` rows together, and pieces
   of segments longer than `longest`.  Returns the number of items; *splits counts the pieces. */
int64_t plan_segments(const int64_t *start, int64_t segments, int64_t grain, int64_t longest,
                      Item *items, int64_t *splits) {
  int64_t count = 0, begin = 0;
  *splits = 0;
  for (int64_t s = 0; s < segments; ++s) {
    const int64_t length = start[s + 1] - start[s];
    if (length > longest) {
      if (begin < s) { items[count] = (Item){begin, s, 0, 0, count, -1}; ++count; }
      for (int64_t row = start[s]; row < start[s + 1]; row += longest) {
        const int64_t end = row + longest < start[s + 1] ? row + longest : start[s + 1];
        items[count] = (Item){s, s + 1, row, end, count, (*splits)++};
        ++count;
      }
      begin = s + 1;
    } else if (start[s + 1] - start[begin] >= grain || s - begin >= 4 * grain) {
      items[count] = (Item){begin, s + 1, 0, 0, count, -1};
      ++count;
      begin = s + 1;
    }
  }
  if (begin < segments) { items[count] = (Item){begin, segments, 0, 0, count, -1}; ++count; }
  return count;
}

typedef struct { Kernel kernel; const void *call; const Item *items; int64_t count; int64_t next; } Work;

static void work(void *data) {
  Work *w = data;
  for (;;) {
    const int64_t k = __atomic_fetch_add(&w->next, 1, __ATOMIC_RELAXED);
    if (k >= w->count) return;
    w->kernel(w->call, w->items + k);
  }
}

void run_items(Kernel kernel, const void *call, const Item *items, int64_t count, Parallel parallel,
               int threads) {
  Work w = {kernel, call, items, count, 0};
  if (threads > count) threads = (int)count;
  if (threads > 1 && parallel) parallel(work, &w, (unsigned)threads, 0);
  else work(&w);
}

/* out[0..size) = sum of `count` consecutive partial rows, in their order. */
#define SUM(name, T)                                                                              \
  static void name(T *out, const T *partial, int64_t count, int64_t size) {                       \
    if (count == 0) { memset(out, 0, size * sizeof(T)); return; }                                 \
    memcpy(out, partial, size * sizeof(T));                                                       \
    for (int64_t k = 1; k < count; ++k)                                                           \
      for (int64_t i = 0; i < size; ++i) out[i] += partial[k * size + i];                         \
  }
SUM(sum_float, float)
SUM(sum_double, double)

void sum_partials(void *out, const void *partial, int64_t count, int64_t size, int itemsize) {
  if (itemsize == 4) sum_float(out, partial, count, size);
  else sum_double(out, partial, count, size);
}

/* The segments that were cut into pieces: their partial sums go to their place in `out`. */
void sum_splits(void *out, const void *partial, const Item *items, int64_t count, int64_t size,
                int itemsize) {
  for (int64_t k = 0; k < count;) {
    int64_t end = k + 1;
    if (items[k].split < 0) { k = end; continue; }
    while (end < count && items[end].split >= 0 && items[end].segment == items[k].segment) ++end;
    const int64_t bytes = size * itemsize;
    sum_partials((char *)out + items[k].segment * bytes,
                 (const char *)partial + items[k].split * bytes, end - k, size, itemsize);
    k = end;
  }
}
