/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/worker.h"

#include "unit.h"

#include <errno.h>
#include <semaphore.h>

/* A job that tells what happened to it, and where. */
struct sample {
    struct job job;
    sem_t go; /* work() waits for it */
    pthread_t in_work, in_told, in_done;
    bool tell, told_before_end;
    unsigned worked, told, done;
};

static sd_event *event;
static struct worker *worker;
static unsigned num_done;

static void work(struct job *j)
{
    struct sample *s = (struct sample *)j;

    sem_wait(&s->go);
    s->in_work = pthread_self();
    if (s->tell) {
        worker_tell(j);
        s->told_before_end = s->told == 1;
    }
    s->worked++;
}

static void told(struct job *j)
{
    struct sample *s = (struct sample *)j;

    s->in_told = pthread_self();
    s->told++;
}

static void done(struct job *j)
{
    struct sample *s = (struct sample *)j;

    s->in_done = pthread_self();
    s->done++;
    num_done++;
}

static void sample_init(struct sample *s, bool tell)
{
    *s = (struct sample){.job = {.work = work, .done = done, .told = told}, .tell = tell};
    sem_init(&s->go, 0, 0);
}

static int make_worker(void **state _unused_)
{
    num_done = 0;
    return sd_event_new(&event) < 0 || worker_new(event, &worker) < 0 ? -1 : 0;
}

static int free_worker(void **state _unused_)
{
    worker_free(worker);
    sd_event_unref(event);
    return 0;
}

static void run_until_done(unsigned count)
{
    for (unsigned i = 0; num_done < count && i < 1000; i++)
        assert_true(sd_event_run(event, 10000) >= 0);
    assert_int_equal(num_done, count);
}

static void test_work_there_done_here(void **state _unused_)
{
    struct sample s;

    sample_init(&s, false);
    assert_int_equal(worker_start(worker, &s.job), 0);
    assert_int_equal(s.done, 0);
    sem_post(&s.go);
    run_until_done(1);
    assert_int_equal(s.worked, 1);
    assert_int_equal(s.told, 0);
    assert_true(pthread_equal(s.in_done, pthread_self()));
    assert_false(pthread_equal(s.in_work, pthread_self()));
}

static void test_tell(void **state _unused_)
{
    struct sample s[3];

    for (size_t i = 0; i < ELEMENTSOF(s); i++) {
        sample_init(&s[i], true);
        assert_int_equal(worker_start(worker, &s[i].job), 0);
        sem_post(&s[i].go);
    }
    run_until_done(ELEMENTSOF(s));
    for (size_t i = 0; i < ELEMENTSOF(s); i++) {
        assert_int_equal(s[i].told, 1);
        assert_int_equal(s[i].done, 1);
        assert_true(s[i].told_before_end);
        assert_true(pthread_equal(s[i].in_told, pthread_self()));
    }
}

static void test_limit(void **state _unused_)
{
    static struct sample s[WORKER_JOBS_MAX + 1];

    for (size_t i = 0; i <= WORKER_JOBS_MAX; i++) {
        sample_init(&s[i], false);
        assert_int_equal(worker_start(worker, &s[i].job), i < WORKER_JOBS_MAX ? 0 : -EBUSY);
    }
    sem_post(&s[0].go);
    run_until_done(1);
    /* One has ended, so there is room for one. */
    assert_int_equal(worker_start(worker, &s[WORKER_JOBS_MAX].job), 0);
    for (size_t i = 1; i <= WORKER_JOBS_MAX; i++)
        sem_post(&s[i].go);
    run_until_done(WORKER_JOBS_MAX + 1);
}

static void *post_late(void *opaque)
{
    struct sample *s = opaque;

    usleep(20000);
    sem_post(&s->go);
    return NULL;
}

/* The loop has ended, and jobs still run and want to tell. */
static void test_free_waits(void **state _unused_)
{
    struct sample s[2];
    pthread_t late;

    sample_init(&s[0], true);
    sample_init(&s[1], false);
    assert_int_equal(worker_start(worker, &s[0].job), 0);
    assert_int_equal(worker_start(worker, &s[1].job), 0);
    sem_post(&s[1].go);
    assert_int_equal(pthread_create(&late, NULL, post_late, &s[0]), 0);
    worker_free(worker);
    worker = NULL;
    assert_int_equal(s[0].told, 1);
    assert_int_equal(s[0].done, 1);
    assert_int_equal(s[1].done, 1);
    pthread_join(late, NULL);
}

#define WORKER_TEST(f) cmocka_unit_test_setup_teardown(f, make_worker, free_worker)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_work_there_done_here),
        WORKER_TEST(test_tell),
        WORKER_TEST(test_limit),
        WORKER_TEST(test_free_waits),
    };

    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
