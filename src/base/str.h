/* SPDX-License-Identifier: PostgreSQL */
/* str.h - small helpers on text: numbers with units, case folding, constant-time comparison. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/span.h"

/* Parse the whole of s as a decimal number in [min, max]; false on anything else. */
bool str_to_i64(const char *s, int64_t min, int64_t max, int64_t *out);
/* ASCII case-insensitive comparison of a whole span with a word. */
bool span_is_nocase(struct span a, const char *word);
/* Copies a span into a NUL-terminated array; false (and an empty string) if it does not fit or
 * contains a NUL. */
bool span_to_str(struct span a, char *out, size_t size);
/* Equal length and equal bytes, in time that depends on the lengths only. */
bool span_equal_ct(struct span a, struct span b);
/* 64-bit hash of bytes (FNV-1a with final mixing), for tables of our own data. */
uint64_t hash_bytes(const void *p, size_t n, uint64_t seed);

#endif
