/* SPDX-License-Identifier: PostgreSQL */
/* blocking_impl.h - the two libraries behind blocking.h; included by blocking*.c only. Both calls
 * block, run in any thread, and fill *err with what the log should know. */
#ifndef AUTH_BLOCKING_IMPL_H
#define AUTH_BLOCKING_IMPL_H

#include "auth/blocking.h"

enum blocking_verdict blocking_pam(const struct blocking_question *q, struct error *err);
/* The library sets itself up at its first use, which must not be two at a time. */
void blocking_ldap_init(void);
enum blocking_verdict blocking_ldap(const struct blocking_question *q, struct error *err);

#endif
