/* instance.c - a layer's life from its word to its release; see instance.h. */
#include "host/instance.h"

#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "host/activity.h"
#include "host/registry.h"
#include "tensor/tensor.h"

static char session_method[64] = "auto";
static ln_instance *living; /* the first of all */

/* ---- failures of callbacks ---- */

ln_status ln_instance_failed(ln_instance *i, ln_status status) {
  pthread_mutex_lock(&i->lock);
  if (status == LN_CANCELLED)
    ln_set_error("interrupted");
  else if (i->failure.length)
    ln_set_error("%s", ln_text_get(&i->failure));
  else
    ln_set_error("failed with status %d and left no sentence; a layer fails "
                 "by `return ln_fail(host, \"...\")`",
                 status);
  ln_text_free(&i->failure);
  i->failure = (ln_text){ 0 };
  pthread_mutex_unlock(&i->lock);
  return status == LN_CANCELLED ? LN_CANCELLED : LN_FAILED;
}

/* ---- making ---- */

static ln_status copy_name(ln_instance *i, const char *name) {
  if (name && strpbrk(name, "./ \n"))
    return ln_set_error("the name '%s' has a dot, slash or space in it; dots "
                        "join the names of nested layers",
                        name);
  i->name = ln_copy_text(name ? name : "");
  return i->name ? LN_OK : LN_FAILED;
}

static const ln_value *named(const ln_named_value *o, int64_t n,
                             const char *name) {
  for (int64_t k = 0; k < n; k++)
    if (o[k].name && !strcmp(o[k].name, name) &&
        o[k].value.kind != LN_VALUE_NIL)
      return &o[k].value;
  return NULL;
}

static ln_status keep_method(ln_instance *i, const char *method);

static ln_status read_method(ln_instance *i, const ln_named_value *o,
                             int64_t n) {
  const ln_value *v = named(o, n, "method");
  if (!v) return LN_OK;
  if (v->kind != LN_VALUE_TEXT)
    return ln_set_error("%s: method must be a text such as \"textbook\"",
                        i->known->layer.name);
  return keep_method(i, v->text);
}

static void init_lock(pthread_mutex_t *lock) {
  pthread_mutexattr_t kind;
  pthread_mutexattr_init(&kind);
  pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(lock, &kind); /* a pack under the lock may call fail */
  pthread_mutexattr_destroy(&kind);
}

static ln_status run_create(ln_instance *i) {
  const ln_layer *l = &i->known->layer;
  ln_activity activity = { .instance = i,
                           .label = i->host->layer,
                           .pass = "create" };
  ln_activity_begin(&activity);
  ln_status s = l->create ? l->create(i->self, i->host) : LN_OK;
  ln_activity_end(&activity);
  if (s) {
    ln_instance_failed(i, s);
    return ln_prefix_error("%s: ", l->name);
  }
  i->created = true;
  return LN_OK;
}

static bool has_open_options(const ln_instance *i) {
  for (int64_t k = 0; k < i->known->n_options; k++)
    if (ln_option_is_open(&i->known->options[k], i->self)) return true;
  return false;
}

/* Whose services they are, and what it is called there. */
static void name_host(ln_instance *i) {
  i->host->private_ = i;
  i->host->layer = i->name[0] ? i->name : i->known->layer.name;
}

static ln_status set_host(ln_instance *i) {
  i->host = ln_alloc(sizeof *i->host);
  if (!i->host) return LN_FAILED;
  *i->host = ln_host_services();
  name_host(i);
  return LN_OK;
}

static ln_status set_up(ln_instance *i, const char *name,
                        const ln_named_value *options, int64_t n_options) {
  static const char *const extra[] = { "name", "method", NULL };
  const ln_layer *l = &i->known->layer;
  i->self = ln_alloc_zero(l->self_size ? l->self_size : 1);
  if (!i->self || copy_name(i, name)) return LN_FAILED;
  if (set_host(i)) return LN_FAILED;
  if (ln_options_parse(i->known->options, i->known->n_options, l->name, extra,
                       options, n_options, i->self, &i->texts) ||
      read_method(i, options, n_options) || run_create(i))
    return LN_FAILED;
  if (has_open_options(i) || !ln_instance_make_parameters(i)) return LN_OK;
  return ln_prefix_error("%s: ", l->name);
}

static void enlist(ln_instance *i) {
  i->next = living;
  if (living) living->previous = i;
  living = i;
}

static void strike_out(ln_instance *i) {
  if (i->next) i->next->previous = i->previous;
  if (i->previous)
    i->previous->next = i->next;
  else
    living = i->next;
}

