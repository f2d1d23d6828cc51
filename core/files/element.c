/* element.c - from the bits of a number type to the nearest float32. */
#include "files/element.h"

#include <math.h>
#include <string.h>

#include "files/bytes.h"

static float from_f64(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return (float)value;
}

static float from_f32(uint64_t bits) {
  uint32_t low = (uint32_t)bits;
  float value;
  memcpy(&value, &low, sizeof value);
  return value;
}

/* float32 whose lower half is missing. */
static float from_bf16(uint64_t bits) {
  return from_f32(bits << 16);
}

/* 1 sign, 5 exponent (bias 15) and 10 fraction bits. */
static float from_f16(uint64_t bits) {
  uint64_t sign = (bits >> 15 & 1) << 31;
  uint64_t exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 31) return from_f32(sign | 0x7f800000 | fraction << 13);
  float size = exponent == 0
                   ? ldexpf((float)fraction, -24)
                   : ldexpf((float)(1024 + fraction), (int)exponent - 25);
  return sign ? -size : size;
}

static float from_i64(uint64_t bits) {
  return (float)(int64_t)bits;
}
static float from_i32(uint64_t bits) {
  return (float)(int32_t)bits;
}
static float from_i16(uint64_t bits) {
  return (float)(int16_t)bits;
}
static float from_i8(uint64_t bits) {
  return (float)(int8_t)bits;
}
static float from_unsigned(uint64_t bits) {
  return (float)bits;
}
static float from_bool(uint64_t bits) {
  return bits ? 1 : 0;
}

static const ln_element elements[] = {
  { "f4", "F32", 4, from_f32 },      { "f8", "F64", 8, from_f64 },
  { "f2", "F16", 2, from_f16 },      { NULL, "BF16", 2, from_bf16 },
  { "i8", "I64", 8, from_i64 },      { "i4", "I32", 4, from_i32 },
  { "i2", "I16", 2, from_i16 },      { "i1", "I8", 1, from_i8 },
  { "u8", "U64", 8, from_unsigned }, { "u4", "U32", 4, from_unsigned },
  { "u2", "U16", 2, from_unsigned }, { "u1", "U8", 1, from_unsigned },
  { "b1", "BOOL", 1, from_bool },
};
#define N_ELEMENTS (sizeof elements / sizeof elements[0])

const ln_element *ln_element_of_npy(const char *name) {
  for (size_t i = 0; i < N_ELEMENTS; i++)
    if (elements[i].npy && strcmp(elements[i].npy, name) == 0)
      return &elements[i];
  return NULL;
}

const ln_element *ln_element_of_safetensors(const char *name) {
  for (size_t i = 0; i < N_ELEMENTS; i++)
    if (strcmp(elements[i].safetensors, name) == 0) return &elements[i];
  return NULL;
}

void ln_element_read(const ln_element *e, bool big_endian, const uint8_t *bytes,
                     int64_t n, float *out) {
  if (n == 0) return;
  if (e->value == from_f32 && !big_endian) {
    memcpy(out, bytes, (size_t)n * sizeof *out);
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    const uint8_t *b = bytes + (size_t)i * e->size;
    out[i] = e->value(big_endian ? ln_bytes_big(b, e->size)
                                 : ln_bytes_little(b, e->size));
  }
}
