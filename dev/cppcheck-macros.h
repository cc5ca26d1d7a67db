/* SPDX-License-Identifier: PostgreSQL */
/*
 * For cppcheck alone, put in front of every file; never compiled. uthash is shown to it, as its macros
 * shape our code, with a plainer form of what it misreads in them.
 */
#include "/usr/include/uthash.h"

#undef HASH_ITER
#define HASH_ITER(hh, head, el, following)                                                         \
    for ((el) = (head); (el) != NULL && (((following) = (el)->hh.next), 1); (el) = (following))
