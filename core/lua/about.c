/* about.c - what a layer's descriptor says of it: the source of help, of
 * completion and of the tables in error messages. */
#include "host/options.h"
#include "host/registry.h"
#include "lua/binding.h"

static void set_text(lua_State *L, const char *field, const char *text) {
  if (!text) return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, field);
}

/* What a left-out option is: a value, or how it is found. */
static void set_default(lua_State *L, const ln_option *row) {
  if (row->type == LN_T_ONE_OF) return;
  if (row->fallback == LN_REQUIRED)
    set_text(L, "default", "must be given");
  else if (row->fallback == LN_FROM_INPUT)
    set_text(L, "default", "from the input");
  else if (row->fallback == LN_UNSET && row->text)
    lua_pushfstring(L, "= %s", row->text), lua_setfield(L, -2, "default");
  else if (row->fallback == LN_UNSET)
    set_text(L, "default", "not set");
  else if (row->type == LN_T_BOOL)
    set_text(L, "default", row->fallback != 0 ? "true" : "false");
  else if (row->text)
    set_text(L, "default", row->text);
  else if (row->type != LN_T_TEXT && row->type != LN_T_CHOICE)
    lua_pushfstring(L, "%f", row->fallback), lua_setfield(L, -2, "default");
}

/* { name, kind, default, help }; a row "one of these" has no name. */
static void push_option(lua_State *L, const ln_option *row) {
  char kind[300];
  lua_createtable(L, 0, 4);
  set_text(L, "name", row->name);
  set_text(L, "help", row->help);
  set_text(L, "kind", ln_options_describe(row, kind, sizeof kind));
  set_default(L, row);
}

static void set_options(lua_State *L, const ln_known_layer *k) {
  lua_createtable(L, (int)k->n_options, 0);
  for (int64_t i = 0; i < k->n_options; i++) {
    push_option(L, &k->options[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "options");
}

static void set_methods(lua_State *L, const ln_known_layer *k) {
  lua_createtable(L, (int)k->n_kernels, 0);
  for (int64_t i = 0; i < k->n_kernels; i++) {
    lua_pushstring(L, k->kernels[i].method);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "methods");
}

/* core.layer_about(word) -> { name, brief, formula, example, inputs, outputs,
 * is_loss, options, methods, path, plugin, version } */
static int layer_about(lua_State *L) {
  const ln_known_layer *k = NULL;
  ln_lua_check(
      L, ln_registry_find(ln_lua_check_text(L, 1, "nn", "layer"), &k));
  lua_newtable(L);
  set_text(L, "name", k->layer.name);
  set_text(L, "brief", k->layer.brief);
  set_text(L, "formula", k->layer.formula);
  set_text(L, "example", k->layer.example);
  set_text(L, "inputs", k->layer.inputs ? k->layer.inputs : "x(...)");
  set_text(L, "outputs", k->layer.outputs ? k->layer.outputs : "y(...)");
  set_text(L, "path", k->library->path);
  set_text(L, "plugin", k->library->plugin.name);
  set_text(L, "version", k->library->plugin.version);
  lua_pushboolean(L, k->layer.kind == LN_LOSS);
  lua_setfield(L, -2, "is_loss");
  set_options(L, k);
  set_methods(L, k);
  return 1;
}

void ln_lua_open_about(lua_State *L) {
  static const luaL_Reg functions[] = { { "layer_about", layer_about },
                                        { NULL, NULL } };
  luaL_setfuncs(L, functions, 0);
}
