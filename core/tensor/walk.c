/* walk.c - see walk.h. */
#include "tensor/walk.h"

/* ---- broadcasting -------------------------------------------------------- */

/* The size of dim `from_end` counted from the last (0); 1 where there is
 * none. */
static int64_t size_from_end(const ln_shape *s, int32_t from_end) {
  return from_end < s->rank ? s->dim[s->rank - 1 - from_end] : 1;
}

static ln_status refuse(const char *what, const ln_shape *a, const ln_shape *b,
                        int32_t from_end) {
  char text_a[200], text_b[200];
  return ln_set_error("%s: shapes %s and %s do not meet: counted from the "
                      "last, dim %d is %" PRId64 " and %" PRId64
                      "\n  the two must be equal, or one of them 1",
                      what, ln_shape_text(a, text_a), ln_shape_text(b, text_b),
                      from_end + 1, size_from_end(a, from_end),
                      size_from_end(b, from_end));
}

ln_status ln_broadcast(const char *what, const ln_shape *a, const ln_shape *b,
                       ln_shape *out) {
  *out = (ln_shape){ .rank = a->rank > b->rank ? a->rank : b->rank };
  for (int32_t i = 0; i < out->rank; i++) {
    int64_t in_a = size_from_end(a, i), in_b = size_from_end(b, i);
    if (in_a != in_b && in_a != 1 && in_b != 1) return refuse(what, a, b, i);
    out->dim[out->rank - 1 - i] = in_a == 1 ? in_b : in_a;
  }
  return LN_OK;
}

/* ---- walking ------------------------------------------------------------- */

static int64_t stride_from_end(const ln_tensor *t, int32_t from_end) {
  int32_t dim = t->shape.rank - 1 - from_end;
  if (dim < 0 || t->shape.dim[dim] == 1) return 0;
  return ln_full(t)->stride[dim];
}

/* Can a dim of `size` and the strides `inner` lie inside the last one? */
static bool continues(const ln_walk *walk, int64_t size, const int64_t *inner) {
  if (walk->rank == 0) return false;
  for (int32_t w = 0; w < walk->walkers; w++)
    if (walk->stride[w][walk->rank - 1] != size * inner[w]) return false;
  return true;
}

static void add_dim(ln_walk *walk, int64_t size, const int64_t *stride) {
  bool joined = continues(walk, size, stride);
  int32_t last = joined ? walk->rank - 1 : walk->rank++;
  walk->dim[last] = joined ? walk->dim[last] * size : size;
  for (int32_t w = 0; w < walk->walkers; w++) walk->stride[w][last] = stride[w];
}

ln_walk ln_walk_together(const ln_shape *shape, const ln_tensor *const *t,
                         int32_t n) {
  ln_walk walk = { .walkers = n };
  for (int32_t from_end = shape->rank - 1; from_end >= 0; from_end--) {
    int64_t stride[LN_MAX_WALKERS];
    int64_t size = size_from_end(shape, from_end);
    if (size == 1) continue;
    for (int32_t w = 0; w < n; w++) stride[w] = stride_from_end(t[w], from_end);
    add_dim(&walk, size, stride);
  }
  if (walk.rank == 0) add_dim(&walk, 1, (int64_t[LN_MAX_WALKERS]){ 0 });
  return walk;
}

/* Steps to the next row, as an odometer; false after the last. */
static bool next_row(const ln_walk *walk, int64_t *place, int64_t *at) {
  for (int32_t i = walk->rank - 2; i >= 0; i--) {
    bool over = ++place[i] == walk->dim[i];
    int64_t steps = over ? 1 - walk->dim[i] : 1;
    for (int32_t w = 0; w < walk->walkers; w++)
      at[w] += steps * walk->stride[w][i];
    if (!over) return true;
    place[i] = 0;
  }
  return false;
}

/* A row, cut where it is long. */
static void walk_row(const ln_walk *walk, const int64_t *start, ln_row row,
                     void *arg) {
  const int64_t length = walk->dim[walk->rank - 1];
  int64_t at[LN_MAX_WALKERS] = { 0 }, step[LN_MAX_WALKERS] = { 0 };
  for (int32_t w = 0; w < walk->walkers; w++) {
    at[w] = start[w];
    step[w] = walk->stride[w][walk->rank - 1];
  }
  for (int64_t left = length; left > 0; left -= LN_LONGEST_ROW) {
    row(arg, left < LN_LONGEST_ROW ? left : LN_LONGEST_ROW, at, step);
    for (int32_t w = 0; w < walk->walkers; w++)
      at[w] += LN_LONGEST_ROW * step[w];
  }
}

void ln_walk_rows(const ln_walk *walk, ln_row row, void *arg) {
  int64_t place[LN_MAX_DIMS] = { 0 };
  int64_t at[LN_MAX_WALKERS] = { 0 };
  for (int32_t i = 0; i < walk->rank; i++)
    if (walk->dim[i] == 0) return;
  do walk_row(walk, at, row, arg);
  while (next_row(walk, place, at));
}
