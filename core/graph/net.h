/* net.h - a net from inside: its graph, and what the latest pass left.
 *
 * Invariant: nodes stand in an order in which inputs come first, so one walk
 * up the array is the forward pass and one walk down the backward pass. */
#ifndef LUNET_GRAPH_NET_H
#define LUNET_GRAPH_NET_H

#include "graph/plan.h"

typedef struct ln_node {
  ln_instance *instance;
  char *label;               /* what errors call it: "layer 3 (conv2d)" */
  int64_t n_inputs, *inputs; /* values */
  int n_outputs;
  int64_t first_output; /* value */
} ln_node;

typedef struct ln_value_source {
  int64_t node;  /* that makes it; -1: an input of the net */
  int64_t input; /* then: which */
} ln_value_source;

struct ln_tap {
  int64_t value;
  ln_status (*hook)(void *arg, ln_tensor *dy);
  void *arg;
  ln_tensor *output, *gradient;
  ln_tap *next;
};

/* Why backward may, or may not, follow. */
typedef enum {
  LN_NO_FORWARD,    /* none yet, or it failed */
  LN_FORWARD_DONE,  /* backward may come */
  LN_BACKWARD_DONE, /* it has come already */
  LN_PREDICT_DONE,
  LN_NET_CHANGED /* a reload, another method, a tap, requires_grad */
} ln_pass_state;

/* A tensor of the user as one pass sees it: of an input, the dense tensor and
 * its gradient; of an output, the tensor made for it and the gradient given.
 * `kept` is what backward will read of the latest forward. */
typedef struct ln_lists {
  ln_tensor **value, **gradient, **kept;
  uint64_t *version; /* of kept, then */
  ln_shape *shape;
} ln_lists;

struct ln_net {
  int64_t n_nodes, n_values, n_inputs, n_outputs;
  ln_node *nodes;
  ln_value_source *values;
  int64_t *inputs, *outputs; /* values */
  ln_tap *taps;
  uint64_t taps_changed; /* counts */
  bool wants_inputs;     /* gradients of inputs */
  bool retains;          /* what forward left, for more than one backward */

  ln_inference *built;    /* of each node, by ln_net_build; NULL before */
  ln_shape *built_shapes; /* of each value */

  ln_plan *training, *predicting;
  bool has_notices; /* maybe: of a build or plan since they were told */
  ln_pass_state state;
  bool busy; /* a pass is running: the function of a tap may look on only */
  uint64_t *steps; /* of each node: the step of its latest forward */
  ln_lists x, y;   /* with room for all inputs, all outputs: a steady pass
                      allocates nothing */
  bool has_room;
};

/* The plan for these inputs, made or reused. */
ln_status ln_net_plan(ln_net *, const ln_shape *x, bool training,
                      ln_plan **out);
/* Gives the lists x and y their room, once. */
ln_status ln_net_make_room(ln_net *);
void ln_net_release_kept(ln_net *);

#endif
