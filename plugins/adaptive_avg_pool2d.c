/* adaptive_avg_pool2d.c - means of cells, as many as are wanted.
 *
 * Forward   y[n,c,oy,ox] = the mean of x[n,c,iy,ix] over the cell
 *           floor(oy*H/OH) <= iy < ceil((oy+1)*H/OH), ix likewise
 * Shapes    x (N,C,H,W)  y (N,C,OH,OW); OH and OW are the option output_size
 * Backward  dx: each dy flows back to all pixels of its cell, in equal shares
 * Source    He et al., ECCV 2014, "Spatial Pyramid Pooling": the number of
 *           cells is fixed, not their size; their bounds as in PyTorch
 *
 * Where H is no multiple of OH, neighbouring cells share a row. Where OH is
 * larger than H, several cells are the same row.
 */
#include <string.h>

#include <lunet/plugin.h>

typedef struct adaptive_avg_pool2d {
  int64_t output_size[2]; /* rows, columns */
} adaptive_avg_pool2d;

#define MOST      65535
#define MOST_SIDE ((int64_t)1 << 40) /* times MOST it is still an int64_t */

static const ln_option options[] = {
  LN_INTS(adaptive_avg_pool2d, output_size, LN_REQUIRED, 1, MOST,
          "number of cells, OH x OW: one number or {rows, columns}"),
};

static ln_status infer(const void *self, ln_infer *io) {
  const adaptive_avg_pool2d *o = self;
  const int64_t *x = io->x[0].dim;
  for (int d = 0; d < 2; d++) {
    if (x[2 + d] < 1 || x[2 + d] > MOST_SIDE)
      return ln_fail(io->host,
                     "images of %" PRId64 " x %" PRId64 " pixels: each side "
                     "must have 1 to 2^40 of them",
                     x[2], x[3]);
    io->y[0].dim[2 + d] = o->output_size[d];
  }
  io->flops = (double)x[0] * (double)x[1] * (double)x[2] * (double)x[3];
  io->flops_backward = io->flops;
  return LN_OK;
}

/* The letters of the head. A plane is one channel of one item. */
typedef struct sizes {
  int64_t planes, H, W, OH, OW;
} sizes;

static sizes sizes_of(const ln_call *call) {
  const int64_t *x = call->x[0]->shape.dim, *y = call->y[0]->shape.dim;
  return (sizes){
    .planes = x[0] * x[1], .H = x[2], .W = x[3], .OH = y[2], .OW = y[3]
  };
}

/* The rows or columns [begin, end) of a cell. */
typedef struct span {
  int64_t begin, end;
} span;

static span cell(int64_t place, int64_t in, int64_t out) {
  return (span){ .begin = place * in / out,
                 .end = ((place + 1) * in + out - 1) / out };
}

static int64_t area(span rows, span columns) {
  return (rows.end - rows.begin) * (columns.end - columns.begin);
}

static ln_status forward(const void *self, const ln_call *call) {
  (void)self;
  const sizes s = sizes_of(call);
  const float(*x)[s.H][s.W] = (void *)ln_x(call, 0);
  float(*y)[s.OH][s.OW] = (void *)ln_y(call, 0);

  for (int64_t p = 0; p < s.planes; p++)
    for (int64_t oy = 0; oy < s.OH; oy++)
      for (int64_t ox = 0; ox < s.OW; ox++) {
        const span rows = cell(oy, s.H, s.OH), columns = cell(ox, s.W, s.OW);
        float sum = 0;
        for (int64_t iy = rows.begin; iy < rows.end; iy++)
          for (int64_t ix = columns.begin; ix < columns.end; ix++)
            sum += x[p][iy][ix];
        y[p][oy][ox] = sum / (float)area(rows, columns);
      }
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  (void)self;
  const sizes s = sizes_of(call);
  const float(*dy)[s.OH][s.OW] = (void *)ln_dy(call, 0);
  float(*dx)[s.H][s.W] = (void *)ln_dx(call, 0);

  for (int64_t p = 0; p < s.planes; p++) {
    memset(dx[p], 0, sizeof dx[p]);
    for (int64_t oy = 0; oy < s.OH; oy++)
      for (int64_t ox = 0; ox < s.OW; ox++) {
        const span rows = cell(oy, s.H, s.OH), columns = cell(ox, s.W, s.OW);
        const float share = dy[p][oy][ox] / (float)area(rows, columns);
        for (int64_t iy = rows.begin; iy < rows.end; iy++)
          for (int64_t ix = columns.begin; ix < columns.end; ix++)
            dx[p][iy][ix] += share;
      }
  }
  return LN_OK;
}

static const ln_layer layer = {
  LN_LAYER,
  .name = "adaptive_avg_pool2d",
  .brief = "means of as many cells as are wanted, whatever the image's size",
  .formula = "y[n,c,oy,ox] = mean of x[n,c,iy,ix] over "
             "floor(oy*H/OH) <= iy < ceil((oy+1)*H/OH), ix likewise",
  .example = "nn.adaptive_avg_pool2d{ output_size = 3 }"
             ":forward(lunet.randn{ 2, 6, 7, 10 })",
  .inputs = "x(N,C,H,W)",
  .outputs = "y(N,C,OH,OW)",
  LN_OPTIONS(adaptive_avg_pool2d, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_X | LN_FORGETS_Y | LN_LINEAR,
  .infer = infer,
  .forward = forward,
  .backward = backward,
};
LN_PLUGIN("adaptive_avg_pool2d", "1.0", &layer);
