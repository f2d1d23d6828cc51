/* steps.c - how many items a slice has, and which layers run in one step. */
#include "graph/net.h"

/* A slice should be worth a thread's while, yet leave several slices. */
#define SLICE_WORK  2e6
#define MOST_ITEMS  16
#define MOST_SLICES 16
/* Small items go by MOST_ITEMS, which fills the widest vector with one image a
 * lane, as long as that leaves two slices. */
#define SMALL_ITEM_WORK 1e6
/* Of huge tensors there are more: Ctrl-C waits for the end of a slice. */
#define MOST_NUMBERS     16e6
#define MOST_SLICES_EVER 256
/* Each slice has gradients of its own for the weights: bound their memory. */
#define MOST_GRADIENT_BYTES (64 << 20)
/* Below this much work in a step the other threads stay asleep. */
#define PARALLEL_WORK 1e6

/* ---- slices ---- */

static int64_t largest_weights(const ln_net *net) {
  int64_t most = 0;
  for (int64_t i = 0; i < net->n_nodes; i++) {
    const ln_instance *instance = net->nodes[i].instance;
    int64_t bytes = 0;
    for (int64_t k = 0; k < instance->n_weights; k++)
      bytes += 4 * ln_instance_weight(instance, k)->value->count;
    if (bytes > most) most = bytes;
  }
  return most;
}

static double numbers_of(const ln_inference *r) {
  double numbers = 0;
  for (int k = 0; k < r->n_y; k++) numbers += (double)ln_count(&r->y[k]);
  return numbers;
}

/* Arithmetic, and 4 for each number moved. */
static double work_of(const ln_inference *r) {
  return r->flops + 4 * numbers_of(r);
}

/* The most slices that a batch is cut into, for all its outputs together. */
static int64_t most_slices(const ln_net *net, double numbers) {
  int64_t slices = MOST_SLICES, weights = largest_weights(net);
  if (numbers > MOST_NUMBERS * MOST_SLICES_EVER)
    slices = MOST_SLICES_EVER;
  else if (numbers > MOST_NUMBERS * MOST_SLICES)
    slices = (int64_t)(numbers / MOST_NUMBERS);
  if (weights * slices > MOST_GRADIENT_BYTES)
    slices = MOST_GRADIENT_BYTES / weights;
  return slices < 2 ? 2 : slices;
}

/* A function of shapes alone: results must not depend on the machine. */
int64_t ln_slice_items(const ln_net *net, const ln_inference *nodes,
                       int64_t batch) {
  double work = 1, numbers = 0;
  for (int64_t i = 0; i < net->n_nodes; i++) {
    work += work_of(&nodes[i]);
    numbers += numbers_of(&nodes[i]);
  }
  double item = work / (double)(batch ? batch : 1);
  bool small = item < SMALL_ITEM_WORK && batch >= 2 * MOST_ITEMS;
  double wanted = SLICE_WORK / item;
  int64_t items =
      small || wanted > MOST_ITEMS ? MOST_ITEMS : (int64_t)wanted + 1;
  int64_t slices = most_slices(net, numbers);
  int64_t least = (batch + slices - 1) / slices;
  return items > least ? items : least;
}

/* ---- steps ---- */

static bool ends_step(const ln_plan *p, const ln_net *net, int64_t i) {
  const ln_node *node = &net->nodes[i];
  for (int k = 0; k < node->n_outputs; k++)
    if (p->values[node->first_output + k].is_tapped) return true;
  return false;
}

static ln_plan_step *begin_step(ln_plan *p, int64_t first, bool sliced) {
  ln_plan_step *s = &p->steps[p->n_steps++];
  *s = (ln_plan_step){ .first = first,
                       .last = first - 1,
                       .opens = -1,
                       .closes = -1,
                       .sliced = sliced };
  return s;
}

/* Ends `open` (NULL: none) with the partial results of node i. */
static ln_plan_step *step_in_parts(ln_plan *p, ln_plan_step *open, int64_t i,
                                   bool sliced) {
  if (!open) open = begin_step(p, i, sliced);
  open->closes = i;
  ln_plan_step *s = begin_step(p, i, sliced);
  s->opens = i;
  return s;
}

static void divide_nodes(ln_plan *p, const ln_net *net) {
  ln_plan_step *open = NULL; /* a sliced one that may go on */
  for (int64_t i = 0; i < net->n_nodes; i++) {
    ln_plan_node *n = &p->nodes[i];
    bool sliced = !p->careful && (n->inference.per_sample || n->skipped);
    ln_plan_step *s = sliced ? open : NULL;
    n->in_parts = p->training && ln_inference_in_parts(&n->inference);
    if (n->in_parts)
      s = step_in_parts(p, s, i, sliced);
    else if (!s)
      s = begin_step(p, i, sliced);
    s->last = i;
    n->step = s - p->steps;
    open = sliced && !ends_step(p, net, i) ? s : NULL;
  }
}

static void finish_step(ln_plan *p, ln_plan_step *s, int64_t items) {
  bool split = s->sliced && items > 0 && items < p->items;
  double work = s->closes >= 0 ? work_of(&p->nodes[s->closes].inference) : 0;
  for (int64_t i = s->first; i <= s->last; i++)
    work += work_of(&p->nodes[i].inference);
  s->items = split ? items : p->items;
  s->slices = split ? (p->items + items - 1) / items : 1;
  s->parallel = work >= PARALLEL_WORK;
  s->back_first = s->first + (s->opens >= 0);
  s->back_last = s->last + (s->closes >= 0);
  if (s->slices > p->max_slices) p->max_slices = s->slices;
}

void ln_plan_make_steps(ln_plan *p, const ln_net *net, int64_t items) {
  divide_nodes(p, net);
  for (int64_t k = 0; k < p->n_steps; k++) finish_step(p, &p->steps[k], items);
}
