/* shape.c - counting, comparing and spelling shapes. */
#include "tensor/tensor.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_ROOM = 200 };

char *ln_shape_text(const ln_shape *shape, char *buffer) {
  size_t used = (size_t)snprintf(buffer, TEXT_ROOM, "(");
  for (int32_t i = 0; i < shape->rank && i < LN_MAX_DIMS; i++)
    used += (size_t)snprintf(buffer + used, TEXT_ROOM - used, "%s%" PRId64,
                             i ? "," : "", shape->dim[i]);
  snprintf(buffer + used, TEXT_ROOM - used, ")");
  return buffer;
}

bool ln_shape_equal(const ln_shape *a, const ln_shape *b) {
  if (a->rank != b->rank) return false;
  for (int32_t i = 0; i < a->rank; i++)
    if (a->dim[i] != b->dim[i]) return false;
  return true;
}

static ln_status refuse_size(const ln_shape *shape, int32_t i) {
  char text[TEXT_ROOM];
  return ln_set_error("shape %s: size %" PRId64 " of dim %d is negative",
                      ln_shape_text(shape, text), shape->dim[i], i + 1);
}

static ln_status refuse_count(const ln_shape *shape) {
  char text[TEXT_ROOM];
  return ln_set_error("shape %s has more elements than memory can ever hold",
                      ln_shape_text(shape, text));
}

/* A size of 0 makes the count 0, whatever the others are. */
ln_status ln_shape_count(const ln_shape *shape, int64_t *count) {
  if (shape->rank < 0 || shape->rank > LN_MAX_DIMS)
    return ln_set_error("a tensor has at most %d dims, not %d", LN_MAX_DIMS,
                        shape->rank);
  int64_t n = 1, bytes;
  bool empty = false;
  for (int32_t i = 0; i < shape->rank; i++) {
    if (shape->dim[i] < 0) return refuse_size(shape, i);
    if (shape->dim[i] == 0)
      empty = true;
    else if (!ln_multiply(n, shape->dim[i], &n))
      return refuse_count(shape);
  }
  if (!ln_multiply(n, 8 * (int64_t)sizeof(float), &bytes))
    return refuse_count(shape);
  *count = empty ? 0 : n;
  return LN_OK;
}

void ln_row_strides(const ln_shape *shape, int64_t *stride) {
  int64_t step = 1;
  for (int32_t i = shape->rank - 1; i >= 0; i--) {
    stride[i] = step;
    step *= shape->dim[i] > 0 ? shape->dim[i] : 1;
  }
}

ln_status ln_check_dim(const char *what, const ln_tensor *t, int dim) {
  if (dim >= 0 && dim < t->shape.rank) return LN_OK;
  char text[TEXT_ROOM];
  if (t->shape.rank == 0)
    return ln_set_error("%s: the tensor is a single number without dims, so "
                        "there is no dim %d",
                        what, dim + 1);
  return ln_set_error("%s: there is no dim %d in a tensor of shape %s; dims "
                      "are 1 to %d",
                      what, dim + 1, ln_shape_text(&t->shape, text),
                      t->shape.rank);
}
