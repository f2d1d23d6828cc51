/* initial.c - how the parameters of a layer begin: as the layer declares, or
 * as the user wishes. A wish may come before the parameters exist; it waits,
 * and draws the same numbers as if it had come later. */
#include <string.h>

#include "base/memory.h"
#include "host/instance.h"

/* ---- when a parameter is made ---- */

/* What the layer itself declares. */
static ln_status declared_init(const ln_declaration *d, ln_initialiser *how) {
  *how = (ln_initialiser){ .center = d->value };
  switch (d->init) {
  case LN_FILL: return LN_OK;
  case LN_NORMAL:
    *how = (ln_initialiser){ LN_INIT_NORMAL, LN_FAN_NONE, 0, d->value };
    return LN_OK;
  case LN_FAN_IN:
    *how = (ln_initialiser){ LN_INIT_UNIFORM, LN_FAN_OF_INPUT, 0, 1 };
    return LN_OK;
  default: return ln_set_error("has an unknown init %d", d->init);
  }
}

/* What the user wishes for this parameter: by its name, else for all. */
static ln_wish *wish_for(const ln_instance *i, const ln_declaration *d) {
  for (ln_wish *w = i->wishes; w; w = w->next)
    if (w->parameter && !strcmp(w->parameter, d->name)) return w;
  for (ln_wish *w = i->wishes; w; w = w->next)
    if (!w->parameter && d->fan_in > 0 && d->fan_out > 0) return w;
  return NULL;
}

ln_status ln_set_initial(const ln_instance *i, int64_t index, ln_tensor *t,
                         const ln_declaration *d) {
  ln_wish *wish = wish_for(i, d);
  ln_initialiser how;
  ln_status s = declared_init(d, &how);
  if (wish) {
    how = wish->how;
    wish->fulfilled = true;
  }
  if (!s)
    s = ln_tensor_initialise(t, &how, d->fan_in, d->fan_out, i->random_user,
                             (uint32_t)index);
  return s ? ln_prefix_error("%s ", d->name) : LN_OK;
}

/* ---- wishes ---- */

/* "weight, bias", for messages. */
static void list_parameters(const ln_instance *i, ln_text *t) {
  for (int64_t k = 0; k < i->n_parameters; k++)
    ln_text_add(t, "%s%s", k ? ", " : "", i->parameters[k].name);
  if (!i->n_parameters) ln_text_add(t, "none");
}

static ln_status refuse_wish(const ln_instance *i, const char *parameter) {
  ln_text names = { 0 };
  list_parameters(i, &names);
  if (parameter)
    ln_set_error("init is given for '%.60s', which is no parameter here\n"
                 "  parameters: %s",
                 parameter, ln_text_get(&names));
  else
    ln_set_error("init is given, but no parameter here has a fan_in and a "
                 "fan_out\n  parameters: %s\n  one that has none is named: "
                 "init = { bias = nn.init.zeros{} }",
                 ln_text_get(&names));
  ln_text_free(&names);
  return LN_FAILED;
}

ln_status ln_wishes_check(const ln_instance *i) {
  for (const ln_wish *w = i->wishes; w; w = w->next)
    if (!w->fulfilled) return refuse_wish(i, w->parameter);
  return LN_OK;
}

void ln_wishes_free(ln_instance *i) {
  for (ln_wish *w = i->wishes, *next; w; w = next) {
    next = w->next;
    ln_free(w->parameter);
    ln_free(w);
  }
  i->wishes = NULL;
}

/* ---- the user's word ---- */

static ln_status add_wish(ln_instance *i, const char *parameter,
                          const ln_initialiser *how) {
  ln_wish *w = ln_alloc(sizeof *w);
  if (!w) return LN_FAILED;
  *w = (ln_wish){ i->wishes, NULL, *how, false };
  if (parameter && !(w->parameter = ln_copy_text(parameter))) {
    ln_free(w);
    return LN_FAILED;
  }
  i->wishes = w;
  return LN_OK;
}

static bool is_meant(const ln_parameter *p, const char *parameter) {
  return parameter ? !strcmp(p->name, parameter)
                   : p->fan_in > 0 && p->fan_out > 0;
}

static ln_status initialise_now(ln_instance *i, const char *parameter,
                                const ln_initialiser *how) {
  bool found = false;
  for (int64_t k = 0; k < i->n_parameters; k++) {
    const ln_parameter *p = &i->parameters[k];
    if (!is_meant(p, parameter)) continue;
    found = true;
    ln_status s = ln_tensor_initialise(p->value, how, p->fan_in, p->fan_out,
                                       i->random_user, (uint32_t)k);
    if (s) {
      ln_prefix_error("%s: %s ", i->known->layer.name, p->name);
      return s;
    }
  }
  if (found) return LN_OK;
  refuse_wish(i, parameter);
  return ln_prefix_error("%s: ", i->known->layer.name);
}

ln_status ln_instance_initialise(ln_instance *i, const char *parameter,
                                 const ln_initialiser *how) {
  return i->complete ? initialise_now(i, parameter, how)
                     : add_wish(i, parameter, how);
}
