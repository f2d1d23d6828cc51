/* guard.c - memory between pages that nobody may touch; see guard.h.
 *
 * One reservation of address space holds all pieces side by side, each in a
 * room of its own; pieces are taken in a ring. */
#include "check/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE     4096
#define ROOM     (1 << 20)
#define STRIDE   (ROOM + 2 * PAGE)
#define CANARY   0xC5
#define CANARIES 256 /* bytes on the open side */

static char *reserved;
static ln_piece pieces[LN_GUARD_PIECES];
static int next;
static bool relaxed;

static void reserve(void) {
  const size_t bytes = (size_t)LN_GUARD_PIECES * STRIDE;
  reserved = mmap(NULL, bytes, PROT_NONE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) {
    perror("check-plugin: no address space for guarded memory");
    _Exit(EXIT_FAILURE);
  }
  for (int i = 0; i < LN_GUARD_PIECES; i++)
    pieces[i].room = reserved + (size_t)i * STRIDE + PAGE;
}

bool ln_guard_fits(int64_t bytes) {
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

static void fill_with(char *data, int64_t bytes, uint32_t fill) {
  for (int64_t i = 0; i < bytes; i += 4)
    memcpy(data + i, &fill, (size_t)(bytes - i < 4 ? bytes - i : 4));
}

ln_piece *ln_guard_take(const char *name, int64_t bytes, bool floats, bool left,
                        uint32_t fill) {
  if (!reserved) reserve();
  ln_piece *p = &pieces[next];
  next = (next + 1) % LN_GUARD_PIECES;
  snprintf(p->name, sizeof p->name, "%s", name);
  p->bytes = bytes;
  p->floats = floats;
  p->data = place(p, left);
  ln_guard_set(p, LN_PIECE_OPEN);
  char *begin, *end;
  surroundings(p, &begin, &end);
  memset(begin, CANARY, (size_t)(end - begin));
  fill_with(p->data, bytes, fill);
  return p;
}

void ln_guard_relax(bool yes) {
  relaxed = yes;
}

void ln_guard_set(ln_piece *p, ln_piece_state state) {
  const int access = state == LN_PIECE_OPEN     ? PROT_READ | PROT_WRITE
                     : state == LN_PIECE_SEALED ? PROT_READ
                                                : PROT_NONE;
  const bool lax = relaxed && state != LN_PIECE_WITHHELD;
  const int wanted = lax ? PROT_READ | PROT_WRITE : access;
  if (p->access != wanted) mprotect(p->room, ROOM, wanted);
  p->access = wanted;
  p->state = state;
}

bool ln_guard_intact(const ln_piece *p, int64_t *offset) {
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

const ln_piece *ln_guard_find(const void *address) {
  const char *at = address;
  if (!reserved || at < reserved ||
      at >= reserved + (size_t)LN_GUARD_PIECES * STRIDE)
    return NULL;
  const ln_piece *p = &pieces[(size_t)(at - reserved) / STRIDE];
  return p->state == LN_PIECE_FREE ? NULL : p;
}
