/* concat.c - join tensors along one dim, as the branches of an Inception block.
 *
 * Forward   y is x1, then x2, ... side by side along `dim`
 * Backward  dx1, dx2, ... are the same pieces of dy
 * Shapes    along dim, y's size is the sum of the x's; all other sizes are
 *           equal: (N,4,H,W) and (N,6,H,W) give (N,10,H,W)
 * Source    Szegedy et al., "Going deeper with convolutions", CVPR 2015
 */
#include <string.h>

#include <lunet/plugin.h>

typedef struct concat {
  int64_t dim;
} concat;

static const ln_option options[] = {
  LN_INT(concat, dim, 2, 1, LN_MAX_DIMS,
         "dim to join along, counted from 1; 2 is the channels"),
};

static ln_status create(void *self, const ln_host *host) {
  if (((const concat *)self)->dim == 1)
    return ln_fail(host, "dim = 1 is the batch, which a layer keeps as it is: "
                         "dims count from 1, so the channels are dim = 2");
  return LN_OK;
}

static ln_status refuse_sizes(const ln_infer *io, int32_t j, int32_t d) {
  return ln_fail(io->host,
                 "input %d has size %" PRId64 " in dim %d, input 1 "
                 "has %" PRId64 ": only in the dim that is joined may sizes "
                 "differ",
                 j + 1, io->x[j].dim[d], d + 1, io->x[0].dim[d]);
}

/* The j-th input meets the first one in all dims but the joined one? */
static ln_status check_input(const ln_infer *io, int32_t joined, int32_t j) {
  const ln_shape *first = &io->x[0], *x = &io->x[j];
  if (x->rank != first->rank)
    return ln_fail(io->host,
                   "input %d has %d dims, input 1 has %d: concat "
                   "joins tensors of equal rank",
                   j + 1, x->rank, first->rank);
  for (int32_t d = 0; d < x->rank; d++)
    if (d != joined && x->dim[d] != first->dim[d])
      return refuse_sizes(io, j, d);
  return LN_OK;
}

static ln_status infer(const void *self, ln_infer *io) {
  const int32_t joined = (int32_t)((const concat *)self)->dim - 1;
  if (joined >= io->x[0].rank)
    return ln_fail(io->host,
                   "dim = %d, but x has only %d dims (they "
                   "count from 1)",
                   joined + 1, io->x[0].rank);
  int64_t sum = 0;
  for (int32_t j = 0; j < io->n_x; j++) {
    if (check_input(io, joined, j) != LN_OK) return LN_FAILED;
    sum += io->x[j].dim[joined];
  }
  io->y[0] = io->x[0];
  io->y[0].dim[joined] = sum;
  return LN_OK;
}

/* A tensor as rows: all that lies at and behind dim `joined` is one row. */
static int64_t row_length(const ln_tensor *t, int32_t joined) {
  int64_t length = 1;
  for (int32_t d = joined; d < t->shape.rank; d++) length *= t->shape.dim[d];
  return length;
}

static int64_t row_count(const ln_tensor *t, int32_t joined) {
  int64_t rows = 1;
  for (int32_t d = 0; d < joined; d++) rows *= t->shape.dim[d];
  return rows;
}

/* Copies rows that lie `from_step` apart to places `to_step` apart. */
static void copy_rows(int64_t rows, int64_t length, const float *from,
                      int64_t from_step, float *to, int64_t to_step) {
  if (length == 0) return;
  for (int64_t r = 0; r < rows; r++)
    memcpy(to + r * to_step, from + r * from_step, (size_t)length * sizeof *to);
}

static ln_status forward(const void *self, const ln_call *call) {
  const int32_t joined = (int32_t)((const concat *)self)->dim - 1;
  const int64_t rows = row_count(call->y[0], joined);
  const int64_t step = row_length(call->y[0], joined);
  int64_t place = 0;
  for (int32_t j = 0; rows > 0 && j < call->n_x; j++) {
    const int64_t length = row_length(call->x[j], joined);
    copy_rows(rows, length, ln_x(call, j), length, ln_y(call, 0) + place, step);
    place += length;
  }
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  const int32_t joined = (int32_t)((const concat *)self)->dim - 1;
  const int64_t rows = row_count(call->dy[0], joined);
  const int64_t step = row_length(call->dy[0], joined);
  int64_t place = 0;
  for (int32_t j = 0; rows > 0 && j < call->n_x; j++) {
    const int64_t length = row_length(call->x[j], joined);
    if (ln_dx(call, j))
      copy_rows(rows, length, ln_dy(call, 0) + place, step, ln_dx(call, j),
                length);
    place += length;
  }
  return LN_OK;
}

static const ln_layer layer = {
  LN_LAYER,
  .name = "concat",
  .brief = "joins tensors along one dim",
  .formula = "y = x1, x2, ... side by side along dim",
  .example = "nn.concat{}:forward(lunet.ones{ 2, 3, 4 }, "
             "lunet.ones{ 2, 5, 4 })",
  .inputs = "x*",
  .outputs = "y",
  LN_OPTIONS(concat, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_X | LN_FORGETS_Y | LN_LINEAR,
  .create = create,
  .infer = infer,
  .forward = forward,
  .backward = backward,
};
LN_PLUGIN("concat", "1.0", &layer);
