/* program.c - the program `lunet`: scripts, -e, the prompt, and commands.
 *
 * It is Lua's own program in all that a user of `lua` would expect, and finds
 * Lunet's Lua half by itself: beside the build folder, or where it was
 * installed. Ctrl-C stops what runs and leaves the engine usable. */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lualib.h>

#include "base/clock.h"
#include "lua/binding.h"
#include "lua/line_editor.h"

static const char usage[] =
    "usage: lunet [options] [FILE.lua [arguments]]\n"
    "       lunet COMMAND [arguments]\n"
    "\n"
    "  lunet                  a prompt (or the script on standard input)\n"
    "  lunet FILE.lua ...     run a script; - is standard input\n"
    "  -e CODE                run CODE; lunet, nn, optim and data are there\n"
    "  -i                     a prompt, after what else was asked for\n"
    "  --check-numerics       stop at the first layer that gives NaN or inf\n"
    "  --guard                stop at an access beyond the end of a tensor\n"
    "  --help, --version\n"
    "\n"
    "Commands; each has a --help of its own:\n"
    "  lunet bench ...              measure speed\n"
    "  lunet new-plugin NAME        a layer that works, to be made your own\n"
    "  lunet build-plugin FILE.c    compile a layer\n"
    "  lunet check-plugin FILE.c    look for what is wrong with a layer\n";

enum { EXIT_USAGE = 2 };

/* ---- Ctrl-C -------------------------------------------------------------- */

static lua_State *running; /* what Ctrl-C stops: the innermost coroutine */

/* Asked by the user; heard: an error is on its way to the prompt. */
static volatile sig_atomic_t stopping;
enum { NO, ASKED, HEARD };
static double asked_at, heard_at;

static const double clean_up = 0.05, /* seconds that an error's way may take */
    hard_stop = 2; /* seconds, then another Ctrl-C ends the process */

/* A hook. Who catches the error and goes on is stopped again, once the time to
 * clean up is over, at each instruction: so it ends outside of all that
 * catches. Where the engine has raised the error already, see error.c, the
 * hook is left with a count alone. */
static void stop(lua_State *L, lua_Debug *frame) {
  (void)frame;
  if (stopping == HEARD && ln_seconds() - heard_at < clean_up) return;
  if (stopping == ASKED) {
    stopping = HEARD;
    heard_at = ln_seconds();
    if (lua_gethookmask(L) == LUA_MASKCOUNT) return;
  }
  lua_sethook(L, stop, LUA_MASKCOUNT, 1);
  ln_lua_fail(L, "interrupted!");
}

