/* text.c - see text.h. */
#include "base/text.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(ln_text *t, size_t more) {
  size_t needed = t->length + more + 1;
  if (needed <= t->room) return true;
  size_t room = needed > 2 * t->room ? needed : 2 * t->room;
  char *s = realloc(t->s, room);
  if (!s) return false;
  t->s = s;
  t->room = room;
  return true;
}

void ln_text_add(ln_text *t, const char *format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, format, arguments);
  if (length >= 0 && make_room(t, (size_t)length)) {
    vsnprintf(t->s + t->length, (size_t)length + 1, format, again);
    t->length += (size_t)length;
  }
  va_end(again);
  va_end(arguments);
}

const char *ln_text_get(const ln_text *t) {
  return t->s ? t->s : "";
}

void ln_text_free(ln_text *t) {
  free(t->s);
  *t = (ln_text){ 0 };
}

enum { LONGEST_WORD = 63 };

static int smallest(int a, int b, int c) {
  int least = a < b ? a : b;
  return least < c ? least : c;
}

/* The fewest insertions, deletions, replacements and exchanges of neighbours
 * that turn a into b (Damerau and Levenshtein). distance[i][j] is that of the
 * first i letters of a and the first j of b. */
static int edit_distance(const char *a, size_t a_length, const char *b,
                         size_t b_length) {
  int distance[LONGEST_WORD + 1][LONGEST_WORD + 1];
  for (size_t i = 0; i <= a_length; i++) distance[i][0] = (int)i;
  for (size_t j = 0; j <= b_length; j++) distance[0][j] = (int)j;
  for (size_t i = 1; i <= a_length; i++)
    for (size_t j = 1; j <= b_length; j++) {
      int replaced = distance[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      int best =
          smallest(replaced, distance[i - 1][j] + 1, distance[i][j - 1] + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        best = smallest(best, best, distance[i - 2][j - 2] + 1);
      distance[i][j] = best;
    }
  return distance[a_length][b_length];
}

const char *ln_nearest_word(const char *word, const char *const *words,
                            int64_t n) {
  size_t length = strlen(word);
  if (length > LONGEST_WORD) return NULL;
  int allowed = length < 3 ? 1 : (int)((length + 1) / 3);
  const char *nearest = NULL;
  for (int64_t i = 0; i < n; i++) {
    size_t other = strlen(words[i]);
    if (other > LONGEST_WORD) continue;
    int distance = edit_distance(word, length, words[i], other);
    if (distance > allowed) continue;
    nearest = words[i];
    allowed = distance - 1; /* from now on only a nearer one */
  }
  return nearest;
}
