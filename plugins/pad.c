/* pad.c - put a border around each image.
 *
 * Forward   y[n,c,oy,ox] = x[n, c - front, oy - top, ox - left] inside; outside
 *           constant   value
 *           replicate  the nearest pixel of the edge
 *           reflect    the pixel as far inside of the edge's as this is outside
 * Shapes    x (N,C,H,W)  y (N, C + front + back, H + top + bottom,
 *                              W + left + right)
 * Backward  dx: each dy flows back to the pixel it was copied from
 * Source    Lecture 14, "Zero Padding"; the order of the sizes and the modes as
 *           in PyTorch's pad
 */
#include <string.h>

#include <lunet/plugin.h>

typedef struct pad {
  ln_list padding; /* left, right, top, bottom [, front, back]; or one for 4 */
  int mode;
  float value;
} pad;

enum { CONSTANT, REFLECT, REPLICATE };

#define MOST      65535
#define MOST_SIZE ((int64_t)1 << 40) /* sums and products of two stay small */

static const ln_option options[] = {
  LN_LIST(pad, padding, LN_REQUIRED, 0, MOST,
          "{left, right, top, bottom}, with {..., front, back} channels, too; "
          "one number: the same on all four sides"),
  LN_CHOICE(pad, mode, "constant", "constant|reflect|replicate",
            "what stands outside: `value`, a mirror image, or the edge"),
  LN_REAL(pad, value, 0, -LN_ANY, LN_ANY,
          "the number outside, with mode = \"constant\""),
};

/* Along one dim, from 1: channels, rows or columns. */
typedef struct margins {
  int64_t before, after;
} margins;

static margins margins_of(const pad *o, int dim) {
  const ln_list *p = &o->padding;
  if (p->count == 1)
    return dim == 1 ? (margins){ 0, 0 } : (margins){ p->at[0], p->at[0] };
  const int first = 2 * (3 - dim); /* the last dim stands first */
  if (first >= p->count) return (margins){ 0, 0 };
  return (margins){ p->at[first], p->at[first + 1] };
}

static ln_status create(void *self, const ln_host *host) {
  const pad *o = self;
  const int64_t n = o->padding.count;
  if (n != 1 && n != 4 && n != 6)
    return ln_fail(host,
                   "padding has %" PRId64 " numbers, but takes 1, 4 {left, "
                   "right, top, bottom} or 6 {left, right, top, bottom, front, "
                   "back}",
                   n);
  const margins channels = margins_of(o, 1);
  if (o->mode != CONSTANT && (channels.before || channels.after))
    return ln_fail(host, "channels have no neighbours to copy: front and back "
                         "go with mode = \"constant\" alone; try without them");
  return LN_OK;
}

static const char *const name_of[] = { "items", "channels", "rows", "columns" };

/* Is there enough in x to copy from? */
static ln_status check_source(const pad *o, const ln_infer *io, int dim) {
  const int64_t size = io->x[0].dim[dim];
  const margins m = margins_of(o, dim);
  const int64_t widest = m.before > m.after ? m.before : m.after;
  if (o->mode == REFLECT && widest >= size)
    return ln_fail(io->host,
                   "a mirror image of %" PRId64 " %s does not fit: x has "
                   "%" PRId64 " of them, and the edge is not repeated, so at "
                   "most %" PRId64 "; try mode = \"replicate\"",
                   widest, name_of[dim], size, size - 1);
  return LN_OK;
}

static ln_status infer(const void *self, ln_infer *io) {
  const pad *o = self;
  for (int dim = 1; dim <= 3; dim++) {
    const int64_t size = io->x[0].dim[dim];
    const margins m = margins_of(o, dim);
    if (size < 1 || size > MOST_SIZE)
      return ln_fail(io->host,
                     "x has %" PRId64 " %s; there must be 1 to 2^40 of them",
                     size, name_of[dim]);
    if (check_source(o, io, dim) != LN_OK) return LN_FAILED;
    io->y[0].dim[dim] = size + m.before + m.after;
  }
  return LN_OK;
}

/* ---- the loops ----------------------------------------------------------- */

/* The letters of the head. */
typedef struct sizes {
  int64_t N, C, H, W, OC, OH, OW, front, top, left;
} sizes;

static sizes sizes_of(const pad *o, const ln_call *call) {
  const int64_t *x = call->x[0]->shape.dim, *y = call->y[0]->shape.dim;
  return (sizes){
    .N = x[0],
    .C = x[1],
    .H = x[2],
    .W = x[3],
    .OC = y[1],
    .OH = y[2],
    .OW = y[3],
    .front = margins_of(o, 1).before,
    .top = margins_of(o, 2).before,
    .left = margins_of(o, 3).before,
  };
}

/* Where the copy at place i of a dim comes from, i counted from the edge of x,
 * which has `size` places; -1: from outside, so it is `value`. */
static int64_t source(int mode, int64_t i, int64_t size) {
  const bool before = i < 0, after = i >= size;
  if (!before && !after) return i;
  switch (mode) {
  case REFLECT: return before ? -i : 2 * (size - 1) - i;
  case REPLICATE: return before ? 0 : size - 1;
  default: return -1;
  }
}

