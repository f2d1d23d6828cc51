/* layer.c - a layer with its weights as a Lua object, and the plugins it comes
 * from, in primitive form; scripts/lunet/layer.lua makes nn.conv2d{} of it. */
#include "lua/binding.h"

static const char class[] = "lunet.layer";

static void release(void *instance) {
  ln_instance_release(instance);
}

ln_instance *ln_lua_check_layer(lua_State *L, int index, const char *what) {
  return ln_lua_check_object(L, index, class, what);
}

/* core.layer(word, name, options): name may be nil. */
static int new_layer(lua_State *L) {
  lua_settop(L, 3);
  const char *word = ln_lua_check_text(L, 1, "core.layer", "word");
  const char *name =
      lua_isnil(L, 2) ? NULL : ln_lua_check_text(L, 2, word, "name");
  lua_pushfstring(L, "nn.%s", word);
  int64_t n = 0;
  const ln_named_value *options =
      ln_lua_to_options(L, 3, lua_tostring(L, -1), &n);
  ln_instance **out = (ln_instance **)ln_lua_push_object(L, class, release);
  ln_lua_check(L, ln_instance_new(word, name, options, n, out));
  return 1;
}

static ln_instance *self(lua_State *L) {
  return ln_lua_check_layer(L, 1, "layer");
}

static int is_complete(lua_State *L) {
  lua_pushboolean(L, ln_instance_complete(self(L)));
  return 1;
}

static int is_loss(lua_State *L) {
  lua_pushboolean(L, ln_instance_layer(self(L))->kind == LN_LOSS);
  return 1;
}

static int n_outputs(lua_State *L) {
  lua_pushinteger(L, ln_instance_n_outputs(self(L)));
  return 1;
}

static void push_tensor_field(lua_State *L, const char *field, ln_tensor *t) {
  if (!t) return;
  ln_lua_push_tensor(L, ln_tensor_retain(t));
  lua_setfield(L, -2, field);
}

static void push_parameter(lua_State *L, const ln_parameter *p) {
  lua_createtable(L, 0, 6);
  lua_pushstring(L, p->name);
  lua_setfield(L, -2, "name");
  lua_pushboolean(L, p->role == LN_WEIGHT);
  lua_setfield(L, -2, "trained");
  push_tensor_field(L, "value", p->value);
  push_tensor_field(L, "grad", p->grad);
  lua_pushnumber(L, p->fan_in);
  lua_setfield(L, -2, "fan_in");
  lua_pushnumber(L, p->fan_out);
  lua_setfield(L, -2, "fan_out");
}

/* layer:tensors() -> list of { name, trained, value, grad, fan_in, fan_out },
 * weights and state in the order of declaration. */
static int tensors(lua_State *L) {
  const ln_instance *i = self(L);
  const int64_t n = ln_instance_n_parameters(i);
  lua_createtable(L, (int)n, 0);
  for (int64_t k = 0; k < n; k++) {
    push_parameter(L, ln_instance_parameter(i, k));
    lua_rawseti(L, -2, k + 1);
  }
  return 1;
}

static ln_status add_option(void *arg, const char *name,
                            const ln_value *value) {
  lua_State *L = arg;
  ln_lua_push_value(L, value);
  lua_setfield(L, -2, name);
  return LN_OK;
}

/* layer:options() -> table of the options in force */
static int options(lua_State *L) {
  const ln_instance *i = self(L);
  lua_newtable(L);
  ln_lua_check(L, ln_instance_options(i, add_option, L));
  return 1;
}

static int set_training(lua_State *L) {
  ln_instance_set_training(self(L), lua_toboolean(L, 2));
  return 0;
}

static int training(lua_State *L) {
  lua_pushboolean(L, ln_instance_training(self(L)));
  return 1;
}

static int set_frozen(lua_State *L) {
  ln_instance_set_frozen(self(L), lua_toboolean(L, 2));
  return 0;
}

static int frozen(lua_State *L) {
  lua_pushboolean(L, ln_instance_frozen(self(L)));
  return 1;
}

static int step(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)ln_instance_step(self(L)));
  return 1;
}

static int set_step(lua_State *L) {
  ln_instance *i = self(L);
  const int64_t n = ln_lua_check_integer(L, 2, "layer:set_step", "step");
  ln_instance_set_step(i, (uint64_t)n);
  return 0;
}

/* layer:random_user() -> whose random numbers it draws; nil: it draws none */
static int random_user(lua_State *L) {
  const ln_instance *i = self(L);
  if (!(ln_instance_layer(i)->traits & LN_RANDOM)) return 0;
  lua_pushinteger(L, (lua_Integer)ln_instance_random_user(i));
  return 1;
}

