/* SPDX-License-Identifier: PostgreSQL */
/* terms_impl.h - the life of findings, for terms.c only. */
#ifndef RELAY_TERMS_IMPL_H
#define RELAY_TERMS_IMPL_H

#include "relay/terms.h"

struct findings *findings_new(void);
struct findings *findings_ref(struct findings *f);
void findings_unref(struct findings **f);

#endif
