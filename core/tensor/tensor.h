/* tensor.h - what the inside of the core knows of a tensor: its storage and
 * its strides. The public functions are in lunet.h. */
#ifndef LUNET_TENSOR_TENSOR_H
#define LUNET_TENSOR_TENSOR_H

#include <lunet/lunet.h>

/* Numbers in memory, shared by a tensor and its views. Storages come from a
 * pool and go back to it when the last tensor is released. */
typedef struct ln_storage {
  float *data; /* begins at a multiple of 64 bytes; guarded: of 4 */
  int64_t bytes;
  int64_t references; /* atomic */
  uint64_t version;   /* raised by every write */
  uint64_t zero_version; /* the one at which all its numbers were 0, if any */
  int size_class;     /* the pool's; -1: guarded, see guard.h */
  struct ln_storage *next;
} ln_storage;

/* `view` is what plugins see and must come first. */
typedef struct ln_full_tensor {
  ln_tensor view;
  int64_t references;
  ln_storage *storage;
  int64_t stride[LN_MAX_DIMS]; /* in floats */
  bool dense;
  bool frozen; /* a weight that optimizers leave alone */
  struct ln_full_tensor *next; /* of those not in use */
} ln_full_tensor;

/* The strides of `shape` row by row without gaps. */
void ln_row_strides(const ln_shape *shape, int64_t *stride);
/* A further tensor over a part of t's storage, which begins at t->data +
 * offset. */
ln_status ln_tensor_part(const ln_tensor *t, const ln_shape *shape,
                         const int64_t *stride, int64_t offset,
                         ln_tensor **out);
/* Refuses a dim (from 0) that t does not have; `what` is the caller's name. */
ln_status ln_check_dim(const char *what, const ln_tensor *t, int dim);

static inline ln_full_tensor *ln_full(const ln_tensor *t) {
  return (ln_full_tensor *)(uintptr_t)t;
}

/* Are all its numbers known to be 0, as after a fill? (False: perhaps.) */
static inline bool ln_tensor_known_zero(const ln_tensor *t) {
  const ln_storage *s = ln_full(t)->storage;
  return s->zero_version == s->version;
}

/* A shape with nothing in the places behind its dims. */
ln_shape ln_plain_shape(const ln_shape *);
/* A tensor struct for memory that somebody else owns. */
ln_tensor ln_tensor_borrow(const ln_shape *shape, float *data);

/* to[i] += from[i], for n numbers. */
void ln_add_floats(float *to, const float *from, int64_t n);

#endif