static void on_interrupt(int number) {
  if (stopping && ln_seconds() - asked_at > hard_stop) {
    signal(number, SIG_DFL);
    raise(number);
  }
  if (!stopping) {
    asked_at = ln_seconds();
    stopping = ASKED;
  }
  ln_cancel();
  lua_sethook(running, stop,
              LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static struct sigaction unwatched; /* what Ctrl-C does otherwise */

static void watch(lua_State *L) {
  /* Without SA_RESTART, so that reading a line ends, too. */
  struct sigaction action = { .sa_handler = on_interrupt };
  running = L;
  stopping = NO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &unwatched);
  if (ln_line_editor_pressed()) raise(SIGINT);
}

static void unwatch(lua_State *L) {
  sigaction(SIGINT, &unwatched, NULL);
  lua_sethook(L, NULL, 0, 0);
  ln_clear_cancel();
}

/* Calls what is on the stack as lua_pcall does, and lets Ctrl-C stop it. */
static int call(lua_State *L, int n_arguments, int n_results, bool traceback) {
  const int handler = lua_gettop(L) - n_arguments;
  lua_pushcfunction(L, ln_lua_traceback);
  lua_insert(L, handler);
  watch(L);
  const int status =
      lua_pcall(L, n_arguments, n_results, traceback ? handler : 0);
  unwatch(L);
  lua_remove(L, handler);
  return status;
}

/* ---- Ctrl-C and coroutines ----------------------------------------------- */

/* Calls Lua's own coroutine.resume, which lies below its arguments from
 * `first` on, and lets Ctrl-C find the coroutine. A stop that it swallowed
 * reaches the one that resumed it. Leaves the results. */
static void resume_watched(lua_State *L, lua_State *inner, int first) {
  lua_State *outer = running;
  running = inner;
  const int status =
      lua_pcall(L, lua_gettop(L) - first + 1, LUA_MULTRET, 0);
  running = outer;
  if (stopping) lua_sethook(L, stop, LUA_MASKCOUNT, 1);
  if (status != LUA_OK) lua_error(L);
}

/* coroutine.resume; upvalue 1 is Lua's own. */
static int resume(lua_State *L) {
  lua_State *inner = lua_tothread(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  resume_watched(L, inner ? inner : running, 2);
  return lua_gettop(L);
}

/* What coroutine.wrap gives; upvalue 2 is the coroutine. */
static int resume_wrapped(lua_State *L) {
  lua_State *inner = lua_tothread(L, lua_upvalueindex(2));
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_rotate(L, 1, 2);
  resume_watched(L, inner, 2);
  if (lua_toboolean(L, 1)) return lua_gettop(L) - 1;
  if (lua_type(L, -1) == LUA_TSTRING) { /* as Lua: where it was called */
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

/* coroutine.wrap; upvalue 1 is Lua's own resume. */
static int wrap(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_State *inner = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, inner, 1);
  lua_pushcclosure(L, resume_wrapped, 2);
  return 1;
}

static void watch_coroutines(lua_State *L) {
  lua_getglobal(L, LUA_COLIBNAME);
  lua_getfield(L, -1, "resume");
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, resume, 1);
  lua_setfield(L, -3, "resume");
  lua_pushcclosure(L, wrap, 1);
  lua_setfield(L, -2, "wrap");
  lua_pop(L, 1);
}

/* ---- the prompt's needs, see console.lua --------------------------------- */

/* call(f) -> true, results; or false, message. */
static int protected_call(lua_State *L) {
  lua_settop(L, 1);
  const int status = call(L, 0, LUA_MULTRET, false);
  lua_pushboolean(L, status == LUA_OK);
  lua_insert(L, 1);
  return lua_gettop(L);
}

/* read_line(prompt) -> line; false after Ctrl-C; nil at the end. */
static int read_line(lua_State *L) {
  fputs(luaL_checkstring(L, 1), stdout);
  fflush(stdout);
  char *line = NULL;
  size_t room = 0;
  watch(L);
  errno = 0;
  ssize_t length = getline(&line, &room, stdin);
  const bool interrupted = length < 0 && errno == EINTR;
  unwatch(L);
  clearerr(stdin);
  if (length > 0 && line[length - 1] == '\n') length--;
  if (length >= 0)
    lua_pushlstring(L, line, (size_t)length);
  else if (interrupted)
    lua_pushboolean(L, false);
  else
    lua_pushnil(L);
  free(line);
  return 1;
}

/* ---- what the command line asks for -------------------------------------- */

/* Prints the message on the top of the stack and pops it. */
static bool report(lua_State *L, int status) {
  if (status == LUA_OK) return true;
  fflush(stdout);
  fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
  lua_pop(L, 2);
  return false;
}

/* Runs console[name](...) with the arguments on the stack. */
static bool run_console(lua_State *L, const char *name, int n_arguments) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "lunet.console");
  if (!report(L, lua_pcall(L, 1, 1, 0))) return false;
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
  lua_insert(L, -1 - n_arguments);
  return report(L, lua_pcall(L, n_arguments, 0, 0));
}

static bool run_prompt(lua_State *L) {
  lua_pushcfunction(L, read_line);
  lua_pushcfunction(L, protected_call);
  ln_lua_push_line_editor(L);
  return run_console(L, "run", 3);
}

static bool run_code(lua_State *L, const char *code) {
  int status = luaL_loadbuffer(L, code, strlen(code), "=(command line)");
  if (status == LUA_OK) status = call(L, 0, 0, true);
  return report(L, status);
}

