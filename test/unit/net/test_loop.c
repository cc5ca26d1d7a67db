/* SPDX-License-Identifier: PostgreSQL */
#include "net/loop.h"

#include "base/list.h"
#include "net/loop_impl.h"
#include "net_fixture.h"

#include <signal.h>

struct timed {
    struct timer timer;
    struct loop *loop;
    uint64_t called_us;
    int calls;
};

static void on_timed(void *arg)
{
    struct timed *t = arg;
    t->called_us = loop_now(t->loop);
    t->calls++;
}

static void test_loop_timers_fire_once_in_order_and_never_early(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct timed t[5];
    uint64_t start = loop_now(l);
    for (int i = 0; i < 5; i++) {
        t[i] = (struct timed){.loop = l};
        timer_init(&t[i].timer, l, on_timed, &t[i]);
        timer_set(&t[i].timer, start + (uint64_t)(5 - i) * 3700);
    }
    UNTIL(l, t[0].calls);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(t[i].calls, 1);
        assert_true(t[i].called_us >= start + (uint64_t)(5 - i) * 3700);
        assert_false(timer_is_set(&t[i].timer));
        if (i)
            assert_true(t[i].called_us <= t[i - 1].called_us);
        timer_fini(&t[i].timer);
    }
    loop_free(&l);
    assert_null(l);
}

static void test_loop_timers_can_be_moved_and_cleared(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct timed moved = {.loop = l}, cleared = {.loop = l}, past = {.loop = l};
    timer_init(&moved.timer, l, on_timed, &moved);
    timer_init(&cleared.timer, l, on_timed, &cleared);
    timer_init(&past.timer, l, on_timed, &past);
    timer_set(&moved.timer, loop_now(l) + 3600 * US_PER_S);
    timer_set(&moved.timer, loop_now(l) + 20000);
    timer_set(&cleared.timer, loop_now(l) + 1000);
    timer_clear(&cleared.timer);
    timer_set(&past.timer, 1);
    UNTIL(l, moved.calls);
    assert_int_equal(past.calls, 1);
    assert_int_equal(cleared.calls, 0);
    timer_fini(&moved.timer);
    timer_fini(&cleared.timer);
    timer_fini(&past.timer);
    struct timer never = {0};
    timer_fini(&never);
    assert_false(timer_is_set(&never));
    loop_free(&l);
}

static void test_loop_now_stands_still_in_a_turn_and_is_read_anew_after_a_wait(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    uint64_t before = loop_now(l);
    struct timespec nap = {.tv_nsec = 3000000};
    nanosleep(&nap, NULL); /* the subject is the clock */
    assert_int_equal(loop_now(l), before);
    struct timed t = {.loop = l};
    timer_init(&t.timer, l, on_timed, &t);
    timer_set(&t.timer, before);
    loop_turn(l);
    assert_true(t.called_us >= before + 3000);
    timer_fini(&t.timer);
    loop_free(&l);
}

struct tasked {
    struct loop_task task;
    struct loop *loop;
    struct tasked *withdraw;
    int calls, again, order;
};

static int task_order;

static void on_task(struct loop_task *task)
{
    struct tasked *t = container_of(task, struct tasked, task);
    t->calls++;
    t->order = ++task_order;
    if (t->withdraw)
        loop_undefer(&t->withdraw->task);
    if (t->again-- > 0)
        loop_defer(t->loop, &t->task);
}

static int turns;

static void count_turn(void *arg)
{
    (void)arg;
    turns++;
}

static void test_loop_tasks_run_at_the_end_of_the_turn_and_what_they_defer_in_the_next(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct tasked a = {.task.run = on_task, .loop = l, .again = 2};
    struct tasked c = {.task.run = on_task, .loop = l};
    struct tasked b = {.task.run = on_task, .loop = l, .withdraw = &c};
    loop_on_turn_end(l, count_turn, NULL);
    turns = 0;
    loop_defer(l, &a.task);
    loop_defer(l, &b.task);
    loop_defer(l, &c.task);
    loop_defer(l, &a.task); /* again: goes to the end, once */
    assert_int_equal(a.calls, 0);
    loop_turn(l); /* does not wait */
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 1);
    assert_int_equal(c.calls, 0);
    assert_true(b.order < a.order);
    loop_turn(l);
    loop_turn(l);
    assert_int_equal(a.calls, 3);
    assert_int_equal(turns, 3);
    loop_free(&l);
}

static void test_loop_computes_two_handshakes_in_a_turn_and_the_others_later(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct tasked t[5];
    for (int i = 0; i < 5; i++) {
        t[i] = (struct tasked){.task.run = on_task, .loop = l};
        loop_defer_handshake(l, &t[i].task);
    }
    int done[] = {2, 4, 5};
    for (int turn = 0; turn < 3; turn++) {
        loop_turn(l);
        int n = 0;
        for (int i = 0; i < 5; i++)
            n += t[i].calls;
        assert_int_equal(n, done[turn]);
    }
    loop_free(&l);
}

static void stop_loop(void *arg)
{
    loop_stop(arg);
}

static void test_loop_delivers_signals_and_stops(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    loop_on_signal(l, SIGUSR1, stop_loop, l);
    raise(SIGUSR1);
    loop_run(l);
    raise(SIGUSR1);
    loop_run(l); /* runs again after it was stopped */
    loop_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loop_timers_fire_once_in_order_and_never_early),
        cmocka_unit_test(test_loop_timers_can_be_moved_and_cleared),
        cmocka_unit_test(test_loop_now_stands_still_in_a_turn_and_is_read_anew_after_a_wait),
        cmocka_unit_test(
            test_loop_tasks_run_at_the_end_of_the_turn_and_what_they_defer_in_the_next),
        cmocka_unit_test(test_loop_computes_two_handshakes_in_a_turn_and_the_others_later),
        cmocka_unit_test(test_loop_delivers_signals_and_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
