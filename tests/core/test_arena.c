/* Packing by lifetime: buffers that live together never share a byte, those
 * that do not may. */
#include "core_support.h"
#include "base/guard.h"
#include "base/random.h"

#include <stdio.h>
#include <string.h>
#include "graph/arena.h"

static bool live_together(const ln_buffer *a, const ln_buffer *b) {
  return a->first <= b->last && b->first <= a->last;
}

static bool overlap(const ln_buffer *a, const ln_buffer *b) {
  return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

START_TEST(two_that_live_one_after_the_other_share) {
  ln_buffer b[] = { { .bytes = 100, .first = 0, .last = 1 },
                    { .bytes = 80, .first = 2, .last = 3 },
                    { .bytes = 64, .first = 1, .last = 2 } };
  int64_t total;
  ck_assert_int_eq(ln_arena_pack(b, 3, false, &total), LN_OK);
  ck_assert_int_eq(b[0].offset, 0);
  ck_assert_int_eq(b[1].offset, 0);
  ck_assert_int_eq(b[2].offset, 128);
  ck_assert_int_eq(total, 192);
}
END_TEST

START_TEST(local_and_shared_ones_are_packed_apart) {
  ln_buffer b[] = { { .bytes = 64, .local = true }, { .bytes = 64 } };
  int64_t total;
  ck_assert_int_eq(ln_arena_pack(b, 2, true, &total), LN_OK);
  ck_assert_int_eq(total, 64);
  ck_assert_int_eq(ln_arena_pack(b, 0, true, &total), LN_OK);
  ck_assert_int_eq(total, 0);
}
END_TEST

#define MANY 60
static void check_random(uint64_t seed) {
  ln_buffer b[MANY];
  uint32_t words[3 * MANY];
  ln_random_words(ln_random_stream(seed, 0, 0), 0, 3 * MANY, words);
  int64_t sum = 0, total;
  for (int i = 0; i < MANY; i++) {
    int64_t first = words[3 * i] % 40;
    b[i] = (ln_buffer){ .bytes = words[3 * i + 1] % 5000,
                        .first = first,
                        .last = first + words[3 * i + 2] % 10 };
    sum += (b[i].bytes + 63) / 64 * 64;
  }
  ck_assert_int_eq(ln_arena_pack(b, MANY, false, &total), LN_OK);
  ck_assert_int_lt(total, sum); /* something was shared */
  for (int i = 0; i < MANY; i++) {
    ck_assert_int_eq(b[i].offset % 64, 0);
    ck_assert_int_le(b[i].offset + b[i].bytes, total);
    for (int k = 0; k < i; k++)
      if (b[i].bytes && b[k].bytes && live_together(&b[i], &b[k]))
        ck_assert(!overlap(&b[i], &b[k]));
  }
}

START_TEST(random_ones_never_overlap) {
  for (uint64_t seed = 0; seed < 50; seed++) check_random(seed);
}
END_TEST

/* ---- guarded ---- */

/* May the byte be touched? The kernel's list of pages tells. */
static bool is_open(const char *byte) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[400], access[5];
  uintptr_t begin, end, at = (uintptr_t)byte;
  bool open = false;
  ck_assert_ptr_nonnull(maps);
  while (fgets(line, sizeof line, maps))
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &begin, &end, access) ==
            3 &&
        begin <= at && at < end)
      open = access[0] == 'r' && access[1] == 'w';
  fclose(maps);
  return open;
}

START_TEST(guarded_buffers_end_at_closed_pages) {
  ln_buffer b[] = { { .bytes = 100, .any_float = true }, { .bytes = 100 } };
  int64_t total;
  ln_arena_spread(b, 2, false, &total);
  char *arena = ln_pages_new(total);
  ck_assert_ptr_nonnull(arena);
  ln_arena_close(arena, b, 2, false);
  ck_assert(!is_open(arena));
  ck_assert(is_open(arena + b[0].offset + 99));
  ck_assert(!is_open(arena + b[0].offset + 100));
  ck_assert_int_eq(b[1].offset % 64, 0);
  ck_assert(is_open(arena + b[1].offset + 127));
  ck_assert(!is_open(arena + b[1].offset + 128));
  memset(arena + b[0].offset, 1, 100);
  memset(arena + b[1].offset, 1, 100);
  ln_pages_free(arena, total);
}
END_TEST

START_TEST(guarded_memory_lies_between_closed_pages) {
  char *data = ln_guarded_new(40);
  ck_assert_ptr_nonnull(data);
  ck_assert(is_open(data) && is_open(data + 39));
  ck_assert(!is_open(data + 40));
  ck_assert(!is_open(data + 40 - ln_page_bytes() - 1));
  ln_guarded_free(data, 40);
}
END_TEST

RUN_TESTS("arena", two_that_live_one_after_the_other_share,
          local_and_shared_ones_are_packed_apart, random_ones_never_overlap,
          guarded_buffers_end_at_closed_pages,
          guarded_memory_lies_between_closed_pages)
