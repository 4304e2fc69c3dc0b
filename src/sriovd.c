/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sriovd: the privileged agent.
 *
 *   start    lock the state directory; hear the VMMs that outlived an earlier agent, and finish
 *            what that began (agent_recover, in a thread)
 *   ready    take the bus name, listen for VMMs, tell systemd
 *   run      requests and sessions, until SIGTERM or SIGINT
 *   end      guests run on: the agent holds none of their fds
 */
#include "basic/log.h"
#include "src/agent.h"
#include "src/bus.h"
#include "src/session.h"
#include "vfio/handoff.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#define STATE_DIR   "/var/lib/sriovctl"
#define RUNTIME_DIR "/run/sriovctl"
#define RESUME_MS   5000

static int help(void)
{
    puts("Usage: sriovd [--help] [--version]\n\n"
         "The privileged agent of sriovctl: creates VFs, sets their policy and hands them to\n"
         "virtual machine monitors. Started by sriovd.service; see sriovd(8).");
    return EXIT_STATUS_DONE;
}

/* Return: exit status for an option that ends the program, or -1 to go on. */
static int parse_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};

    switch (getopt_long(argc, argv, "h", options, NULL)) {
    case -1:
        if (optind == argc)
            return -1;
        log_error("unexpected argument %s; try --help", argv[optind]);
        return EXIT_STATUS_USAGE;
    case 'h':
        return help();
    case 'V':
        puts("sriovd " PACKAGE_VERSION);
        return EXIT_STATUS_DONE;
    default:
        return EXIT_STATUS_USAGE;
    }
}

static int new_loop(sd_event **ret, struct error *e)
{
    sigset_t signals;
    int r;

    /* Blocked before the first thread is made, so that the loop gets them and no worker does. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    r = sd_event_default(ret);
    if (r >= 0)
        r = sd_event_add_signal(*ret, NULL, SIGTERM, NULL, NULL);
    if (r >= 0)
        r = sd_event_add_signal(*ret, NULL, SIGINT, NULL, NULL);
    return r < 0 ? error_set(e, r, "cannot make the event loop: %s", strerror(-r)) : 0;
}

/* What the main thread needs while recovery runs beside it. */
struct starting {
    struct job job; /* first: a job is its starting */
    struct agent *agent;
    sd_event *event;
    sd_bus *bus;
    struct error error;
};

/* In a thread: VMMs that outlived an earlier agent have to be heard meanwhile. */
static void recover(struct job *j)
{
    struct starting *s = (struct starting *)j;

    live_wait_ready(s->agent->live, RESUME_MS);
    s->error.code = agent_recover(s->agent, &s->error);
}

/* The agent is itself again: now it may be asked. */
static void recovered(struct job *j)
{
    struct starting *s = (struct starting *)j;
    int r = s->error.code;

    if (r == 0)
        r = session_listen(s->agent, s->event, HANDOFF_SOCKET, &s->error);
    if (r == 0)
        r = bus_attach(s->agent, s->event, &s->bus, &s->error);
    if (r < 0) {
        s->error.code = r;
        sd_event_exit(s->event, r);
        return;
    }
    sd_notify(0, "READY=1\nSTATUS=Serving requests");
}

static int serve(struct starting *s, struct error *e)
{
    struct agent *a = s->agent;
    int r = session_resume_all(a, s->event, e);

    if (r == 0)
        r = worker_start(a->worker, &s->job);
    if (r < 0)
        return r;
    r = sd_event_loop(s->event);
    sd_notify(0, "STOPPING=1");
    session_cut_all(a);
    worker_free(a->worker);
    a->worker = NULL;
    session_close_all(a);
    bus_detach(a, s->bus);
    if (s->error.code < 0) {
        *e = s->error;
        return e->code;
    }
    if (r < 0)
        return error_set(e, r, "the event loop failed: %s", strerror(-r));
    return r > 0 ? error_set(e, -ECONNRESET, "the system bus went away") : 0;
}

static int run(struct agent *a, struct error *e)
{
    struct starting s = {.job = {.work = recover, .done = recovered}, .agent = a};
    int r = agent_init(a, STATE_DIR, CONFIG_DIR, RUNTIME_DIR, e);

    if (r == 0)
        r = new_loop(&s.event, e);
    if (r == 0)
        r = worker_new(s.event, &a->worker);
    if (r == 0 && mkdir(RUNTIME_DIR, 0755) < 0 && errno != EEXIST)
        r = error_set(e, -errno, "cannot make " RUNTIME_DIR ": %s", strerror(errno));
    if (r == 0)
        r = serve(&s, e);
    worker_free(a->worker);
    agent_done(a);
    sd_event_unref(s.event);
    return r;
}

int main(int argc, char **argv)
{
    struct error e = ERROR_INIT;
    struct agent a;
    int status, r;

    log_init("sriovd");
    status = parse_options(argc, argv);
    if (status >= 0)
        return status;
    umask(022);
    r = run(&a, &e);
    if (r < 0)
        log_error("%s", e.text[0] ? e.text : strerror(-r));
    return (int)error_status(r);
}
