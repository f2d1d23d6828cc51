/* reload.c - other code for layers that live, in a running session.
 *
 * Three steps. The new file is opened as a private copy. For every living layer
 * of its words a second one is made from the same options, and compared: the
 * tensors' names and shapes, the outputs' shapes. Only when all of them are
 * fine do the living ones adopt the new code, and in that step nothing can
 * fail; so whatever goes wrong leaves the session as it was. */
#include <string.h>

#include "base/memory.h"
#include "host/infer.h"
#include "host/registry.h"

typedef struct pair {
  ln_instance *living, *made;
} pair;

typedef struct reloading {
  ln_library *library;
  int64_t n;
  pair *pairs;
} reloading;

/* ---- the options of a living layer, as a script would give them ---- */

typedef struct collecting {
  ln_named_value *values;
  ln_value *items; /* LN_MAX_DIMS of each value */
  int64_t n;
} collecting;

static ln_status collect(void *arg, const char *name, const ln_value *value) {
  collecting *c = arg;
  ln_value *items = &c->items[c->n * LN_MAX_DIMS];
  ln_named_value *to = &c->values[c->n++];
  *to = (ln_named_value){ name, *value };
  if (value->kind != LN_VALUE_LIST) return LN_OK;
  memcpy(items, value->items, (size_t)value->count * sizeof *items);
  to->value.items = items;
  return LN_OK;
}

static ln_status make_again(const ln_instance *i, const ln_known_layer *known,
                            ln_instance **out) {
  size_t most = (size_t)i->known->n_options + 1; /* and the method */
  collecting c = { ln_alloc(most * sizeof *c.values),
                   ln_alloc(most * LN_MAX_DIMS * sizeof *c.items), 0 };
  ln_status s = c.values && c.items ? LN_OK : LN_FAILED;
  if (!s) s = ln_instance_options(i, collect, &c);
  if (!s)
    s = ln_instance_make(known, i->name, c.values, c.n, i->random_user, out);
  ln_free(c.values);
  ln_free(c.items);
  return s;
}

/* ---- what would change ---- */

static const ln_parameter *find(const ln_instance *i, const ln_parameter *p) {
  for (int64_t k = 0; k < i->n_parameters; k++)
    if (i->parameters[k].role == p->role &&
        !strcmp(i->parameters[k].name, p->name))
      return &i->parameters[k];
  return NULL;
}

static void compare_tensor(const ln_parameter *was, const ln_parameter *is,
                           ln_text *changes) {
  char before[200], after[200];
  ln_shape_text(&was->value->shape, before);
  if (!is)
    ln_text_add(changes, "\n  %s %s would be gone", was->name, before);
  else if (!ln_shape_equal(&was->value->shape, &is->value->shape))
    ln_text_add(changes, "\n  %s is %s, would be %s", was->name, before,
                ln_shape_text(&is->value->shape, after));
}

static void compare_tensors(const ln_instance *was, const ln_instance *is,
                            ln_text *changes) {
  char shape[200];
  if (!was->complete) return;
  if (!is->complete)
    ln_text_add(changes, "\n  it would have an option that is still to be "
                         "taken from the input");
  for (int64_t k = 0; is->complete && k < was->n_parameters; k++)
    compare_tensor(&was->parameters[k], find(is, &was->parameters[k]), changes);
  for (int64_t k = 0; k < is->n_parameters; k++)
    if (!find(was, &is->parameters[k]))
      ln_text_add(changes, "\n  %s %s would be new", is->parameters[k].name,
                  ln_shape_text(&is->parameters[k].value->shape, shape));
}

static void compare_ports(const ln_instance *was, const ln_instance *is,
                          ln_text *changes) {
  int before = was->known->outputs.n_ports, after = is->known->outputs.n_ports;
  if (before != after)
    ln_text_add(changes, "\n  it has %d outputs, would have %d", before, after);
  if (was->known->layer.kind != is->known->layer.kind)
    ln_text_add(changes, "\n  it is %s loss, would be %s",
                was->known->layer.kind == LN_LOSS ? "a" : "no",
                is->known->layer.kind == LN_LOSS ? "one" : "none");
}

