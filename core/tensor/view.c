/* view.c - other ways to look at the same numbers: view, narrow and select
 * share t's memory; transpose copies. */
#include "tensor/tensor.h"
#include "base/memory.h"

/* ---- view ---------------------------------------------------------------- */

static ln_status refuse_view(const ln_tensor *t, const ln_shape *shape) {
  char from[200], to[200];
  return ln_set_error("view: %" PRId64 " elements of shape %s do not fill "
                      "shape %s\n  the sizes must multiply to %" PRId64
                      "; one of them may be -1: what is left",
                      t->count, ln_shape_text(&t->shape, from),
                      ln_shape_text(shape, to), t->count);
}

/* Puts what is left in the place of a -1. */
static ln_status complete(const ln_tensor *t, const ln_shape *wanted,
                          ln_shape *out) {
  int32_t open = -1;
  *out = *wanted;
  for (int32_t i = 0; i < wanted->rank && i < LN_MAX_DIMS; i++) {
    if (wanted->dim[i] != -1) continue;
    if (open >= 0) return ln_set_error("view: only one size may be -1");
    open = i;
    out->dim[i] = 1;
  }
  int64_t others;
  if (ln_shape_count(out, &others) != LN_OK) return LN_FAILED;
  if (open >= 0 && others > 0) out->dim[open] = t->count / others;
  int64_t left = open >= 0 ? out->dim[open] : 1;
  if (others * left != t->count) return refuse_view(t, wanted);
  if (open >= 0 && others == 0) out->dim[open] = 0;
  return LN_OK;
}

ln_status ln_tensor_view(ln_tensor *t, const ln_shape *shape, ln_tensor **out) {
  ln_shape full;
  int64_t stride[LN_MAX_DIMS];
  char text[200];
  if (complete(t, shape, &full) != LN_OK) return LN_FAILED;
  if (!ln_tensor_is_dense(t))
    return ln_set_error("view: this tensor of shape %s is a part of a larger "
                        "one and has gaps between its rows\n"
                        "  try clone() first",
                        ln_shape_text(&t->shape, text));
  ln_row_strides(&full, stride);
  return ln_tensor_part(t, &full, stride, 0, out);
}

/* ---- narrow, select ------------------------------------------------------ */

static ln_status check_part(const ln_tensor *t, int dim, int64_t start,
                            int64_t length) {
  int64_t size = t->shape.dim[dim];
  if (length < 0)
    return ln_set_error("narrow: length %" PRId64 " is negative", length);
  if (start >= 0 && start <= size && length <= size - start) return LN_OK;
  return ln_set_error(
      "narrow: %" PRId64 " places from %" PRId64
      " on are not in dim %d, which has the places 1 to %" PRId64,
      length, start + 1, dim + 1, size);
}

ln_status ln_tensor_narrow(ln_tensor *t, int dim, int64_t start, int64_t length,
                           ln_tensor **out) {
  if (ln_check_dim("narrow", t, dim) != LN_OK) return LN_FAILED;
  if (check_part(t, dim, start, length) != LN_OK) return LN_FAILED;
  ln_shape shape = t->shape;
  const int64_t *stride = ln_full(t)->stride;
  shape.dim[dim] = length;
  int64_t offset = ln_count(&shape) ? start * stride[dim] : 0;
  return ln_tensor_part(t, &shape, stride, offset, out);
}

ln_status ln_tensor_select(ln_tensor *t, int64_t index, ln_tensor **out) {
  char text[200];
  if (t->shape.rank == 0)
    return ln_set_error("a tensor without dims is a single number and cannot "
                        "be indexed");
  if (index < 0 || index >= t->shape.dim[0])
    return ln_set_error("index %" PRId64 " is out of range: dim 1 of shape %s "
                        "has the places 1 to %" PRId64,
                        index + 1, ln_shape_text(&t->shape, text),
                        t->shape.dim[0]);
  ln_shape shape = { .rank = t->shape.rank - 1 };
  for (int32_t i = 0; i < shape.rank; i++) shape.dim[i] = t->shape.dim[i + 1];
  const int64_t *stride = ln_full(t)->stride;
  int64_t offset = ln_count(&shape) ? index * stride[0] : 0;
  return ln_tensor_part(t, &shape, stride + 1, offset, out);
}

/* ---- transpose ----------------------------------------------------------- */

static void exchange(int64_t *a, int64_t *b) {
  int64_t kept = *a;
  *a = *b;
  *b = kept;
}

ln_status ln_tensor_transpose(const ln_tensor *t, int dim1, int dim2,
                              ln_tensor **out) {
  if (ln_check_dim("transpose", t, dim1) != LN_OK) return LN_FAILED;
  if (ln_check_dim("transpose", t, dim2) != LN_OK) return LN_FAILED;
  ln_full_tensor turned = *ln_full(t);
  exchange(&turned.view.shape.dim[dim1], &turned.view.shape.dim[dim2]);
  exchange(&turned.stride[dim1], &turned.stride[dim2]);
  return ln_tensor_clone(&turned.view, out);
}
