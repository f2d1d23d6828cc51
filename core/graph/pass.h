/* pass.h - one pass over a net while it runs. */
#ifndef LUNET_GRAPH_PASS_H
#define LUNET_GRAPH_PASS_H

#include "graph/net.h"

typedef enum {
  LN_FORWARD,
  LN_FORWARD_PARTIAL,
  LN_FORWARD_REDUCE,
  LN_BACKWARD,
  LN_BACKWARD_PARTIAL,
  LN_BACKWARD_REDUCE,
  LN_BACKWARD_WEIGHTS /* on the whole batch, as the reduces are */
} ln_pass_kind;

typedef struct ln_pass_run {
  ln_net *net;
  ln_plan *plan;
  bool predict, replay; /* replay: with the steps of the latest forward */
  ln_tensor *const *x;  /* of the net: inputs, outputs and their gradients */
  ln_tensor **y, **dx;
  ln_tensor *const *dy;
  /* what a slice needs to know */
  ln_pass_kind kind;
  const ln_plan_step *step;
} ln_pass_run;

/* All steps upwards; y holds fresh tensors. After a careful plan's step,
 * `look` (may be NULL) is called with its node. */
ln_status ln_run_forward(ln_pass_run *,
                         ln_status (*look)(void *arg, int64_t node), void *arg);
/* All steps downwards: fills dx, adds to the gradients of the weights. */
ln_status ln_run_backward(ln_pass_run *,
                          ln_status (*look)(void *arg, int64_t node),
                          void *arg);

/* Are the results of a node all finite: in forward its outputs, in backward the
 * gradients of its inputs and weights? For a careful plan. */
bool ln_gives_finite(const ln_pass_run *, int64_t node, bool gradient);
/* LN_FAILED, with all that the node has taken in and given. */
ln_status ln_refuse_nonfinite(const ln_pass_run *, int64_t node,
                              bool gradient);

/* The first float of a value (or its gradient) for a slice that begins at
 * item `first` on thread slot `slot`. */
float *ln_run_address(const ln_pass_run *, int64_t value, bool gradient,
                      int64_t first, int slot);

#endif
