/* SPDX-License-Identifier: PostgreSQL */
/* cancel_key.c - layout of cancel keys. */
#include "relay/cancel_key.h"

#include "base/rand.h"

#define HOPS 0x03

void cancel_key_draw(uint8_t key[CANCEL_KEY], int peer)
{
    rand_bytes(key, CANCEL_KEY);
    key[0] &= 0x7f;
    if (!peer)
        return;
    key[1] = (uint8_t)(peer & 0xff);
    key[2] = (uint8_t)(peer >> 8);
    key[7] |= HOPS;
}

int cancel_key_peer(const uint8_t *key)
{
    return key[1] | key[2] << 8;
}

bool cancel_key_spend_hop(uint8_t key[CANCEL_KEY])
{
    if (!(key[7] & HOPS))
        return false;
    key[7]--;
    return true;
}

void cancel_key_restore_hops(uint8_t key[CANCEL_KEY])
{
    key[7] |= HOPS;
}
