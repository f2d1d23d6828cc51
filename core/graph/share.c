/* share.c - which layers write over their input, and which one does the work
 * of the layers behind it. */
#include <stdlib.h>
#include <string.h>

#include "graph/net.h"
#include "host/registry.h"

static bool forgets(const ln_net *net, int64_t i, uint32_t trait) {
  return (net->nodes[i].instance->known->layer.traits & trait) != 0;
}

/* One input, one output of its size, both seen by nobody else. */
static bool can_share(const ln_plan *p, const ln_net *net, int64_t i) {
  const ln_node *node = &net->nodes[i];
  if (p->careful || node->n_inputs != 1 || node->n_outputs != 1) return false;
  const ln_plan_value *x = &p->values[node->inputs[0]];
  const ln_plan_value *y = &p->values[node->first_output];
  return !y->n_outputs && !y->is_tapped && !x->n_outputs && !x->is_tapped &&
         x->item == y->item && x->uses == 1;
}

/* May a value lose its numbers once its only reader has run? The layer that
 * made it, and those whose memory it shares, must not want them in backward;
 * and it must not be the user's. */
static bool may_overwrite(const ln_plan *p, const ln_net *net, int64_t v) {
  int64_t i = net->values[v].node;
  if (i < 0 || (p->training && !forgets(net, i, LN_FORGETS_Y))) return false;
  if (!p->nodes[i].in_place) return true;
  return (!p->training || forgets(net, i, LN_FORGETS_X)) &&
         may_overwrite(p, net, net->nodes[i].inputs[0]);
}

/* Can layer i write its output over its input, its dx over its dy? */
static bool can_overwrite(const ln_plan *p, const ln_net *net, int64_t i) {
  return forgets(net, i, LN_IN_PLACE) &&
         (!p->training || forgets(net, i, LN_FORGETS_X)) &&
         may_overwrite(p, net, net->nodes[i].inputs[0]);
}

/* For whoever doubts the layer before: LUNET_FUSE=0. */
static bool fuses(void) {
  const char *wish = getenv("LUNET_FUSE");
  return !wish || strcmp(wish, "0") != 0;
}

int64_t ln_plan_applier(const ln_plan *p, const ln_net *net, int64_t i) {
  while (p->nodes[i].absorbed) i = net->values[net->nodes[i].inputs[0]].node;
  return i;
}

/* Does the reduce of layer i leave mean[C], scale[C] and shift[C]? */
static bool leaves_affine(const ln_plan *p, const ln_net *net, int64_t i) {
  const ln_inference *r = &p->nodes[i].inference;
  const ln_shape *x = &p->values[net->nodes[i].inputs[0]].shape;
  return ln_inference_in_parts(r) && x->rank > 1 &&
         r->shared >= 3 * x->dim[1] * (int64_t)sizeof(float);
}

/* Its numbers are known before the pass, and nothing is applied before it. */
static bool can_be_affine(const ln_plan *p, const ln_net *net, int64_t i,
                          const ln_plan_node *by) {
  return !p->training && leaves_affine(p, net, i) &&
         !ln_inference_in_parts(&by->inference) && by->affine < 0;
}

/* The node whose forward makes the input of layer i. */
static int64_t maker_of(const ln_plan *p, const ln_net *net, int64_t i) {
  return ln_plan_applier(p, net, net->values[net->nodes[i].inputs[0]].node);
}

/* Can the layer that makes the input of layer i do the work of i? */
static bool can_absorb(const ln_plan *p, const ln_net *net, int64_t i) {
  int64_t maker = maker_of(p, net, i);
  const ln_plan_node *by = &p->nodes[maker];
  int32_t is = net->nodes[i].instance->known->layer.is;
  const ln_kernel *k = by->inference.kernel;
  return is != LN_IS_OPAQUE && is < 32 && fuses() && k &&
         (k->activations & LN_ACCEPTS(is)) && by->activation == LN_IS_OPAQUE &&
         forgets(net, maker, LN_FORGETS_Y) &&
         (is != LN_IS_CHANNEL_AFFINE || can_be_affine(p, net, i, by));
}

static void absorb(ln_plan *p, const ln_net *net, int64_t i) {
  ln_plan_node *by = &p->nodes[maker_of(p, net, i)];
  int32_t is = net->nodes[i].instance->known->layer.is;
  p->nodes[i].absorbed = true;
  if (is == LN_IS_CHANNEL_AFFINE)
    by->affine = i;
  else
    by->activation = is;
}

void ln_plan_share_memory(ln_plan *p, const ln_net *net) {
  for (int64_t i = 0; i < net->n_nodes; i++) {
    ln_plan_node *n = &p->nodes[i];
    n->affine = -1;
    if (!can_share(p, net, i)) continue;
    int64_t x = net->nodes[i].inputs[0];
    n->skipped = forgets(net, i, LN_RESHAPES);
    n->in_place = n->skipped || can_overwrite(p, net, i);
    if (!n->in_place) continue;
    p->values[net->nodes[i].first_output].root = p->values[x].root;
    if (!n->skipped && can_absorb(p, net, i)) absorb(p, net, i);
  }
}