static int set_random_user(lua_State *L) {
  ln_instance *i = self(L);
  const int64_t n = ln_lua_check_integer(L, 2, "layer:set_random_user", "user");
  ln_instance_set_random_user(i, (uint64_t)n);
  return 0;
}

static int zero_grad(lua_State *L) {
  ln_instance_zero_grad(self(L));
  return 0;
}

/* ---- initial values ------------------------------------------------------ */

/* The table { kind = "normal", fan = "fan_in", center = 0, spread = 1 }. */
static ln_initialiser to_initialiser(lua_State *L, int index) {
  static const char *const kinds[] = { "constant", "normal", "uniform",
                                       "orthogonal", NULL };
  static const char *const fans[] = { "none", "fan_in", "fan_out", "fan_mean",
                                      NULL };
  ln_lua_check_table(L, index, "initialise", "the initialiser");
  lua_getfield(L, index, "kind");
  lua_getfield(L, index, "fan");
  lua_getfield(L, index, "center");
  lua_getfield(L, index, "spread");
  const ln_initialiser how = {
    .kind = (ln_init_kind)luaL_checkoption(L, -4, NULL, kinds),
    .fan = (ln_fan)luaL_checkoption(L, -3, "none", fans),
    .center = luaL_optnumber(L, -2, 0),
    .spread = luaL_optnumber(L, -1, 1),
  };
  lua_pop(L, 4);
  return how;
}

/* layer:initialise(initialiser [, parameter]): drawn from the layer's own
 * random numbers, now or once its sizes are known. */
static int initialise(lua_State *L) {
  lua_settop(L, 3);
  ln_instance *i = self(L);
  const ln_initialiser how = to_initialiser(L, 2);
  const char *name =
      lua_isnil(L, 3) ? NULL : ln_lua_check_text(L, 3, "init", "parameter");
  ln_lua_check(L, ln_instance_initialise(i, name, &how));
  return 0;
}

/* core.initialise(tensor, initialiser, fan_in, fan_out, name): from random
 * numbers that nobody has drawn yet. */
static int initialise_tensor(lua_State *L) {
  ln_tensor *t = ln_lua_check_tensor(L, 1, "nn.init");
  const ln_initialiser how = to_initialiser(L, 2);
  const double fan_in = ln_lua_check_number(L, 3, "nn.init", "fan_in");
  const double fan_out = ln_lua_check_number(L, 4, "nn.init", "fan_out");
  const char *name = ln_lua_check_text(L, 5, "nn.init", "name");
  const ln_status s =
      ln_tensor_initialise(t, &how, fan_in, fan_out, ln_next_random_user(), 0);
  if (s) ln_prefix_error("nn.init: %s ", name);
  ln_lua_check(L, s);
  return 0;
}

static int set_method(lua_State *L) {
  ln_instance *i = self(L);
  ln_lua_check(L, ln_instance_set_method(
                      i, ln_lua_check_text(L, 2, "set_method", "method")));
  return 0;
}

/* ---- plugins ------------------------------------------------------------- */

static void set_text(lua_State *L, const char *field, const char *text) {
  if (!text) return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, field);
}

/* Sets the field `methods`, best first. */
static void set_methods(lua_State *L, const ln_layer *l) {
  const char *name;
  int64_t n = 0;
  lua_newtable(L);
  for (; (name = ln_layer_method(l, n)); n++) {
    lua_pushstring(L, name);
    lua_rawseti(L, -2, n + 1);
  }
  lua_pushliteral(L, "textbook");
  lua_rawseti(L, -2, n + 1);
  lua_setfield(L, -2, "methods");
}

static void push_layer(lua_State *L, const ln_layer *l) {
  set_text(L, "name", l->name);
  set_text(L, "brief", l->brief);
  set_text(L, "formula", l->formula);
  set_text(L, "example", l->example);
  set_text(L, "inputs", l->inputs);
  set_text(L, "outputs", l->outputs);
  set_methods(L, l);
}