static ln_status forward(const void *self, const ln_call *call) {
  const pad *o = self;
  const sizes s = sizes_of(o, call);
  const float(*x)[s.C][s.H][s.W] = (void *)ln_x(call, 0);
  float(*y)[s.OC][s.OH][s.OW] = (void *)ln_y(call, 0);

  for (int64_t n = 0; n < s.N; n++)
    for (int64_t c = 0; c < s.OC; c++)
      for (int64_t oy = 0; oy < s.OH; oy++)
        for (int64_t ox = 0; ox < s.OW; ox++) {
          const int64_t ic = source(o->mode, c - s.front, s.C);
          const int64_t iy = source(o->mode, oy - s.top, s.H);
          const int64_t ix = source(o->mode, ox - s.left, s.W);
          const bool inside = ic >= 0 && iy >= 0 && ix >= 0;
          y[n][c][oy][ox] = inside ? x[n][ic][iy][ix] : o->value;
        }
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  const pad *o = self;
  const sizes s = sizes_of(o, call);
  const float(*dy)[s.OC][s.OH][s.OW] = (void *)ln_dy(call, 0);
  float(*dx)[s.C][s.H][s.W] = (void *)ln_dx(call, 0);

  for (int64_t n = 0; n < s.N; n++) {
    memset(dx[n], 0, sizeof dx[n]);
    for (int64_t c = 0; c < s.OC; c++)
      for (int64_t oy = 0; oy < s.OH; oy++)
        for (int64_t ox = 0; ox < s.OW; ox++) {
          const int64_t ic = source(o->mode, c - s.front, s.C);
          const int64_t iy = source(o->mode, oy - s.top, s.H);
          const int64_t ix = source(o->mode, ox - s.left, s.W);
          const bool inside = ic >= 0 && iy >= 0 && ix >= 0;
          if (inside) dx[n][ic][iy][ix] += dy[n][c][oy][ox];
        }
  }
  return LN_OK;
}

/* ---- method "rows" ------------------------------------------------------- */

/* With a constant border, what is inside moves as whole rows. */

static ln_status rows_plan(const void *self, ln_infer *io) {
  (void)io;
  return ((const pad *)self)->mode == CONSTANT ? LN_OK : LN_UNSUITED;
}

static void fill(float *y, int64_t n, float value) {
  for (int64_t i = 0; i < n; i++) y[i] = value;
}

static bool is_inside(int64_t i, int64_t size) {
  return i >= 0 && i < size;
}

static ln_status rows_forward(const void *self, const ln_call *call) {
  const pad *o = self;
  const sizes s = sizes_of(o, call);
  const float(*x)[s.C][s.H][s.W] = (void *)ln_x(call, 0);
  float(*y)[s.OC][s.OH][s.OW] = (void *)ln_y(call, 0);
  const int64_t right = s.left + s.W;

  for (int64_t n = 0; n < s.N; n++)
    for (int64_t c = 0; c < s.OC; c++)
      for (int64_t oy = 0; oy < s.OH; oy++) {
        const int64_t ic = c - s.front, iy = oy - s.top;
        float *row = y[n][c][oy];
        if (!is_inside(ic, s.C) || !is_inside(iy, s.H)) {
          fill(row, s.OW, o->value);
          continue;
        }
        fill(row, s.left, o->value);
        memcpy(row + s.left, x[n][ic][iy], sizeof x[n][ic][iy]);
        fill(row + right, s.OW - right, o->value);
      }
  return LN_OK;
}

static ln_status rows_backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const float(*dy)[s.OC][s.OH][s.OW] = (void *)ln_dy(call, 0);
  float(*dx)[s.C][s.H][s.W] = (void *)ln_dx(call, 0);

  for (int64_t n = 0; n < s.N; n++)
    for (int64_t c = 0; c < s.C; c++)
      for (int64_t iy = 0; iy < s.H; iy++)
        memcpy(dx[n][c][iy], &dy[n][c + s.front][iy + s.top][s.left],
               sizeof dx[n][c][iy]);
  return LN_OK;
}

static const ln_kernel kernels[] = {
  { .method = "rows",
    .plan = rows_plan,
    .forward = rows_forward,
    .backward = rows_backward,
    .per_sample = 1 },
};

static const ln_layer layer = {
  LN_LAYER,
  .name = "pad",
  .brief = "puts a border around each image",
  .formula = "y[n,c,oy,ox] = x[n, c - front, oy - top, ox - left] inside; "
             "outside: value, a mirror image, or the nearest edge",
  .example = "nn.pad{ padding = { 1, 1, 2, 2 } }"
             ":forward(lunet.randn{ 2, 3, 4, 4 })",
  .inputs = "x(N,C,H,W)",
  .outputs = "y(N,OC,OH,OW)",
  LN_OPTIONS(pad, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_X | LN_FORGETS_Y | LN_LINEAR,
  .create = create,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("pad", "1.0", &layer);
