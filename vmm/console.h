/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console: where the guest's serial port leads.
 *
 *   stdio         stdin and stdout; raw if stdin is a terminal, where Ctrl-A x ends the VM
 *   pty           a pseudoterminal, whose name is logged
 *   socket:PATH   a unix stream socket that listens; one client at a time
 *   file:PATH     output appended to a file, no input
 *
 * Output is gathered to a line or a few milliseconds, whichever is first, so that a line costs
 * one system call. To stdout and files it is never lost: a reader that stops reading stops the
 * guest. To a pty or a socket it goes if someone listens: a reader can't hold up the guest there.
 */
#ifndef VMM_CONSOLE_H
#define VMM_CONSOLE_H

#include "basic/error.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <termios.h>

struct loop;
struct serial;

#define CONSOLE_BUFFER 512

struct console_wiring {
    struct loop *loop;
    struct serial *serial;
    pthread_mutex_t *lock;      /* the machine's */
    const atomic_bool *paused;  /* the machine is: a write that blocks gives up */
    void (*quit)(void *opaque); /* the user asked for the end */
    void *opaque;
};

struct console {
    int in, out;  /* -1: none. Stdio's are 0 and 1, otherwise they are the console's */
    int listener; /* of a socket; -1 */
    int peer;     /* the other side of a pty, held open so that it never hangs up; -1 */
    bool is_stdio;
    bool may_drop;   /* output that nobody takes is dropped */
    bool is_raw;     /* the terminal's settings are to be put back */
    bool escaped;    /* Ctrl-A was the last byte */
    bool is_starved; /* input waits for room in the serial port */
    bool is_timed;   /* the timer will flush */
    int timer;       /* timerfd */
    struct termios saved;
    uint8_t buffer[CONSOLE_BUFFER];
    unsigned used;
    uint64_t total;               /* bytes the guest has sent */
    struct console_wiring wiring; /* once attached */
};

/* console_open - open what @spec names; -EINVAL if it names nothing, or an errno of opening. */
int console_open(struct console *c, const char *spec, struct error *e) _must_check_;

/* console_attach - join an open console to a serial port and start to take input. */
int console_attach(struct console *c, const struct console_wiring *wiring,
                   struct error *e) _must_check_;

/* console_done - write what is left, put the terminal back, close. */
void console_done(struct console *c);

/* console_put - one byte from the guest. Under the machine's lock, as is console_drained. */
void console_put(struct console *c, uint8_t byte);
/* console_drained - the serial port has room for input again. */
void console_drained(struct console *c);

#endif
