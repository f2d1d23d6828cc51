/* line_editor.c - GNU readline or BSD libedit, whichever is there.
 *
 * The library is looked for when the prompt starts, never before and never at
 * link time: a program that runs a script does not pay for it, and the binary
 * is bound to neither (docs/student/prompt.md says what that means for
 * licences). Both libraries answer to the same names. They are used through
 * their callbacks, so that it is we who wait for a key, and Ctrl-C finds us
 * waiting. */
#include "lua/line_editor.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "lua/binding.h"

/* ---- the library --------------------------------------------------------- */

/* What is used of it; the second half may be missing. */
static struct {
  void (*install)(const char *prompt, void (*take_line)(char *line));
  void (*remove)(void);
  void (*read_char)(void);
  void (*add_history)(const char *line);
  char **(**complete)(const char *text, int start, int end);
  int *complete_over, *append_character;
  char **line, **breaks;
  int *point, *end;

  int (*free_line)(void), (*clean_up)(void);
  int *catch_signals;
  const char **name;
  int (*bind)(const char *keys, int (*f)(int count, int key));
  void (*replace)(const char *text, int clear_undo);
  void (*show_terminal)(int), (*leave_terminal)(void);
  void (*redraw)(void), (*on_new_line)(void);
} lib;

/* Sets *place to the symbol; false: the library does not have it. */
static bool find(void *library, void *place, const char *symbol) {
  void *found = dlsym(library, symbol);
  memcpy(place, &found, sizeof found);
  return found;
}

static bool find_needed(void *l) {
  return find(l, &lib.install, "rl_callback_handler_install") &&
         find(l, &lib.remove, "rl_callback_handler_remove") &&
         find(l, &lib.read_char, "rl_callback_read_char") &&
         find(l, &lib.add_history, "add_history") &&
         find(l, &lib.complete, "rl_attempted_completion_function") &&
         find(l, &lib.complete_over, "rl_attempted_completion_over") &&
         find(l, &lib.append_character, "rl_completion_append_character") &&
         find(l, &lib.breaks, "rl_basic_word_break_characters") &&
         find(l, &lib.line, "rl_line_buffer") &&
         find(l, &lib.point, "rl_point") && find(l, &lib.end, "rl_end");
}

static void find_welcome(void *l) {
  find(l, &lib.free_line, "rl_free_line_state");
  find(l, &lib.clean_up, "rl_callback_sigcleanup");
  find(l, &lib.catch_signals, "rl_catch_signals");
  find(l, &lib.name, "rl_readline_name");
  find(l, &lib.bind, "rl_bind_keyseq");
  find(l, &lib.replace, "rl_replace_line");
  find(l, &lib.show_terminal, "rl_prep_terminal");
  find(l, &lib.leave_terminal, "rl_deprep_terminal");
  find(l, &lib.redraw, "rl_forced_update_display");
  find(l, &lib.on_new_line, "rl_on_new_line");
}

static const struct {
  const char *name, *file;
} candidates[] = {
  { "readline", "libreadline.so.8" },
  { "readline", "libreadline.so" },
  { "libedit", "libedit.so.2" },
  { "libedit", "libedit.so" },
};

/* The name of the first library that can be used; LUNET_EDITOR chooses. */
static const char *open_library(void) {
  const char *wanted = getenv("LUNET_EDITOR");
  for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
    if (wanted && *wanted && strcmp(wanted, candidates[i].name)) continue;
    void *library = dlopen(candidates[i].file, RTLD_NOW | RTLD_LOCAL);
    if (!library) continue;
    if (find_needed(library)) {
      find_welcome(library);
      return candidates[i].name;
    }
    dlclose(library);
  }
  return NULL;
}

/* ---- what the keys do ---------------------------------------------------- */

static const char editor_key[] = "lunet.line_editor";
static lua_State *state; /* of the read under way */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
  (void)number;
  interrupted = 1;
}

bool ln_line_editor_pressed(void) {
  const bool pressed = interrupted;
  interrupted = 0;
  return pressed;
}

/* Pushes editor[name]; false: the caller set none. */
static bool push_callback(lua_State *L, const char *name) {
  lua_getfield(L, LUA_REGISTRYINDEX, editor_key);
  const bool set = lua_getfield(L, -1, name) == LUA_TFUNCTION;
  lua_remove(L, -2);
  if (!set) lua_pop(L, 1);
  return set;
}

/* The longest text that all in the list (at `index`) begin with, up to
 * UTF-8's characters. */
static size_t common_length(lua_State *L, int index, size_t n) {
  size_t common = 0;
  lua_rawgeti(L, index, 1);
  const char *first = luaL_tolstring(L, -1, &common);
  for (size_t i = 2; i <= n; i++) {
    lua_rawgeti(L, index, (lua_Integer)i);
    const char *other = luaL_tolstring(L, -1, NULL);
    size_t same = 0;
    while (same < common && first[same] == other[same]) same++;
    common = same;
    lua_pop(L, 2);
  }
  while (common && (first[common] & 0xc0) == 0x80) common--;
  lua_pop(L, 2);
  return common;
}

/* The list on the top as the library wants it: the common beginning, then all,
 * then NULL; without the first `skip` bytes, which stand in the line. */
static char **to_matches(lua_State *L, size_t skip) {
  const int list = lua_gettop(L);
  const size_t n = lua_rawlen(L, list);
  if (n == 0) return NULL;
  char **matches = calloc(n + 2, sizeof *matches);
  if (!matches) return NULL;
  const size_t common = common_length(L, list, n);
  for (size_t i = 0; i <= n; i++) {
    size_t length = 0;
    lua_rawgeti(L, list, (lua_Integer)(i ? i : 1));
    const char *text = luaL_tolstring(L, -1, &length);
    if (i == 0) length = common;
    const size_t from = skip < length ? skip : length;
    matches[i] = strndup(text + from, length - from);
    lua_pop(L, 2);
    if (n == 1) break; /* the one match alone */
  }
  return matches;
}

