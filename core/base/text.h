/* text.h - texts that grow, and the nearest word to a misspelt one. */
#ifndef LUNET_BASE_TEXT_H
#define LUNET_BASE_TEXT_H

#include <lunet/lunet.h>

typedef struct ln_text {
  char *s; /* always ends with 0; NULL while empty */
  size_t length, room;
} ln_text;

/* Appends; silently cut where memory ran out, as texts serve messages. */
void ln_text_add(ln_text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *ln_text_get(const ln_text *t); /* "" while empty */
void ln_text_free(ln_text *t);

/* The word with the smallest edit distance, if it is near enough to be meant
 * (a third of its length, rounded, at least 1); else NULL. */
const char *ln_nearest_word(const char *word, const char *const *words,
                            int64_t n);

#endif
