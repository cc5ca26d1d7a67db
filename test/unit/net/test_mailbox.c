/* SPDX-License-Identifier: PostgreSQL */
#include "net/mailbox.h"

#include "base/list.h"
#include "base/mem.h"
#include "net_fixture.h"

#include <pthread.h>

#define PRODUCERS 4
#define EACH 20000

struct note {
    struct message message;
    int producer, number;
};

struct reader {
    struct loop *loop;
    int next[PRODUCERS];
    int total;
};

static struct mailbox box;
static int discarded;

static void deliver_note(struct message *m, void *receiver)
{
    struct note *n = container_of(m, struct note, message);
    struct reader *r = receiver;
    if (!r)
        discarded++;
    else if (r->next[n->producer]++ != n->number)
        fail_msg("producer %d: out of order", n->producer);
    if (r && ++r->total == PRODUCERS * EACH)
        loop_stop(r->loop);
    free(n);
}

static void post_note(int producer, int number)
{
    struct note *n = xcalloc(1, sizeof *n);
    *n = (struct note){.message.deliver = deliver_note, .producer = producer, .number = number};
    mailbox_post(&box, &n->message);
}

static void *produce(void *arg)
{
    int producer = *(int *)arg;
    for (int i = 0; i < EACH; i++)
        post_note(producer, i);
    return NULL;
}

static void test_mailbox_delivers_all_messages_of_four_threads_in_their_order(void **state)
{
    (void)state;
    struct reader r = {.loop = loop_new()};
    pthread_t threads[PRODUCERS];
    int names[PRODUCERS];
    mailbox_init(&box, r.loop, &r);
    for (int i = 0; i < PRODUCERS; i++) {
        names[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &names[i]), 0);
    }
    loop_run(r.loop);
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(r.total, PRODUCERS * EACH);
    mailbox_fini(&box);
    loop_free(&r.loop);
}

static void test_mailbox_hands_what_was_not_delivered_to_nobody(void **state)
{
    (void)state;
    struct reader r = {.loop = loop_new()};
    mailbox_init(&box, r.loop, &r);
    for (int i = 0; i < 3; i++)
        post_note(0, i);
    discarded = 0;
    mailbox_fini(&box);
    assert_int_equal(discarded, 3);
    assert_int_equal(r.total, 0);
    loop_free(&r.loop);
}

static void deliver_again(struct message *m, void *receiver)
{
    struct note *n = container_of(m, struct note, message);
    (void)receiver;
    if (--n->number > 0)
        mailbox_post(&box, m);
}

static void test_mailbox_takes_a_message_that_its_own_delivery_posts_again(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct note n = {.message.deliver = deliver_again, .number = 100};
    mailbox_init(&box, l, l);
    mailbox_post(&box, &n.message);
    UNTIL(l, n.number == 0);
    mailbox_fini(&box);
    loop_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mailbox_delivers_all_messages_of_four_threads_in_their_order),
        cmocka_unit_test(test_mailbox_hands_what_was_not_delivered_to_nobody),
        cmocka_unit_test(test_mailbox_takes_a_message_that_its_own_delivery_posts_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
