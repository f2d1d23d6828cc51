/* dataset.c - items of one shape with their labels, and batches of them.
 *
 * Pictures come as bytes and stay bytes, a quarter of the memory; a table of
 * 256 numbers turns them into float32 on the way into a batch. Items may also
 * stay elsewhere, such as on the disk (files/npy_items.c). A dataset never
 * changes once it is made. */
#include "data/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define MOST_CLASSES 16777216 /* 2^24: up to here float32 holds all numbers */

/* ---- making -------------------------------------------------------------- */

static ln_status check_item(const ln_shape *item, int64_t count,
                            int64_t *item_count) {
  int64_t all;
  char shape[200];
  if (ln_shape_count(item, item_count) != LN_OK) return LN_FAILED;
  if (item->rank >= LN_MAX_DIMS)
    return ln_set_error("an item has %d dims; a batch of them has one more, "
                        "and at most %d are possible\n"
                        "  try to join two dims by view",
                        item->rank, LN_MAX_DIMS);
  if (count >= 0 && ln_multiply(count, *item_count, &all) &&
      ln_multiply(all, (int64_t)sizeof(float), &all))
    return LN_OK;
  return ln_set_error("%" PRId64 " items of shape %s do not fit in memory",
                      count, ln_shape_text(item, shape));
}

static ln_status new_dataset(const ln_shape *item, int64_t count,
                             ln_dataset **out) {
  int64_t item_count;
  if (check_item(item, count, &item_count) != LN_OK) return LN_FAILED;
  ln_dataset *d = ln_alloc_zero(sizeof *d);
  if (d == NULL) return LN_FAILED;
  d->references = 1;
  d->count = count;
  d->item = *item;
  d->item_count = item_count;
  d->labels = ln_alloc((size_t)count * sizeof(float));
  if (d->labels == NULL) {
    ln_dataset_release(d);
    return LN_FAILED;
  }
  *out = d;
  return LN_OK;
}

ln_status ln_dataset_own_bytes(uint8_t *owned, int64_t first, int64_t step,
                               const uint8_t *labels, int64_t count,
                               const ln_shape *item, float divisor,
                               ln_dataset **out) {
  ln_dataset *d;
  if (new_dataset(item, count, &d) != LN_OK) {
    free(owned);
    return LN_FAILED;
  }
  d->owned = owned;
  d->bytes = owned + first;
  d->step = step;
  for (int b = 0; b < 256; b++) d->value[b] = (float)b / divisor;
  for (int64_t i = 0; i < count; i++) d->labels[i] = labels[i];
  *out = d;
  return LN_OK;
}

ln_status ln_dataset_from_bytes(const uint8_t *bytes, const uint8_t *labels,
                                int64_t count, const ln_shape *item,
                                float divisor, ln_dataset **out) {
  int64_t step;
  if (check_item(item, count, &step) != LN_OK) return LN_FAILED;
  if (!(isfinite(divisor) && divisor > 0))
    return ln_set_error("bytes are divided by a number above 0, got %g\n"
                        "  try 255, which maps them to 0..1",
                        (double)divisor);
  size_t size = (size_t)(count * step);
  uint8_t *copy = malloc(size > 0 ? size : 1);
  if (copy == NULL) return ln_set_error("no memory for %zu bytes", size);
  if (size > 0) memcpy(copy, bytes, size);
  return ln_dataset_own_bytes(copy, 0, step, labels, count, item, divisor, out);
}

static ln_status check_shapes(const ln_tensor *x, const ln_tensor *labels) {
  char items[200], ids[200];
  if (x->shape.rank >= 1 && labels->shape.rank == 1 &&
      labels->shape.dim[0] == x->shape.dim[0])
    return LN_OK;
  return ln_set_error("x of shape %s and labels of shape %s do not go together:"
                      " expected (N, ...) and (N)\n"
                      "  try labels:view{-1}, one label an item",
                      ln_shape_text(&x->shape, items),
                      ln_shape_text(&labels->shape, ids));
}

static ln_status check_labels(const ln_tensor *labels) {
  for (int64_t i = 0; i < labels->count; i++) {
    float id = labels->data[i];
    if (!(id >= 0 && id < MOST_CLASSES && floorf(id) == id))
      return ln_set_error("label %" PRId64 " is %g; expected a class id, which "
                          "is a whole number from 0\n"
                          "  try to count the classes from 0",
                          i + 1, (double)id);
  }
  return LN_OK;
}

static ln_shape without_first_dim(const ln_shape *s) {
  ln_shape item = { .rank = s->rank - 1 };
  memcpy(item.dim, s->dim + 1, (size_t)item.rank * sizeof item.dim[0]);
  return item;
}

/* The numbers are copied: what the caller writes to x later must not reach
 * batches that another thread prepares. */
static ln_status from_dense(const ln_tensor *x, const ln_tensor *labels,
                            ln_dataset **out) {
  ln_dataset *d;
  ln_shape item = without_first_dim(&x->shape);
  if (check_labels(labels) != LN_OK ||
      new_dataset(&item, labels->count, &d) != LN_OK)
    return LN_FAILED;
  ln_status cloned = ln_tensor_clone(x, &d->numbers);
  if (cloned != LN_OK) {
    ln_dataset_release(d);
    return cloned;
  }
  for (int64_t i = 0; i < d->count; i++) d->labels[i] = labels->data[i];
  *out = d;
  return LN_OK;
}

