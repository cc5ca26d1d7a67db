/* SPDX-License-Identifier: PostgreSQL */
/* metrics.h - /metrics: the snapshot in the text format of OpenMetrics 1.0, which Prometheus and
 * its relatives read.
 *
 * Counters belong to a pool or target and begin with it: one that is not used for a while is
 * forgotten and begins anew, as after a restart. Times are in seconds. */
#ifndef HTTP_METRICS_H
#define HTTP_METRICS_H

struct buf;
struct snapshot;

#define METRICS_CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

void metrics_write(struct buf *page, const struct snapshot *s);

#endif