ln_instance *ln_instances(void) {
  return living;
}

ln_status ln_instance_make(const ln_known_layer *known, const char *name,
                           const ln_named_value *options, int64_t n_options,
                           uint64_t random_user, ln_instance **out) {
  ln_instance *i = ln_alloc_zero(sizeof *i);
  if (!i) return LN_FAILED;
  init_lock(&i->lock);
  enlist(i);
  i->references = 1;
  i->known = known;
  i->training = true;
  i->random_user = random_user;
  if (set_up(i, name, options, n_options)) {
    ln_instance_release(i);
    return LN_FAILED;
  }
  *out = i;
  return LN_OK;
}

ln_status ln_instance_new(const char *word, const char *name,
                          const ln_named_value *options, int64_t n_options,
                          ln_instance **out) {
  const ln_known_layer *known;
  ln_isa isa; /* a wrong LUNET_ISA is refused here, not ignored */
  if (ln_cpu_isa(&isa) || ln_registry_find(word, &known)) return LN_FAILED;
  return ln_instance_make(known, name, options, n_options,
                          ln_random_next_user(), out);
}

ln_instance *ln_instance_retain(ln_instance *i) {
  i->references++;
  return i;
}

static void free_parameters(ln_instance *i) {
  for (int64_t k = 0; k < i->n_parameters; k++) {
    ln_free((char *)(uintptr_t)i->parameters[k].name);
    ln_tensor_release(i->parameters[k].value);
    ln_tensor_release(i->parameters[k].grad);
  }
  ln_free(i->parameters);
  i->parameters = NULL;
  i->n_parameters = i->n_weights = i->n_states = 0;
}

static void free_owned(ln_instance *i) {
  for (ln_owned_memory *o = i->owned, *next; o; o = next) {
    next = o->next;
    ln_free(o->data);
    ln_free(o);
  }
}

void ln_instance_release(ln_instance *i) {
  if (!i || --i->references) return;
  strike_out(i);
  if (i->created && i->known->layer.destroy) i->known->layer.destroy(i->self);
  free_parameters(i);
  ln_wishes_free(i);
  free_owned(i);
  for (int k = 0; k < LN_PACKED_SLOTS; k++) ln_free(i->packed[k].data);
  ln_kept_texts_free(&i->texts);
  ln_kept_texts_free(&i->told);
  ln_text_free(&i->failure);
  ln_free(i->host);
  ln_free(i->self);
  ln_free(i->name);
  ln_free(i->method);
  pthread_mutex_destroy(&i->lock);
  ln_free(i);
}

/* ---- notices ---- */

bool ln_instance_is_news(ln_instance *i, const char *notice) {
  for (int64_t k = 0; k < i->told.count; k++)
    if (!strcmp(i->told.texts[k], notice)) return false;
  ln_keep_text(&i->told, notice);
  return true;
}

/* ---- parameters ---- */

/* What params sees; the first error stays. */
typedef struct declaring {
  ln_params params;
  ln_instance *instance;
  ln_status status;
} declaring;

static ln_status check_declaration(const ln_instance *i,
                                   const ln_declaration *d) {
  if (!d->name || !*d->name || strpbrk(d->name, "./ "))
    return ln_set_error("a parameter is declared without a plain name");
  if (d->role != LN_WEIGHT && d->role != LN_STATE)
    return ln_set_error("%s is declared with an unknown role %d", d->name,
                        d->role);
  for (int64_t k = 0; k < i->n_parameters; k++)
    if (!strcmp(i->parameters[k].name, d->name))
      return ln_set_error("two parameters are called %s", d->name);
  return LN_OK;
}

static ln_status grow_parameters(ln_instance *i) {
  ln_parameter *more = ln_alloc((size_t)(i->n_parameters + 1) * sizeof *more);
  if (!more) return LN_FAILED;
  if (i->n_parameters)
    memcpy(more, i->parameters, (size_t)i->n_parameters * sizeof *more);
  ln_free(i->parameters);
  i->parameters = more;
  return LN_OK;
}

static ln_status add_parameter(ln_instance *i, const ln_declaration *d) {
  ln_parameter p = { .role = d->role,
                     .fan_in = d->fan_in,
                     .fan_out = d->fan_out };
  if (check_declaration(i, d) || grow_parameters(i)) return LN_FAILED;
  bool good = (p.name = ln_copy_text(d->name)) &&
              !ln_tensor_new(&d->shape, &p.value) &&
              !ln_set_initial(i, i->n_parameters, p.value, d) &&
              (d->role == LN_STATE || !ln_tensor_full(&d->shape, 0, &p.grad));
  i->parameters[i->n_parameters++] = p; /* freed with the instance */
  if (d->role == LN_WEIGHT)
    i->n_weights++;
  else
    i->n_states++;
  return good ? LN_OK : LN_FAILED;
}