/* Pushes arg[1], arg[2], ... */
static int push_arguments(lua_State *L) {
  lua_getglobal(L, "arg");
  const int n = (int)luaL_len(L, -1);
  luaL_checkstack(L, n + 3, "too many arguments for the script");
  for (int i = 1; i <= n; i++) lua_rawgeti(L, -i, i);
  lua_remove(L, -1 - n);
  return n;
}

/* path NULL: standard input. */
static bool run_file(lua_State *L, const char *path) {
  int status = luaL_loadfile(L, path);
  if (status == LUA_OK) status = call(L, push_arguments(L), 0, true);
  return report(L, status);
}

/* Runs main(arguments) of the module, which says whether all went well, or
 * returns an exit status. */
static int run_command(lua_State *L, const char *module) {
  lua_getglobal(L, "require");
  lua_pushstring(L, module);
  if (!report(L, lua_pcall(L, 1, 1, 0))) return EXIT_FAILURE;
  lua_getfield(L, -1, "main");
  lua_remove(L, -2);
  if (!report(L, call(L, push_arguments(L), 1, true))) return EXIT_FAILURE;
  const int otherwise = lua_toboolean(L, -1) ? EXIT_SUCCESS : EXIT_FAILURE;
  const int status =
      lua_isinteger(L, -1) ? (int)lua_tointeger(L, -1) : otherwise;
  lua_pop(L, 1);
  return status;
}

/* ---- the command line ---------------------------------------------------- */

/* The first word, where it is no script but one of these. */
static const struct command {
  const char *word, *module;
} commands[] = {
  { "bench", "lunet.bench" },
  { "build-plugin", "lunet.commands.build_plugin" },
  { "check-plugin", "lunet.commands.check_plugin" },
  { "new-plugin", "lunet.commands.new_plugin" },
};

static const char *module_of_command(const char *word) {
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    if (strcmp(word, commands[i].word) == 0) return commands[i].module;
  return NULL;
}

typedef struct request {
  const char *command; /* its module; NULL: none */
  int script;          /* its place, or the command's, in argv; argc: none */
  bool code, prompt, help, version;
  bool guard, check_numerics;
  const char *wrong; /* what is not understood */
} request;

/* Reads the options up to the script. */
static request read_options(int argc, char **argv) {
  request r = { .script = argc };
  if (argc > 1 && (r.command = module_of_command(argv[1]))) {
    r.script = 1;
    return r;
  }
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i];
    if (word[0] != '-' || word[1] == 0) {
      r.script = i;
      break;
    }
    if (strcmp(word, "-e") == 0 && i + 1 < argc) {
      r.code = true;
      i++;
    } else if (strcmp(word, "-i") == 0) {
      r.prompt = true;
    } else if (strcmp(word, "--guard") == 0) {
      r.guard = true;
    } else if (strcmp(word, "--check-numerics") == 0) {
      r.check_numerics = true;
    } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
      r.help = true;
    } else if (strcmp(word, "--version") == 0) {
      r.version = true;
    } else {
      r.wrong = word;
      break;
    }
  }
  return r;
}

/* arg[0] is the script; what stands before it has places below 0. */
static void set_arg(lua_State *L, int argc, char **argv, int script) {
  const int zero = script < argc ? script : 0;
  lua_createtable(L, argc, 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - zero);
  }
  lua_setglobal(L, "arg");
}

static bool run_codes(lua_State *L, char **argv, const request *r) {
  if (r->code && !run_console(L, "add_globals", 0)) return false;
  for (int i = 1; i < r->script && argv[i]; i++)
    if (strcmp(argv[i], "-e") == 0 && !run_code(L, argv[++i])) return false;
  return true;
}

static bool run(lua_State *L, int argc, char **argv, const request *r) {
  if (!run_codes(L, argv, r)) return false;
  if (r->script < argc) {
    const char *path = argv[r->script];
    if (!run_file(L, strcmp(path, "-") == 0 ? NULL : path)) return false;
  }
  const bool nothing_yet = r->script == argc && !r->code;
  if (r->prompt || (nothing_yet && isatty(STDIN_FILENO))) return run_prompt(L);
  return nothing_yet ? run_file(L, NULL) : true;
}

/* ---- Lua with Lunet in it ------------------------------------------------ */

