/* histogram.c - how the numbers of a tensor are spread, without a copy of
 * them: what the record of a training keeps of weights and gradients. */
#include <math.h>

#include "lua/binding.h"

enum { MOST_BINS = 1000 };

typedef struct histogram {
  int64_t n, finite;
  double low, high; /* of the bins; lower or higher numbers fall in the last */
  double sum, squares, least, most;
  int64_t count[MOST_BINS];
} histogram;

static void add(histogram *h, double v) {
  const double part = (v - h->low) / (h->high - h->low);
  const double place = floor(part * (double)h->n);
  const double last = (double)(h->n - 1);
  h->count[(int64_t)(place < 0 ? 0 : place > last ? last : place)]++;
  if (h->finite == 0 || v < h->least) h->least = v;
  if (h->finite == 0 || v > h->most) h->most = v;
  h->sum += v;
  h->squares += v * v;
  h->finite++;
}

enum { PIECE = 1 << 16 }; /* numbers between two looks at Ctrl-C */

static ln_status add_all(histogram *h, const ln_tensor *t) {
  ln_clear_cancel();
  for (int64_t i = 0; i < t->count; i++) {
    if (i % PIECE == 0 && ln_is_cancelled()) return LN_CANCELLED;
    if (isfinite(t->data[i])) add(h, (double)t->data[i]);
  }
  return LN_OK;
}

static void set_number(lua_State *L, const char *field, double v) {
  lua_pushnumber(L, v);
  lua_setfield(L, -2, field);
}

static void push(lua_State *L, const histogram *h, int64_t all) {
  const double n = (double)h->finite;
  lua_createtable(L, (int)h->n, 6);
  for (int64_t i = 0; i < h->n; i++) {
    lua_pushinteger(L, h->count[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushinteger(L, all - h->finite);
  lua_setfield(L, -2, "not_finite");
  if (h->finite == 0) return;
  set_number(L, "min", h->least);
  set_number(L, "max", h->most);
  set_number(L, "mean", h->sum / n);
  set_number(L, "norm", sqrt(h->squares));
}

/* core.histogram(t, low, high, bins) -> a list of counts, with not_finite and,
 * of the finite ones, min, max, mean and norm (the root of the sum of squares).
 * Numbers beyond low or high are counted in the first or last bin. */
static int tensor_histogram(lua_State *L) {
  ln_tensor *t = ln_lua_check_tensor(L, 1, "histogram");
  const double low = ln_lua_check_number(L, 2, "histogram", "low");
  const double high = ln_lua_check_number(L, 3, "histogram", "high");
  const int64_t bins = ln_lua_check_integer(L, 4, "histogram", "bins");
  if (bins < 1 || bins > MOST_BINS)
    ln_lua_fail(L, "histogram: bins is %I, it must be in 1..%d",
                (lua_Integer)bins, MOST_BINS);
  if (!(low < high)) ln_lua_fail(L, "histogram: low must be below high");
  ln_tensor *dense = NULL;
  ln_lua_check(L, ln_tensor_dense(t, &dense));
  ln_lua_push_tensor(L, dense);
  histogram *h = lua_newuserdatauv(L, sizeof *h, 0);
  *h = (histogram){ .n = bins, .low = low, .high = high };
  ln_lua_check(L, add_all(h, dense));
  push(L, h, dense->count);
  return 1;
}

void ln_lua_open_histogram(lua_State *L) {
  static const luaL_Reg functions[] = { { "histogram", tensor_histogram },
                                        { NULL, NULL } };
  luaL_setfuncs(L, functions, 0);
}