static void declare(ln_params *p, const ln_declaration *from) {
  declaring *all = (declaring *)p;
  ln_declaration d = { 0 };
  size_t n = from->struct_size < sizeof d ? from->struct_size : sizeof d;
  memcpy(&d, from, n);
  if (!all->status) all->status = add_parameter(all->instance, &d);
}

/* A frozen weight gets no gradient, and optimizers leave it alone. */
static void freeze_weights(ln_instance *i) {
  for (int64_t k = 0; k < i->n_parameters; k++)
    ln_full(i->parameters[k].value)->frozen = i->frozen;
}

ln_status ln_instance_make_parameters(ln_instance *i) {
  const ln_layer *l = &i->known->layer;
  declaring all = { { sizeof(ln_params), 0, i->host, declare }, i, LN_OK };
  ln_activity activity = { .instance = i,
                           .label = i->host->layer,
                           .pass = "params" };
  ln_activity_begin(&activity);
  ln_status s = l->params ? l->params(i->self, &all.params) : LN_OK;
  ln_activity_end(&activity);
  if (s || all.status) {
    if (!all.status) ln_instance_failed(i, s);
    free_parameters(i);
    return LN_FAILED;
  }
  if (ln_wishes_check(i)) {
    free_parameters(i);
    return LN_FAILED;
  }
  freeze_weights(i);
  i->complete = true;
  return LN_OK;
}

static const ln_parameter *nth(const ln_instance *i, int32_t role, int64_t n) {
  for (int64_t k = 0; k < i->n_parameters; k++)
    if (i->parameters[k].role == role && !n--) return &i->parameters[k];
  return NULL;
}

const ln_parameter *ln_instance_weight(const ln_instance *i, int64_t n) {
  return nth(i, LN_WEIGHT, n);
}

const ln_parameter *ln_instance_state(const ln_instance *i, int64_t n) {
  return nth(i, LN_STATE, n);
}

void ln_instance_zero_grad(ln_instance *i) {
  for (int64_t k = 0; k < i->n_parameters; k++)
    if (i->parameters[k].grad) ln_tensor_fill(i->parameters[k].grad, 0);
}

/* ---- other code for an instance ---- */

#define EXCHANGE(a, b)                                                         \
  do {                                                                         \
    __typeof__(a) between = (a);                                               \
    (a) = (b);                                                                 \
    (b) = between;                                                             \
  } while (0)

static void exchange_tensors(ln_instance *a, ln_instance *b) {
  for (int64_t k = 0; k < a->n_parameters; k++)
    for (int64_t m = 0; m < b->n_parameters; m++)
      if (!strcmp(a->parameters[k].name, b->parameters[m].name)) {
        EXCHANGE(a->parameters[k].value, b->parameters[m].value);
        EXCHANGE(a->parameters[k].grad, b->parameters[m].grad);
      }
}

void ln_instance_adopt(ln_instance *i, ln_instance *made) {
  exchange_tensors(i, made);
  EXCHANGE(i->known, made->known);
  EXCHANGE(i->self, made->self);
  EXCHANGE(i->texts, made->texts);
  EXCHANGE(i->owned, made->owned);
  EXCHANGE(i->host, made->host);
  EXCHANGE(i->created, made->created);
  EXCHANGE(i->complete, made->complete);
  EXCHANGE(i->n_parameters, made->n_parameters);
  EXCHANGE(i->n_weights, made->n_weights);
  EXCHANGE(i->n_states, made->n_states);
  EXCHANGE(i->parameters, made->parameters);
  for (int k = 0; k < LN_PACKED_SLOTS; k++)
    EXCHANGE(i->packed[k], made->packed[k]);
  name_host(i);
  name_host(made);
}

/* ---- methods ---- */

/* A method has a row for each instruction set. */
static bool is_named_before(const ln_kernel *rows, uint32_t row) {
  for (uint32_t earlier = 0; earlier < row; earlier++)
    if (rows[earlier].method && !strcmp(rows[earlier].method, rows[row].method))
      return true;
  return false;
}

