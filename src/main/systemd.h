/* SPDX-License-Identifier: PostgreSQL */
/* systemd.h - what we tell the service manager, and the sockets it hands us. */
#ifndef MAIN_SYSTEMD_H
#define MAIN_SYSTEMD_H

/* sd_notify(3): "READY=1", "STATUS=…", several lines. Nothing happens where nobody listens. */
void systemd_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A reload begins: RELOADING=1 with its time, which Type=notify-reload wants. READY=1 ends it. */
void systemd_notify_reloading(void);

/* sd_listen_fds(3): how many listening sockets were handed over, from SYSTEMD_FIRST_FD on. Asked
 * once: the variables are removed, so that no child takes them for its own. */
#define SYSTEMD_FIRST_FD 3
int systemd_listen_fds(void);

#endif