static void add_row(void *arg, const char *path, const ln_plugin *plugin,
                    const ln_layer *layer, const char *refused) {
  lua_State *L = arg;
  lua_newtable(L);
  set_text(L, "path", path);
  if (plugin) {
    set_text(L, "plugin", plugin->name);
    set_text(L, "version", plugin->version);
  }
  if (layer) push_layer(L, layer);
  set_text(L, "refused", refused);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

/* core.plugins_list() -> rows { name, brief, ..., methods, path, plugin,
 * version }, or { path, refused } */
static int plugins_list(lua_State *L) {
  lua_newtable(L);
  ln_lua_check(L, ln_plugins_list(add_row, L));
  return 1;
}

/* core.plugins_load(path) -> name, version of the plugin */
static int plugins_load(lua_State *L) {
  const ln_plugin *p = NULL;
  const char *path = ln_lua_check_text(L, 1, "plugins.load", "path");
  ln_lua_check(L, ln_plugins_load(path, &p));
  lua_pushstring(L, p->name);
  lua_pushstring(L, p->version);
  return 2;
}

/* core.plugins_reload(file, origin) -> name, version of the plugin, and how
 * many layers go on with its code; or nil and the reason */
static int plugins_reload(lua_State *L) {
  const ln_plugin *p = NULL;
  int64_t n = 0;
  const char *file = ln_lua_check_text(L, 1, "plugins.reload", "file");
  const char *origin = ln_lua_check_text(L, 2, "plugins.reload", "origin");
  if (ln_plugins_reload(file, origin, &p, &n)) {
    lua_pushnil(L);
    lua_pushstring(L, ln_error());
    return 2;
  }
  lua_pushstring(L, p->name);
  lua_pushstring(L, p->version);
  lua_pushinteger(L, n);
  return 3;
}

static void push_living(lua_State *L, const ln_instance *i) {
  lua_createtable(L, 0, 3);
  set_text(L, "word", ln_instance_layer(i)->name);
  lua_newtable(L);
  ln_lua_check(L, ln_instance_options(i, add_option, L));
  lua_setfield(L, -2, "options");
  lua_newtable(L);
  const ln_shape *x;
  for (int64_t k = 0; (x = ln_instance_input_shape(i, k)); k++) {
    ln_lua_push_shape(L, x);
    lua_rawseti(L, -2, k + 1);
  }
  lua_setfield(L, -2, "shapes");
}

/* core.living_layers() -> list of { word, options, shapes = those of the latest
 * inputs } */
static int living_layers(lua_State *L) {
  lua_newtable(L);
  lua_Integer n = 0;
  for (const ln_instance *i = ln_instances(); i; i = ln_instance_next(i)) {
    push_living(L, i);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

/* layer:traits() -> { random = true, ... }: what a test of it must know */
static int traits(lua_State *L) {
  const ln_layer *l = ln_instance_layer(self(L));
  lua_newtable(L);
  lua_pushboolean(L, (l->traits & LN_NONSMOOTH) != 0);
  lua_setfield(L, -2, "nonsmooth");
  lua_pushboolean(L, (l->traits & LN_RANDOM) != 0);
  lua_setfield(L, -2, "random");
  return 1;
}

/* core.layer_exists(word): true, or an error that says where was searched */
static int layer_exists(lua_State *L) {
  const ln_layer *l = NULL;
  ln_lua_check(L, ln_plugins_find(ln_lua_check_text(L, 1, "nn", "layer"), &l));
  lua_pushboolean(L, 1);
  return 1;
}

/* core.layer_path(word) -> the file of a loaded word, nil: it is not loaded */
static int layer_path(lua_State *L) {
  lua_pushstring(L, ln_plugins_path(ln_lua_check_text(L, 1, "nn", "layer")));
  return 1;
}

void ln_lua_open_layer(lua_State *L) {
  static const luaL_Reg functions[] = { { "layer", new_layer },
                                        { "layer_exists", layer_exists },
                                        { "layer_path", layer_path },
                                        { "initialise", initialise_tensor },
                                        { "plugins_list", plugins_list },
                                        { "plugins_load", plugins_load },
                                        { "plugins_reload", plugins_reload },
                                        { "living_layers", living_layers },
                                        { NULL, NULL } };
  static const luaL_Reg methods[] = {
    { "is_complete", is_complete },
    { "is_loss", is_loss },
    { "tensors", tensors },
    { "options", options },
    { "training", training },
    { "set_training", set_training },
    { "frozen", frozen },
    { "set_frozen", set_frozen },
    { "step", step },
    { "set_step", set_step },
    { "initialise", initialise },
    { "zero_grad", zero_grad },
    { "set_method", set_method },
    { "n_outputs", n_outputs },
    { "random_user", random_user },
    { "set_random_user", set_random_user },
    { "traits", traits },
    { NULL, NULL },
  };
  static const luaL_Reg none[] = { { NULL, NULL } };
  ln_lua_new_class(L, class, methods, none);
  luaL_setfuncs(L, functions, 0);
}
