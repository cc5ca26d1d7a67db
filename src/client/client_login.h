/* SPDX-License-Identifier: PostgreSQL */
/* client_login.h - what is needed of a client only until it is proven; included by client*.c. */
#ifndef CLIENT_CLIENT_LOGIN_H
#define CLIENT_CLIENT_LOGIN_H

#include "auth/md5.h"
#include "auth/scram_server.h"
#include "base/buf.h"
#include "client/client_method.h"

struct hba_rule;

struct client_login_run {
    /* The first packets. Until proven, as is the exchange. */
    struct buf held; /* what has come of a packet; bounded by LOGIN_HELD_MAX */
    bool ssl_asked, gss_asked, tls_direct;
    bool is_special; /* its startup packet has to be taken one by one, whatever another has said */
    char *options;   /* of the startup packet as they came, for replication; else NULL */

    /* The exchange. */
    enum login_method method;
    const struct hba_rule *rule; /* borrowed as long as who the client is; NULL: by auth_type */
    uint8_t md5_salt[MD5_SALT_LEN];
    struct scram_server scram;
    bool scram_begun;
    bool first_sent; /* SASL: the server-first-message went out */

    /* The secret was looked up (LOOKUP). */
    bool remembered;   /* a while ago: if it is wrong, it is asked for again */
    char *called_user; /* what the client called itself; NULL: as who->user */
    struct buf proof;  /* the password or its hash, while that is done */

    /* AuthenticationSASLFinal, once proven: it leaves together with the welcome. */
    struct buf answer;
};

struct client_login_run *client_login_run_new(void);

#endif