/* The word that the library sees, [start, end), may be shorter than what the
 * caller completes. */
static char **complete(const char *text, int start, int end) {
  (void)text;
  lua_State *L = state;
  *lib.complete_over = 1;
  *lib.append_character = 0;
  const int top = lua_gettop(L);
  char **matches = NULL;
  if (push_callback(L, "complete")) {
    lua_pushlstring(L, *lib.line, (size_t)end);
    if (lua_pcall(L, 1, 2, 0) == LUA_OK && lua_istable(L, -2)) {
      const lua_Integer replaced = lua_tointeger(L, -1);
      const lua_Integer word = end - start;
      lua_pop(L, 1);
      matches = to_matches(L, replaced > word ? (size_t)(replaced - word) : 0);
    }
  }
  lua_settop(L, top);
  return matches;
}

/* Lets the caller edit the line, with the terminal as it was. */
static int edit(int count, int key) {
  (void)count, (void)key;
  lua_State *L = state;
  sigset_t interrupt;
  const int top = lua_gettop(L);
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  if (!push_callback(L, "edit")) return 0;
  fputs("\n", stdout);
  fflush(stdout);
  lib.leave_terminal();
  sigprocmask(SIG_UNBLOCK, &interrupt, NULL);
  lua_pushstring(L, *lib.line);
  const bool fine = lua_pcall(L, 1, 1, 0) == LUA_OK;
  sigprocmask(SIG_BLOCK, &interrupt, NULL);
  if (fine && lua_isstring(L, -1)) {
    lib.replace(lua_tostring(L, -1), 0);
    *lib.point = *lib.end;
  }
  lua_settop(L, top);
  lib.show_terminal(1);
  lib.on_new_line();
  lib.redraw();
  return 0;
}

/* ---- reading ------------------------------------------------------------- */

static bool finished;
static char *taken; /* NULL: the end of the input */

static void take_line(char *line) {
  taken = line;
  finished = true;
  lib.remove(); /* before the next prompt would be shown */
}

/* Waits for keys until a line is there; false after Ctrl-C, which is let
 * through while we wait, and only then. */
static bool wait_for_line(const sigset_t *waiting) {
  struct pollfd keys = { .fd = STDIN_FILENO, .events = POLLIN };
  while (!finished) {
    if (ppoll(&keys, 1, NULL, waiting) > 0)
      lib.read_char();
    else if (interrupted)
      return false;
  }
  return true;
}

/* Else Ctrl-C would throw away the keys that we have just been told of, and
 * the library would wait for them, where no signal reaches it. */
static void keep_keys_on_interrupt(void) {
  struct termios t;
  if (tcgetattr(STDIN_FILENO, &t)) return;
  t.c_lflag |= NOFLSH;
  tcsetattr(STDIN_FILENO, TCSANOW, &t);
}

static void give_up_line(void) {
  tcflush(STDIN_FILENO, TCIFLUSH);
  fputs("^C", stdout);
  fflush(stdout);
  if (lib.free_line) lib.free_line();
  if (lib.clean_up) lib.clean_up();
  lib.remove();
}

/* editor.read(prompt). Ctrl-C is ours from now on, also between this read and
 * the next, so that none ends the process. */
static int read_line(lua_State *L) {
  const char *prompt = luaL_checkstring(L, 1);
  struct sigaction action = { .sa_handler = on_interrupt };
  sigset_t block, waiting;
  sigemptyset(&action.sa_mask);
  sigemptyset(&block);
  sigaddset(&block, SIGINT);
  sigprocmask(SIG_BLOCK, &block, &waiting);
  sigaction(SIGINT, &action, NULL);
  state = L;
  interrupted = finished = false;
  lib.install(prompt, take_line);
  keep_keys_on_interrupt();
  const bool whole = wait_for_line(&waiting);
  if (!whole) give_up_line();
  if (!whole) interrupted = false;
  sigprocmask(SIG_SETMASK, &waiting, NULL);
  if (!whole) {
    lua_pushboolean(L, false);
  } else {
    lua_pushstring(L, taken); /* nil where NULL */
    free(taken);
  }
  return 1;
}

/* editor.remember(text) */
static int remember(lua_State *L) {
  lib.add_history(luaL_checkstring(L, 1));
  return 0;
}

/* ---- the editor ---------------------------------------------------------- */

static void set_up(void) {
  static char breaks[] = " \t\n\"\\'`><=;:+-*/%^~#&|{}()[],.?!$";
  *lib.complete = complete;
  *lib.breaks = breaks;
  if (lib.catch_signals) *lib.catch_signals = 0;
  if (lib.name) *lib.name = "lunet";
  const bool can_edit = lib.bind && lib.replace && lib.show_terminal &&
                        lib.leave_terminal && lib.redraw && lib.on_new_line;
  if (can_edit) lib.bind("\\C-x\\C-e", edit);
}

void ln_lua_push_line_editor(lua_State *L) {
  static const luaL_Reg functions[] = { { "read", read_line },
                                        { "remember", remember },
                                        { NULL, NULL } };
  const char *terminal = getenv("TERM");
  const bool dumb = !terminal || !*terminal || !strcmp(terminal, "dumb");
  const bool listens = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !dumb;
  const char *name = listens ? open_library() : NULL;
  if (!name) {
    lua_pushnil(L);
    return;
  }
  set_up();
  luaL_newlib(L, functions);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "name");
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, editor_key);
}
