/* SPDX-License-Identifier: PostgreSQL */
/* pool_list.h - /pools: the pools as JSON, in the words of SQLAlchemy's QueuePool where it has some
 * (size, checked_out, checked_in, overflow). */
#ifndef HTTP_POOL_LIST_H
#define HTTP_POOL_LIST_H

struct buf;
struct snapshot;

void pool_list_write(struct buf *page, const struct snapshot *s);

#endif
