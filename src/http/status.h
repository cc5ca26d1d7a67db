/* SPDX-License-Identifier: PostgreSQL */
/* status.h - the status page: one HTML text without outside assets, which asks /pools and
 * /health/db every two seconds. */
#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H

struct buf;

/* What the page may load and do: its own inline style and script, requests to where it came from.
 * Names of databases and users reach it as JSON and are shown as text. */
#define STATUS_POLICY                                                                              \
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "                  \
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

void status_write(struct buf *page);

#endif
