/* test_check.c - what check-plugin stands on: guarded memory that notices, and
 * samples that depend on the seed alone. */
#include <string.h>

#include "check/pieces.h"
#include "check/sample.h"
#include "core_support.h"
#include "host/registry.h"

START_TEST(a_piece_ends_at_a_guard) {
  ln_piece *p = ln_piece_take("x", 12, true, false, 0);
  ck_assert_uint_eq((uintptr_t)(p->data + p->bytes) % 4096, 0);
  ck_assert_ptr_eq(ln_piece_at(p->data + p->bytes), p);
  ck_assert_ptr_eq(ln_piece_at(p->data), p);
  ck_assert_ptr_null(ln_piece_at(&p));
}
END_TEST

START_TEST(a_piece_on_the_left_begins_behind_a_guard) {
  ln_piece *p = ln_piece_take("x", 12, true, true, 0);
  ck_assert_uint_eq((uintptr_t)p->data % 4096, 0);
  ck_assert_ptr_eq(ln_piece_at(p->data - 1), p);
}
END_TEST

START_TEST(plain_memory_begins_at_a_multiple_of_64) {
  ln_piece *p = ln_piece_take("the workspace", 100, false, false, 0);
  ck_assert_uint_eq((uintptr_t)p->data % 64, 0);
}
END_TEST

START_TEST(a_piece_holds_its_filling) {
  const uint32_t fill = 0x42424242;
  ln_piece *p = ln_piece_take("y", 8, true, false, fill);
  ck_assert_int_eq(memcmp(p->data, &fill, 4), 0);
  ck_assert_int_eq(memcmp(p->data + 4, &fill, 4), 0);
}
END_TEST

START_TEST(canaries_tell_who_came_by) {
  int64_t offset = 0;
  ln_piece *p = ln_piece_take("y", 8, true, false, 0);
  p->data[0] = p->data[7] = 1;
  ck_assert(ln_piece_is_intact(p, &offset));
  p->data[-5] = 1;
  ck_assert(!ln_piece_is_intact(p, &offset));
  ck_assert_int_eq(offset, -5);
}
END_TEST

static void draw(uint64_t seed, char *text) {
  const ln_known_layer *known;
  ln_sample s;
  setenv("LUNET_PLUGIN_PATH", PLUGIN_FOLDER, 1);
  ck_ok(ln_registry_find("conv2d", &known));
  ln_sample_draw(known, seed, 0, &s);
  ln_sample_text(known, &s, text, 500);
}

START_TEST(a_seed_draws_the_same) {
  char a[500], b[500], c[500];
  draw(7, a);
  draw(7, b);
  draw(8, c);
  ck_assert_str_eq(a, b);
  ck_assert_str_ne(a, c);
}
END_TEST

RUN_TESTS("check: guards and samples", a_piece_ends_at_a_guard,
          a_piece_on_the_left_begins_behind_a_guard,
          plain_memory_begins_at_a_multiple_of_64, a_piece_holds_its_filling,
          canaries_tell_who_came_by, a_seed_draws_the_same)
