/* reduce.c - many numbers become one: sums, means, extremes and their places.
 *
 * A dense tensor reduced over one dim is (outer, n, inner): for each of the
 * outer * inner results, n numbers that lie `inner` apart. */
#include "tensor/tensor.h"

#include <math.h>

static const char *const names[] = { "sum", "mean",   "max",
                                     "min", "argmax", "argmin" };

static bool picks(ln_reduce_op op) {
  return op != LN_OP_SUM && op != LN_OP_MEAN;
}

/* ---- sums ---------------------------------------------------------------- */

enum { LANES = 8 };

/* Number i goes to lane i % LANES, so that the additions need not wait for
 * each other; then the lanes are added in order. */
static double sum_dense(const float *x, int64_t n) {
  double lane[LANES] = { 0 }, sum = 0;
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int l = 0; l < LANES; l++) lane[l] += (double)x[i + l];
  for (int l = 0; i < n; l++, i++) lane[l] += (double)x[i];
  for (int l = 0; l < LANES; l++) sum += lane[l];
  return sum;
}

/* Sums over n for `width` neighbours at once: they lie in one cache line. */
static void sum_columns(const float *x, int64_t n, int64_t inner, int width,
                        double *sum) {
  for (int w = 0; w < width; w++) sum[w] = 0;
  for (int64_t i = 0; i < n; i++, x += inner)
    for (int w = 0; w < width; w++) sum[w] += (double)x[w];
}

enum { COLUMNS = 64 };

static void sum_block(const float *x, int64_t n, int64_t inner, double divisor,
                      float *y) {
  double sum[COLUMNS];
  if (inner == 1) {
    *y = (float)(sum_dense(x, n) / divisor);
    return;
  }
  for (int64_t first = 0; first < inner; first += COLUMNS) {
    int64_t left = inner - first;
    int width = left < COLUMNS ? (int)left : COLUMNS;
    sum_columns(x + first, n, inner, width, sum);
    for (int w = 0; w < width; w++) y[first + w] = (float)(sum[w] / divisor);
  }
}

/* ---- extremes ------------------------------------------------------------ */

static bool is_min(ln_reduce_op op) {
  return op == LN_OP_MIN || op == LN_OP_ARGMIN;
}

/* The first place of the extreme among n > 0 numbers `step` apart; a NaN is
 * the extreme of all. */
static int64_t place_of_extreme(const float *x, int64_t n, int64_t step,
                                bool smallest) {
  int64_t place = 0;
  for (int64_t i = 1; i < n && !isnan(x[place * step]); i++) {
    float new = x[i * step], old = x[place * step];
    if (isnan(new) || (smallest ? new < old : new > old)) place = i;
  }
  return place;
}

static void pick_block(ln_reduce_op op, const float *x, int64_t n,
                       int64_t inner, float *y) {
  bool wants_place = op == LN_OP_ARGMAX || op == LN_OP_ARGMIN;
  for (int64_t i = 0; i < inner; i++) {
    int64_t place = place_of_extreme(x + i, n, inner, is_min(op));
    y[i] = wants_place ? (float)place : x[place * inner + i];
  }
}

/* ---- over one dim -------------------------------------------------------- */

static ln_shape without_dim(const ln_shape *shape, int dim) {
  ln_shape rest = { .rank = 0 };
  for (int32_t i = 0; i < shape->rank; i++)
    if (i != dim) rest.dim[rest.rank++] = shape->dim[i];
  return rest;
}

static void reduce_blocks(ln_reduce_op op, const ln_tensor *a, int dim,
                          float *y) {
  int64_t outer = 1, inner = 1, n = a->shape.dim[dim];
  for (int i = 0; i < dim; i++) outer *= a->shape.dim[i];
  for (int i = dim + 1; i < a->shape.rank; i++) inner *= a->shape.dim[i];
  double divisor = op == LN_OP_MEAN ? (double)n : 1;
  for (int64_t o = 0; o < outer && inner > 0; o++, y += inner) {
    const float *x = a->data + o * n * inner;
    if (picks(op))
      pick_block(op, x, n, inner, y);
    else
      sum_block(x, n, inner, divisor, y);
  }
}

static ln_status refuse_empty(ln_reduce_op op, const ln_tensor *a) {
  char text[200];
  return ln_set_error("%s of nothing: there is no element to choose from in "
                      "shape %s",
                      names[op], ln_shape_text(&a->shape, text));
}

ln_status ln_tensor_reduce(ln_reduce_op op, const ln_tensor *a, int dim,
                           ln_tensor **out) {
  ln_tensor *dense, *y;
  if (ln_check_dim(names[op], a, dim) != LN_OK) return LN_FAILED;
  if (picks(op) && a->shape.dim[dim] == 0) return refuse_empty(op, a);
  ln_shape shape = without_dim(&a->shape, dim);
  ln_status status = ln_tensor_dense(&ln_full(a)->view, &dense);
  if (status != LN_OK) return status;
  status = ln_tensor_new(&shape, &y);
  if (status == LN_OK) {
    reduce_blocks(op, dense, dim, y->data);
    *out = y;
  }
  ln_tensor_release(dense);
  return status;
}

/* ---- over everything ----------------------------------------------------- */

static double reduce_dense(ln_reduce_op op, const ln_tensor *a) {
  if (op == LN_OP_SUM) return sum_dense(a->data, a->count);
  if (op == LN_OP_MEAN)
    return a->count ? sum_dense(a->data, a->count) / (double)a->count : NAN;
  int64_t place = place_of_extreme(a->data, a->count, 1, is_min(op));
  if (op == LN_OP_ARGMAX || op == LN_OP_ARGMIN) return (double)place;
  return (double)a->data[place];
}

ln_status ln_tensor_reduce_all(ln_reduce_op op, const ln_tensor *a,
                               double *out) {
  ln_tensor *dense;
  if (picks(op) && a->count == 0) return refuse_empty(op, a);
  ln_status status = ln_tensor_dense(&ln_full(a)->view, &dense);
  if (status != LN_OK) return status;
  *out = reduce_dense(op, dense);
  ln_tensor_release(dense);
  return LN_OK;
}