/* For the inputs that the layer had last. */
static ln_status compare_outputs(ln_instance *was, ln_instance *is,
                                 ln_text *changes) {
  char before[200], after[200];
  ln_inference old, new;
  if (!was->n_x) return LN_OK;
  if (ln_instance_infer(is, was->x, was->n_x, 0, &new)) return LN_FAILED;
  if (ln_instance_infer(was, was->x, was->n_x, 0, &old)) {
    ln_inference_free(&new);
    return LN_FAILED;
  }
  for (int k = 0; k < old.n_y && k < new.n_y; k++)
    if (!ln_shape_equal(&old.y[k], &new.y[k]))
      ln_text_add(changes, "\n  output %d is %s, would be %s", k + 1,
                  ln_shape_text(&old.y[k], before),
                  ln_shape_text(&new.y[k], after));
  ln_inference_free(&old);
  ln_inference_free(&new);
  return LN_OK;
}

static ln_status compare(ln_instance *was, ln_instance *is) {
  ln_text changes = { 0 };
  compare_ports(was, is, &changes);
  ln_status s = changes.length ? LN_OK : compare_outputs(was, is, &changes);
  if (!s) compare_tensors(was, is, &changes);
  if (!s && changes.length)
    s = ln_set_error("layer %s is in use and would not fit any more:%s\n"
                     "  make the layer anew, or undo that change",
                     was->host->layer, ln_text_get(&changes));
  ln_text_free(&changes);
  return s;
}

/* ---- the three steps ---- */

static const ln_known_layer *layer_of(const ln_library *lib, const char *word) {
  for (int64_t i = 0; i < lib->n_layers; i++)
    if (!strcmp(lib->layers[i].layer.name, word)) return &lib->layers[i];
  return NULL;
}

static ln_status add_pair(reloading *r, ln_instance *i) {
  const char *word = i->known->layer.name;
  const ln_known_layer *known = layer_of(r->library, word);
  if (!known)
    return ln_set_error("layer %s is in use, but the new file has no layer %s",
                        i->host->layer, word);
  pair *p = &r->pairs[r->n];
  *p = (pair){ i, NULL };
  if (make_again(i, known, &p->made)) return LN_FAILED;
  r->n++;
  return compare(i, p->made);
}

/* Those that live now: what is made on the way comes before them. */
static ln_status make_pairs(reloading *r) {
  size_t n = 0;
  ln_instance *first = ln_instances();
  for (ln_instance *i = first; i; i = i->next) n++;
  r->pairs = ln_alloc(n * sizeof *r->pairs);
  if (!r->pairs) return LN_FAILED;
  for (ln_instance *i = first; i; i = i->next)
    if (ln_registry_replaces(r->library, i->known->library) && add_pair(r, i))
      return LN_FAILED;
  return LN_OK;
}

static void adopt_all(const reloading *r) {
  for (int64_t k = 0; k < r->n; k++)
    ln_instance_adopt(r->pairs[k].living, r->pairs[k].made);
}

static void release_pairs(reloading *r) {
  for (int64_t k = 0; k < r->n; k++) ln_instance_release(r->pairs[k].made);
  ln_free(r->pairs);
}

ln_status ln_plugins_reload(const char *file, const char *origin,
                            const ln_plugin **out, int64_t *n) {
  reloading r = { 0 };
  ln_status s = ln_library_open_copy(file, origin, &r.library);
  if (!s) s = make_pairs(&r);
  if (!s) s = ln_registry_replace(r.library);
  if (!s) {
    adopt_all(&r);
    *out = &r.library->plugin;
    *n = r.n;
  }
  release_pairs(&r);
  if (!s) return LN_OK;
  ln_library_free(r.library);
  return ln_prefix_error("plugin %s not reloaded: ", origin);
}
