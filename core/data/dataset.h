/* dataset.h - what the inside of the core knows of a dataset. */
#ifndef LUNET_DATA_DATASET_H
#define LUNET_DATA_DATASET_H

#include <lunet/lunet.h>

/* Items that are read when a batch wants them. For any thread: read writes
 * items order[0..n) to x, one behind the other. */
typedef struct ln_item_source {
  ln_status (*read)(const void *arg, const int64_t *order, int64_t n, float *x);
  void (*close)(void *arg);
  void *arg;
} ln_item_source;

struct ln_dataset {
  int64_t references;
  int64_t count;
  ln_shape item;
  int64_t item_count; /* numbers in an item */
  float *labels;
  /* Items as bytes, `step` apart, where they came as bytes ... */
  uint8_t *owned; /* what `bytes` points into, for free() */
  const uint8_t *bytes;
  int64_t step;
  float value[256];      /* value[b] = b / divisor */
  ln_tensor *numbers;    /* ... or as numbers ... */
  ln_item_source source; /* ... or are elsewhere */
};

/* Writes items order[0..n) to x and their labels to labels, for any thread.
 * Only a source can fail. */
ln_status ln_dataset_fill(const ln_dataset *d, const int64_t *order, int64_t n,
                          float *x, float *labels);

/* Refuses places that do not exist. */
ln_status ln_dataset_check_order(const ln_dataset *d, const int64_t *order,
                                 int64_t n);

/* Room for a batch of n items. */
ln_status ln_dataset_new_batch(const ln_dataset *d, int64_t n, ln_tensor **x,
                               ln_tensor **labels);

/* Takes over the source, even if it fails. all: (N, ...); labels: (N). */
ln_status ln_dataset_from_source(ln_item_source source, const ln_shape *all,
                                 ln_tensor *labels, ln_dataset **out);

/* Takes over `owned` (from malloc), even if it fails: item i lies at
 * owned + first + i * step. The labels are copied. */
ln_status ln_dataset_own_bytes(uint8_t *owned, int64_t first, int64_t step,
                               const uint8_t *labels, int64_t count,
                               const ln_shape *item, float divisor,
                               ln_dataset **out);

#endif
