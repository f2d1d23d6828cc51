/* pieces.c - memory between pages that nobody may touch; see pieces.h.
 *
 * One reservation of address space holds all pieces side by side, each in a
 * room of its own; pieces are taken in a ring. */
#include "check/pieces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"

#define ROOM     (1 << 20)
#define CANARY   0xC5
#define CANARIES 256 /* bytes on the open side */

static char *reserved;
static size_t stride; /* a room and its guards */
static ln_piece pieces[LN_MOST_PIECES];
static int next;
static bool relaxed;

static void reserve(void) {
  const size_t page = (size_t)ln_page_bytes();
  stride = ROOM + 2 * page;
  const int64_t bytes = (int64_t)(LN_MOST_PIECES * stride);
  reserved = ln_pages_new(bytes);
  if (!reserved) {
    fprintf(stderr, "check-plugin: %s\n", ln_error());
    _Exit(EXIT_FAILURE);
  }
  ln_pages_allow(reserved, bytes, LN_PAGES_NOTHING);
  for (int i = 0; i < LN_MOST_PIECES; i++)
    pieces[i].room = reserved + (size_t)i * stride + page;
}

bool ln_piece_fits(int64_t bytes) {
  return bytes <= ROOM - 2 * CANARIES;
}

static char *place(const ln_piece *p, bool left) {
  if (left) return p->room;
  const int64_t taken = p->floats ? p->bytes : (p->bytes + 63) & ~(int64_t)63;
  return p->room + ROOM - taken;
}

/* The stretch around the data that must keep its canaries. */
static void surroundings(const ln_piece *p, char **begin, char **end) {
  *begin = p->data - CANARIES < p->room ? p->room : p->data - CANARIES;
  char *room_end = p->room + ROOM, *data_end = p->data + p->bytes;
  *end = data_end + CANARIES > room_end ? room_end : data_end + CANARIES;
}

/* The pattern once, then what is filled copied behind itself. */
static void fill_with(char *data, int64_t bytes, uint32_t fill) {
  int64_t done = bytes < 4 ? bytes : 4;
  memcpy(data, &fill, (size_t)done);
  while (done < bytes) {
    const int64_t more = done < bytes - done ? done : bytes - done;
    memcpy(data + done, data, (size_t)more);
    done += more;
  }
}

/* The pages that hold the data and its canaries; relaxed, the whole room. */
static void pages_of(const ln_piece *p, char **begin, char **end) {
  const intptr_t page = (intptr_t)ln_page_bytes();
  *begin = p->room;
  *end = p->room + ROOM;
  if (relaxed) return;
  char *from, *to;
  surroundings(p, &from, &to);
  *begin += (from - p->room) / page * page;
  *end -= (p->room + ROOM - to) / page * page;
}

static void allow(ln_piece *p, ln_pages_access wanted) {
  char *begin, *end;
  if (p->access == wanted) return;
  pages_of(p, &begin, &end);
  ln_pages_allow(begin, end - begin, wanted);
  p->access = wanted;
}

ln_piece *ln_piece_take(const char *name, int64_t bytes, bool floats, bool left,
                        uint32_t fill) {
  if (!reserved) reserve();
  ln_piece *p = &pieces[next];
  next = (next + 1) % LN_MOST_PIECES;
  if (p->data && !relaxed) allow(p, LN_PAGES_NOTHING); /* its pages of before */
  snprintf(p->name, sizeof p->name, "%s", name);
  p->bytes = bytes;
  p->floats = floats;
  p->data = place(p, left);
  ln_piece_set(p, LN_PIECE_OPEN);
  char *begin, *end;
  surroundings(p, &begin, &end);
  memset(begin, CANARY, (size_t)(end - begin));
  fill_with(p->data, bytes, fill);
  return p;
}

static void close_all(void) {
  ln_pages_allow(reserved, (int64_t)(LN_MOST_PIECES * stride),
                 LN_PAGES_NOTHING);
  for (int i = 0; i < LN_MOST_PIECES; i++) pieces[i].access = LN_PAGES_NOTHING;
}

void ln_pieces_relax(bool yes) {
  if (relaxed == yes) return;
  relaxed = yes;
  if (reserved) close_all();
}

int ln_pieces_mark(void) {
  return next;
}

void ln_pieces_return(int mark) {
  if (relaxed) next = mark;
}

void ln_piece_set(ln_piece *p, ln_piece_state state) {
  const ln_pages_access access = state == LN_PIECE_OPEN     ? LN_PAGES_WRITE
                                 : state == LN_PIECE_SEALED ? LN_PAGES_READ
                                                            : LN_PAGES_NOTHING;
  const bool lax = relaxed && state != LN_PIECE_WITHHELD;
  allow(p, lax ? LN_PAGES_WRITE : access);
  p->state = state;
}

bool ln_piece_is_intact(const ln_piece *p, int64_t *offset) {
  char *begin, *end;
  surroundings(p, &begin, &end);
  for (const char *at = begin; at < end; at++) {
    if (at == p->data) at += p->bytes;
    if (at < end && (unsigned char)*at != CANARY) {
      *offset = at - p->data;
      return false;
    }
  }
  return true;
}

const ln_piece *ln_piece_at(const void *address) {
  const char *at = address;
  if (!reserved || at < reserved || at >= reserved + LN_MOST_PIECES * stride)
    return NULL;
  const ln_piece *p = &pieces[(size_t)(at - reserved) / stride];
  return p->state == LN_PIECE_FREE ? NULL : p;
}
