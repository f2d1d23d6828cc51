/* walk.h - several tensors of one shape, walked row by row together.
 *
 * Broadcasting is a stride of 0. Dims that lie behind one another in all
 * tensors are joined, so tensors without gaps are a single long row. It comes
 * in pieces, so that who works on it can look whether Ctrl-C was pressed. */
#ifndef LUNET_TENSOR_WALK_H
#define LUNET_TENSOR_WALK_H

#include "tensor/tensor.h"

enum { LN_MAX_WALKERS = 3, LN_LONGEST_ROW = 1 << 18 };

typedef struct ln_walk {
  int32_t rank, walkers;
  int64_t dim[LN_MAX_DIMS];
  int64_t stride[LN_MAX_WALKERS][LN_MAX_DIMS];
} ln_walk;

/* One row of n elements: walker w stands at element at[w] of its data, and
 * steps step[w] elements. */
typedef void (*ln_row)(void *arg, int64_t n, const int64_t *at,
                       const int64_t *step);

/* Every t[i] has `shape` or is broadcast to it, which the caller checked. */
ln_walk ln_walk_together(const ln_shape *shape, const ln_tensor *const *t,
                         int32_t n);
void ln_walk_rows(const ln_walk *walk, ln_row row, void *arg);
/* numpy's rule: sizes are compared from the last dim, and must be equal or 1.
 * `what` names the caller. */
ln_status ln_broadcast(const char *what, const ln_shape *a, const ln_shape *b,
                       ln_shape *out);

#endif
