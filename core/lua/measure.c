/* measure.c - what `lunet bench` asks of this process and this machine. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/roofline.h"
#include "lua/binding.h"

static double seconds(struct timeval t) {
  return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

/* The first line of /proc/stat: ticks that the processors spent on user, nice,
 * system, idle, waiting, interrupt, soft interrupt and stolen. */
enum { TICKS = 8, IDLE = 3, WAITING = 4 };

/* Seconds of all processors that were not idle since the start; 0: unknown. */
static double busy_seconds(void) {
  FILE *file = fopen("/proc/stat", "r");
  if (!file) return 0;
  double sum = 0;
  unsigned long long ticks;
  if (fscanf(file, "cpu") == 0)
    for (int i = 0; i < TICKS && fscanf(file, "%llu", &ticks) == 1; i++)
      if (i != IDLE && i != WAITING) sum += (double)ticks;
  fclose(file);
  return sum / (double)sysconf(_SC_CLK_TCK);
}

/* core.busy_elsewhere() -> processor seconds used so far by anyone but this
 * process; differences of it mean something. */
static int busy_elsewhere(lua_State *L) {
  struct rusage own;
  getrusage(RUSAGE_SELF, &own);
  lua_pushnumber(L, busy_seconds() - seconds(own.ru_utime) -
                        seconds(own.ru_stime));
  return 1;
}

/* core.peak_memory() -> the most bytes in memory at once, of this process and
 * of the largest of its children that have ended */
static int peak_memory(lua_State *L) {
  struct rusage own, children;
  getrusage(RUSAGE_SELF, &own);
  getrusage(RUSAGE_CHILDREN, &children);
  lua_pushinteger(L, (lua_Integer)own.ru_maxrss * 1024); /* in KiB, on Linux */
  lua_pushinteger(L, (lua_Integer)children.ru_maxrss * 1024);
  return 2;
}

/* core.peak_flops() -> list of { isa, flops }, FLOP/s on all threads, for each
 * instruction set up to the one in use */
static int peak_flops(lua_State *L) {
  ln_isa best;
  ln_lua_check(L, ln_cpu_isa(&best));
  lua_newtable(L);
  for (int isa = 0; isa <= (int)best; isa++) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, ln_isa_name((ln_isa)isa));
    lua_setfield(L, -2, "isa");
    lua_pushnumber(L, ln_peak_flops((ln_isa)isa));
    lua_setfield(L, -2, "flops");
    lua_rawseti(L, -2, isa + 1);
  }
  return 1;
}

/* core.copy_rate() -> bytes/s of a large copy on all threads */
static int copy_rate(lua_State *L) {
  double rate = 0;
  ln_lua_check(L, ln_copy_rate(&rate));
  lua_pushnumber(L, rate);
  return 1;
}

void ln_lua_open_measure(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "busy_elsewhere", busy_elsewhere },
    { "peak_memory", peak_memory },
    { "peak_flops", peak_flops },
    { "copy_rate", copy_rate },
    { NULL, NULL },
  };
  luaL_setfuncs(L, functions, 0);
}
