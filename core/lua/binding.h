/* binding.h - what the files of the Lua binding share.
 *
 * Each file adds its functions to the module table `core` on the top of the
 * stack, by its ln_lua_open_<part>. Errors are raised at the user's line, see
 * error.c. A C function of the binding may be left by a Lua error wherever it
 * calls Lua, so what it holds is always anchored in a userdata: a tensor once
 * it is pushed, anything else by ln_lua_guard. */
#ifndef LUNET_LUA_BINDING_H
#define LUNET_LUA_BINDING_H

#include <lauxlib.h>
#include <lua.h>
#include <lunet/lunet.h>

/* ---- error.c: errors at the user's line ---------------------------------- */

/* Raises ln_error(). Never returns; `return ln_lua_raise(L);` reads well. */
int ln_lua_raise(lua_State *L);
/* Raises a sentence; formats as in lua_pushfstring. */
int ln_lua_fail(lua_State *L, const char *format, ...);
/* Raises unless status is LN_OK; LN_CANCELLED becomes "interrupted!". */
void ln_lua_check(lua_State *L, ln_status status);
/* Pushes "file.lua:11: " of the innermost frame that is the user's, or "". */
void ln_lua_push_position(lua_State *L);
/* Pushes `message` and the user's frames, as a lua_pcall handler wants it. */
int ln_lua_traceback(lua_State *L);

/* ---- check.c: arguments of the right kind -------------------------------- */

/* `what` is the function in the user's words, "lunet.zeros" or
 * "tensor:narrow"; `name` the argument's, "start". */
ln_tensor *ln_lua_check_tensor(lua_State *L, int index, const char *what);
int64_t ln_lua_check_integer(lua_State *L, int index, const char *what,
                             const char *name);
double ln_lua_check_number(lua_State *L, int index, const char *what,
                           const char *name);
const char *ln_lua_check_text(lua_State *L, int index, const char *what,
                              const char *name);
void ln_lua_check_table(lua_State *L, int index, const char *what,
                        const char *name);
/* A dim of t, counted from 1 by the user, from 0 in the result. */
int ln_lua_check_dim(lua_State *L, int index, const ln_tensor *t,
                     const char *what);
/* The pointer of an object of the class (see object.c); a closed one is
 * refused. */
void *ln_lua_check_object(lua_State *L, int index, const char *class,
                          const char *what);
/* "a number", "a tensor", "nil" ...; may push one value. */
const char *ln_lua_kind(lua_State *L, int index);

/* ---- values.c: between Lua's values and the engine's --------------------- */

/* {2, 3} -> a shape. With `open`, one size may be -1: what is left. */
ln_shape ln_lua_to_shape(lua_State *L, int index, bool open, const char *what);
void ln_lua_push_shape(lua_State *L, const ln_shape *shape);
/* The value at `index`. Pushes one value, which keeps its lists alive; its
 * texts live as long as the Lua value does. */
ln_value ln_lua_to_value(lua_State *L, int index);
/* { kernel_size = 3, ... } -> options, sorted by name; nil gives none. Pushes
 * one value, which keeps them alive. */
const ln_named_value *ln_lua_to_options(lua_State *L, int index,
                                        const char *what, int64_t *n);
void ln_lua_push_value(lua_State *L, const ln_value *value);
/* A list of tensors; pushes one value, which keeps the array alive. */
ln_tensor **ln_lua_to_tensors(lua_State *L, int index, const char *what,
                              int64_t *n);

/* ---- object.c: engine objects as userdata -------------------------------- */

/* Makes the class, with its metatable in the registry; `class` is its name and,
 * by its address, its mark. Without a __index among the metamethods, the
 * methods are what an object is asked for. */
void ln_lua_new_class(lua_State *L, const char *class, const luaL_Reg *methods,
                      const luaL_Reg *metamethods);
/* Pushes an object of the class and returns where its pointer goes. Once the
 * object is collected or closed, the pointer is given to `release`. */
void **ln_lua_push_object(lua_State *L, const char *class,
                          void (*release)(void *));
/* The pointer of an object of the class; NULL: closed, or something else. */
void *ln_lua_test_object(lua_State *L, int index, const char *class);
/* Pushes a guard: an object without methods, for the memory of a while. */
void **ln_lua_guard(lua_State *L, void (*release)(void *));

/* ---- tensor.c ------------------------------------------------------------ */

extern const char ln_lua_tensor_class[];

/* Pushes t and takes the reference over. Returns 1. */
int ln_lua_push_tensor(lua_State *L, ln_tensor *t);
/* The tensor at `index`, or NULL where something else is. */
ln_tensor *ln_lua_test_tensor(lua_State *L, int index);

/* ---- layer.c ------------------------------------------------------------- */

ln_instance *ln_lua_check_layer(lua_State *L, int index, const char *what);

/* ---- the parts of the module, each in its file --------------------------- */

void ln_lua_open_object(lua_State *L);
void ln_lua_open_error(lua_State *L);
void ln_lua_open_session(lua_State *L);
void ln_lua_open_tensor(lua_State *L);
void ln_lua_open_tensor_make(lua_State *L);
void ln_lua_open_tensor_math(lua_State *L);
void ln_lua_open_files(lua_State *L);
void ln_lua_open_json(lua_State *L);
void ln_lua_open_optim(lua_State *L);
void ln_lua_open_data(lua_State *L);
void ln_lua_open_system(lua_State *L);
void ln_lua_open_layer(lua_State *L);
void ln_lua_open_net(lua_State *L);
void ln_lua_open_measure(lua_State *L);
void ln_lua_open_about(lua_State *L);
void ln_lua_open_histogram(lua_State *L);
void ln_lua_open_checking(lua_State *L);

LN_EXPORT int luaopen_lunet_core(lua_State *L);

#endif
