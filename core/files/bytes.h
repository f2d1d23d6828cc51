/* bytes.h - whole numbers as files hold them, byte by byte. */
#ifndef LUNET_FILES_BYTES_H
#define LUNET_FILES_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* Little-endian: the lowest byte first; size <= 8. */
static inline uint64_t ln_bytes_little(const uint8_t *b, size_t size) {
  uint64_t n = 0;
  for (size_t i = size; i > 0; i--) n = n << 8 | b[i - 1];
  return n;
}

/* Big-endian: the highest byte first; size <= 8. */
static inline uint64_t ln_bytes_big(const uint8_t *b, size_t size) {
  uint64_t n = 0;
  for (size_t i = 0; i < size; i++) n = n << 8 | b[i];
  return n;
}

/* Writes `size` bytes, the lowest first, and returns the place behind. */
static inline uint8_t *ln_bytes_put(uint8_t *b, size_t size, uint64_t n) {
  for (size_t i = 0; i < size; i++) b[i] = (uint8_t)(n >> (8 * i));
  return b + size;
}

#endif