const char *ln_layer_method(const ln_layer *l, int64_t n) {
  const ln_kernel *rows = l->kernels.at;
  for (uint32_t k = 0; k < l->kernels.count; k++)
    if (rows[k].method && !is_named_before(rows, k) && !n--)
      return rows[k].method;
  return NULL;
}

static bool has_method(const ln_layer *l, const char *method) {
  if (!strcmp(method, "auto") || !strcmp(method, "textbook")) return true;
  const char *name;
  for (int64_t n = 0; (name = ln_layer_method(l, n)); n++)
    if (!strcmp(name, method)) return true;
  return false;
}

static ln_status refuse_method(const ln_layer *l, const char *method) {
  const char *name;
  ln_text t = { 0 };
  ln_text_add(&t, "%s has no method '%.60s'; it has \"auto\", \"textbook\"",
              l->name, method);
  for (int64_t n = 0; (name = ln_layer_method(l, n)); n++)
    ln_text_add(&t, ", \"%s\"", name);
  ln_set_error("%s", ln_text_get(&t));
  ln_text_free(&t);
  return LN_FAILED;
}

static ln_status keep_method(ln_instance *i, const char *method) {
  const ln_layer *l = &i->known->layer;
  if (!has_method(l, method)) return refuse_method(l, method);
  char *copy = ln_copy_text(method);
  if (!copy) return LN_FAILED;
  ln_free(i->method);
  i->method = copy;
  return LN_OK;
}

ln_status ln_instance_set_method(ln_instance *i, const char *method) {
  if (keep_method(i, method)) return LN_FAILED;
  ln_host_bump_generation();
  return LN_OK;
}

ln_status ln_set_method(const char *method) {
  if (strcmp(method, "auto") && strcmp(method, "textbook"))
    return ln_set_error("set_method takes \"auto\" or \"textbook\", not "
                        "'%.60s'; one layer's method is its option `method`",
                        method);
  strcpy(session_method, method);
  ln_host_bump_generation();
  return LN_OK;
}

const char *ln_instance_method(const ln_instance *i) {
  return i->method ? i->method : session_method;
}

/* ---- the rest of the public face ---- */

ln_instance *ln_instance_next(const ln_instance *i) {
  return i->next;
}

const ln_shape *ln_instance_input_shape(const ln_instance *i, int64_t k) {
  return k >= 0 && k < i->n_x ? &i->x[k] : NULL;
}

const ln_layer *ln_instance_layer(const ln_instance *i) {
  return &i->known->layer;
}

int ln_instance_n_outputs(const ln_instance *i) {
  return i->known->outputs.n_ports;
}

const char *ln_instance_name(const ln_instance *i) {
  return i->name;
}

bool ln_instance_complete(const ln_instance *i) {
  return i->complete;
}

int64_t ln_instance_n_parameters(const ln_instance *i) {
  return i->n_parameters;
}

const ln_parameter *ln_instance_parameter(const ln_instance *i, int64_t k) {
  return k >= 0 && k < i->n_parameters ? &i->parameters[k] : NULL;
}

ln_status ln_instance_options(const ln_instance *i,
                              ln_status (*each)(void *arg, const char *name,
                                                const ln_value *value),
                              void *arg) {
  ln_value room[LN_MAX_DIMS];
  for (int64_t k = 0; k < i->known->n_options; k++) {
    const ln_option *row = &i->known->options[k];
    if (row->type == LN_T_ONE_OF || ln_option_is_open(row, i->self) ||
        ln_option_is_unset(row, i->self))
      continue;
    ln_value v = ln_options_value(row, i->self, room);
    if (v.kind == LN_VALUE_NIL) continue;
    ln_status s = each(arg, row->name, &v);
    if (s) return s;
  }
  if (!i->method) return LN_OK;
  ln_value v = { .kind = LN_VALUE_TEXT, .text = i->method };
  return each(arg, "method", &v);
}

void ln_instance_set_training(ln_instance *i, bool training) {
  i->training = training;
}

bool ln_instance_training(const ln_instance *i) {
  return i->training;
}

void ln_instance_set_frozen(ln_instance *i, bool frozen) {
  i->frozen = frozen;
  freeze_weights(i);
}

bool ln_instance_frozen(const ln_instance *i) {
  return i->frozen;
}

uint64_t ln_instance_step(const ln_instance *i) {
  return i->step;
}

void ln_instance_set_step(ln_instance *i, uint64_t step) {
  i->step = step;
}

uint64_t ln_instance_random_user(const ln_instance *i) {
  return i->random_user;
}

void ln_instance_set_random_user(ln_instance *i, uint64_t user) {
  i->random_user = user;
}