ln_status ln_dataset_from_tensors(ln_tensor *x, ln_tensor *labels,
                                  ln_dataset **out) {
  ln_tensor *ids;
  if (check_shapes(x, labels) != LN_OK) return LN_FAILED;
  ln_status status = ln_tensor_dense(labels, &ids);
  if (status != LN_OK) return status;
  status = from_dense(x, ids, out);
  ln_tensor_release(ids);
  return status;
}

/* ---- items that are elsewhere -------------------------------------------- */

static ln_status check_labels_of(const ln_shape *x, const ln_tensor *labels) {
  char items[200], ids[200];
  if (labels->shape.rank == 1 && labels->shape.dim[0] == x->dim[0])
    return check_labels(labels);
  return ln_set_error("a file of shape %s and labels of shape %s do not go "
                      "together: expected (N, ...) and (N)\n"
                      "  try labels:view{-1}, one label an item",
                      ln_shape_text(x, items),
                      ln_shape_text(&labels->shape, ids));
}

static ln_status from_source(ln_item_source source, const ln_shape *all,
                             const ln_tensor *labels, ln_dataset **out) {
  ln_dataset *d;
  const ln_shape item = without_first_dim(all);
  if (check_labels_of(all, labels) != LN_OK ||
      new_dataset(&item, all->dim[0], &d) != LN_OK)
    return LN_FAILED;
  for (int64_t i = 0; i < d->count; i++) d->labels[i] = labels->data[i];
  d->source = source;
  *out = d;
  return LN_OK;
}

ln_status ln_dataset_from_source(ln_item_source source, const ln_shape *all,
                                 ln_tensor *labels, ln_dataset **out) {
  ln_tensor *ids;
  ln_status status = ln_tensor_dense(labels, &ids);
  if (!status) {
    status = from_source(source, all, ids, out);
    ln_tensor_release(ids);
  }
  if (status) source.close(source.arg);
  return status;
}

ln_dataset *ln_dataset_retain(ln_dataset *d) {
  d->references++;
  return d;
}

void ln_dataset_release(ln_dataset *d) {
  if (d == NULL || --d->references > 0) return;
  ln_tensor_release(d->numbers);
  if (d->source.close) d->source.close(d->source.arg);
  free(d->owned);
  ln_free(d->labels);
  ln_free(d);
}

int64_t ln_dataset_count(const ln_dataset *d) {
  return d->count;
}

const ln_shape *ln_dataset_item_shape(const ln_dataset *d) {
  return &d->item;
}

/* ---- batches ------------------------------------------------------------- */

static void fill_item(const ln_dataset *d, int64_t place, float *x) {
  if (d->numbers != NULL) {
    memcpy(x, d->numbers->data + place * d->item_count,
           (size_t)d->item_count * sizeof(float));
    return;
  }
  const uint8_t *bytes = d->bytes + place * d->step;
  for (int64_t i = 0; i < d->item_count; i++) x[i] = d->value[bytes[i]];
}

ln_status ln_dataset_fill(const ln_dataset *d, const int64_t *order, int64_t n,
                          float *x, float *labels) {
  for (int64_t i = 0; i < n; i++) labels[i] = d->labels[order[i]];
  if (d->source.read) return d->source.read(d->source.arg, order, n, x);
  for (int64_t i = 0; i < n && d->item_count > 0; i++)
    fill_item(d, order[i], x + i * d->item_count);
  return LN_OK;
}

ln_status ln_dataset_check_order(const ln_dataset *d, const int64_t *order,
                                 int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (order[i] < 0 || order[i] >= d->count)
      return ln_set_error("item %" PRId64 " was asked for; this dataset has "
                          "the items 1 to %" PRId64 "\n  try #dataset",
                          order[i] + 1, d->count);
  return LN_OK;
}

ln_status ln_dataset_new_batch(const ln_dataset *d, int64_t n, ln_tensor **x,
                               ln_tensor **labels) {
  ln_shape shape = { .rank = d->item.rank + 1, .dim = { n } };
  memcpy(shape.dim + 1, d->item.dim,
         (size_t)d->item.rank * sizeof shape.dim[0]);
  ln_tensor *items;
  if (ln_tensor_new(&shape, &items) != LN_OK) return LN_FAILED;
  if (ln_tensor_new(&LN_SHAPE(n), labels) != LN_OK) {
    ln_tensor_release(items);
    return LN_FAILED;
  }
  *x = items;
  return LN_OK;
}

ln_status ln_dataset_labels(const ln_dataset *d, const int64_t *order,
                            int64_t n, ln_tensor **out) {
  if (ln_dataset_check_order(d, order, n) != LN_OK ||
      ln_tensor_new(&LN_SHAPE(n), out) != LN_OK)
    return LN_FAILED;
  for (int64_t i = 0; i < n; i++) (*out)->data[i] = d->labels[order[i]];
  ln_tensor_touch(*out);
  return LN_OK;
}

ln_status ln_dataset_gather(const ln_dataset *d, const int64_t *order,
                            int64_t n, ln_tensor **x, ln_tensor **labels) {
  if (ln_dataset_check_order(d, order, n) != LN_OK ||
      ln_dataset_new_batch(d, n, x, labels) != LN_OK)
    return LN_FAILED;
  if (ln_dataset_fill(d, order, n, (*x)->data, (*labels)->data) != LN_OK) {
    ln_tensor_release(*x);
    ln_tensor_release(*labels);
    return LN_FAILED;
  }
  ln_tensor_touch(*x);
  ln_tensor_touch(*labels);
  return LN_OK;
}