/* Pushes the folder if Lunet's scripts are in it. */
static bool push_if_scripts(lua_State *L, const char *beside,
                            const char *path) {
  char folder[PATH_MAX];
  lua_pushfstring(L, "%s/%s", beside, path);
  const bool found = realpath(lua_tostring(L, -1), folder) != NULL;
  lua_pop(L, 1);
  if (!found) return false;
  lua_pushfstring(L, "%s/lunet/init.lua", folder);
  const bool is_ours = access(lua_tostring(L, -1), R_OK) == 0;
  lua_pop(L, 1);
  if (is_ours) lua_pushstring(L, folder);
  return is_ours;
}

/* Pushes the folder of Lunet's scripts: ../scripts, seen from the program in
 * its build folder; ../share/lunet, where it was installed, also if all of it
 * was moved since; else where they were to be installed. */
static void push_script_folder(lua_State *L) {
  char program[PATH_MAX];
  const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
  if (n > 0) {
    program[n] = 0;
    const char *beside = dirname(program);
    if (push_if_scripts(L, beside, "../scripts") ||
        push_if_scripts(L, beside, "../share/lunet"))
      return;
  }
  lua_pushliteral(L, LN_SCRIPT_FOLDER);
}

static void add_lunet(lua_State *L) {
  lua_getglobal(L, "package");
  push_script_folder(L);
  const char *folder = lua_tostring(L, -1);
  lua_getfield(L, -2, "path");
  lua_pushfstring(L, "%s/?.lua;%s/?/init.lua;%s", folder, folder,
                  lua_tostring(L, -1));
  lua_setfield(L, -4, "path");
  lua_getfield(L, -3, "preload");
  lua_pushcfunction(L, luaopen_lunet_core);
  lua_setfield(L, -2, "lunet_core");
  lua_settop(L, 0);
}

typedef struct command_line {
  int argc;
  char **argv;
  const request *asked;
  int status; /* of the process */
} command_line;

static int protected_main(lua_State *L) {
  command_line *c = lua_touserdata(L, 1);
  luaL_checkversion(L);
  luaL_openlibs(L);
  watch_coroutines(L);
  lua_gc(L, LUA_GCGEN, 0, 0); /* as Lua's own program does */
  add_lunet(L);
  set_arg(L, c->argc, c->argv, c->asked->script);
  if (c->asked->command)
    c->status = run_command(L, c->asked->command);
  else if (run(L, c->argc, c->argv, c->asked))
    c->status = EXIT_SUCCESS;
  return 0;
}

static int run_lua(int argc, char **argv, const request *asked) {
  command_line c = { argc, argv, asked, EXIT_FAILURE };
  lua_State *L = luaL_newstate();
  if (!L) {
    fputs("lunet: out of memory\n", stderr);
    return EXIT_FAILURE;
  }
  lua_pushcfunction(L, protected_main);
  lua_pushlightuserdata(L, &c);
  if (!report(L, lua_pcall(L, 1, 0, 0))) c.status = EXIT_FAILURE;
  lua_close(L);
  return c.status;
}

/* A crash and a call without end are always named; the rest costs time. */
static void look_for_mistakes(const request *asked) {
  const char *patience = getenv("LUNET_PATIENCE");
  const double seconds = patience ? strtod(patience, NULL) : 0;
  ln_report_crashes();
  ln_watch_calls(seconds > 0 ? seconds : 10);
  if (asked->guard) ln_set_guard(true);
  if (asked->check_numerics) ln_set_check_numerics(true);
}

int main(int argc, char **argv) {
  const request asked = read_options(argc, argv);
  if (asked.wrong) {
    fprintf(stderr, "lunet: %s '%s'; see lunet --help\n",
            strcmp(asked.wrong, "-e") == 0 ? "no code follows"
                                           : "unknown option",
            asked.wrong);
    return EXIT_USAGE;
  }
  look_for_mistakes(&asked);
  if (asked.help) return fputs(usage, stdout) < 0;
  if (asked.version) return puts("Lunet " LN_VERSION ", " LUA_RELEASE) < 0;
  return run_lua(argc, argv, &asked);
}
