/* Products of few rows with a matrix that is put together from few distinct entries, and their
   gradients, for one number type T.

   The matrix has blocks of width_in by width_out numbers, one for each pair of an input and an
   output; blocks of one class are equal, and the block of a class is a sum of weights.  Rows of the
   matrix stand for (input, channel), columns for (output, channel). */
#pragma GCC optimize("O3", "tree-vectorize", "tree-slp-vectorize") /* plain loops here, which the vectoriser must see */
#include <stdint.h>
#include <string.h>

typedef struct {
  int64_t inputs, outputs, width_in, width_out, classes, maps, biases;
  const int32_t *labels; /* the class of each block: inputs by outputs */
  const T *patterns;     /* classes by maps; NULL: each class has a weight of its own */
  const T *shifts;       /* outputs by biases */
} Table;

/* Sums of eight numbers at a time: the compiler may not reorder one sum by itself. */
enum { L = 8 };

/* Loops of a width that the compiler knows are straight code. */
#define WITH_WIDTH(function, width, ...)                  \
  ((width) == 4   ? function(__VA_ARGS__, 4)              \
   : (width) == 8 ? function(__VA_ARGS__, 8)              \
                  : function(__VA_ARGS__, (int)(width)))

static T dot(const T *restrict a, const T *restrict b, int64_t size) {
  T part[L] = {0}, sum = 0;
  int64_t k = 0;
  for (; k + L <= size; k += L)
    for (int l = 0; l < L; ++l) part[l] += a[k + l] * b[k + l];
  for (; k < size; ++k) sum += a[k] * b[k];
  for (int l = 0; l < L; ++l) sum += part[l];
  return sum;
}

static void add(T *restrict to, const T *restrict from, T factor, int64_t size) {
  for (int64_t k = 0; k < size; ++k) to[k] += factor * from[k];
}

static void blocks(const Table *t, const T *restrict entries, T *restrict matrix, const int width) {
  const int64_t size = t->width_in * width;
  for (int64_t j = 0; j < t->inputs; ++j)
    for (int64_t u = 0; u < t->width_in; ++u)
      for (int64_t i = 0; i < t->outputs; ++i, matrix += width)
        memcpy(matrix, entries + t->labels[j * t->outputs + i] * size + u * width, width * sizeof(T));
}

/* The matrix, and the shift of every row: nothing where there is no bias. */
void assemble(const Table *t, const T *weight, const T *bias, T *entries, T *matrix, T *shift) {
  const int64_t size = t->width_in * t->width_out, width = t->width_out;
  if (t->patterns) {
    memset(entries, 0, t->classes * size * sizeof(T));
    for (int64_t c = 0; c < t->classes; ++c)
      for (int64_t d = 0; d < t->maps; ++d)
        if (t->patterns[c * t->maps + d] != 0)
          add(entries + c * size, weight + d * size, t->patterns[c * t->maps + d], size);
    weight = entries;
  }
  WITH_WIDTH(blocks, width, t, weight, matrix);
  memset(shift, 0, t->outputs * width * sizeof(T));
  if (bias)
    for (int64_t i = 0; i < t->outputs; ++i)
      for (int64_t b = 0; b < t->biases; ++b)
        add(shift + i * width, bias + b * width, t->shifts[i * t->biases + b], width);
}

/* out = shift + x M, row by row. */
void multiply(const Table *t, int64_t rows, const T *x, const T *matrix, const T *shift, T *out) {
  const int64_t deep = t->inputs * t->width_in, wide = t->outputs * t->width_out;
  for (int64_t r = 0; r < rows; ++r, x += deep, out += wide) {
    memcpy(out, shift, wide * sizeof(T));
    for (int64_t k = 0; k < deep; ++k) add(out, matrix + k * wide, x[k], wide);
  }
}

/* grad_x = g Mᵀ, row by row. */
void multiply_back(const Table *t, int64_t rows, const T *g, const T *matrix, T *grad_x) {
  const int64_t deep = t->inputs * t->width_in, wide = t->outputs * t->width_out;
  for (int64_t r = 0; r < rows; ++r, g += wide)
    for (int64_t k = 0; k < deep; ++k) *grad_x++ = dot(g, matrix + k * wide, wide);
}

static void gather(const Table *t, int64_t rows, const T *restrict x, const T *restrict g,
                   T *restrict sums, const int width) {
  const int64_t deep = t->inputs * t->width_in, wide = t->outputs * width;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < t->inputs; ++j)
      for (int64_t i = 0; i < t->outputs; ++i) {
        T *to = sums + t->labels[j * t->outputs + i] * t->width_in * width;
        const T *from = g + r * wide + i * width;
        for (int64_t u = 0; u < t->width_in; ++u) {
          const T factor = x[r * deep + j * t->width_in + u];
          for (int w = 0; w < width; ++w) to[u * width + w] += factor * from[w];
        }
      }
}

static void gather_product(const Table *t, const T *restrict product, T *restrict sums,
                           const int width) {
  for (int64_t j = 0; j < t->inputs; ++j)
    for (int64_t u = 0; u < t->width_in; ++u)
      for (int64_t i = 0; i < t->outputs; ++i, product += width) {
        T *to = sums + (t->labels[j * t->outputs + i] * t->width_in + u) * width;
        for (int w = 0; w < width; ++w) to[w] += product[w];
      }
}

/* The gradients of ⟨g, x M + shift⟩ by weights and biases.  `product` is xᵀ g where it is known, or
   NULL; grad_bias is NULL where it is not asked for.  `entries` and `column` are scratch. */
void gather_weights(const Table *t, int64_t rows, const T *x, const T *g, const T *product,
                    T *entries, T *column, T *grad_weight, T *grad_bias) {
  const int64_t size = t->width_in * t->width_out, width = t->width_out, wide = t->outputs * width;
  T *sums = t->patterns ? entries : grad_weight;
  memset(sums, 0, t->classes * size * sizeof(T));
  if (product) WITH_WIDTH(gather_product, width, t, product, sums);
  else WITH_WIDTH(gather, width, t, rows, x, g, sums);
  if (t->patterns) {
    memset(grad_weight, 0, t->maps * size * sizeof(T));
    for (int64_t c = 0; c < t->classes; ++c)
      for (int64_t d = 0; d < t->maps; ++d)
        if (t->patterns[c * t->maps + d] != 0)
          add(grad_weight + d * size, sums + c * size, t->patterns[c * t->maps + d], size);
  }
  if (!grad_bias) return;
  memset(column, 0, wide * sizeof(T));
  for (int64_t r = 0; r < rows; ++r) add(column, g + r * wide, 1, wide);
  memset(grad_bias, 0, t->biases * width * sizeof(T));
  for (int64_t i = 0; i < t->outputs; ++i)
    for (int64_t b = 0; b < t->biases; ++b)
      add(grad_bias + b * width, column + i * width, t->shifts[i * t->biases + b], width);
}
