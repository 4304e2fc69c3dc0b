/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/console.h"

#include "basic/log.h"
#include "vmm/loop.h"
#include "vmm/serial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#define FLUSH_NS    (5 * 1000 * 1000)
#define RETRY_NS    (50 * 1000 * 1000)
#define LOCK_NS     (20 * 1000 * 1000)
#define SECOND_NS   (1000 * 1000 * 1000)
#define FAREWELL_MS 1000 /* how long the last output may wait for a reader */

#define ESCAPE      0x01 /* Ctrl-A */
#define ESCAPE_QUIT 'x'

struct console_kind {
    const char *name;
    bool has_path;
    int (*open)(struct console *c, const char *path, struct error *e);
};

static int make_raw(struct console *c, int fd)
{
    struct termios raw;

    if (tcgetattr(fd, &c->saved) < 0)
        return -errno;
    raw = c->saved;
    cfmakeraw(&raw);
    return tcsetattr(fd, TCSANOW, &raw) < 0 ? -errno : 0;
}

static int open_stdio(struct console *c, const char *path _unused_, struct error *e _unused_)
{
    c->in = STDIN_FILENO;
    c->out = STDOUT_FILENO;
    c->is_stdio = true;
    /* A terminal that can't be made raw is one we may only read lines from: no reason to fail. */
    c->is_raw = isatty(STDIN_FILENO) && make_raw(c, STDIN_FILENO) == 0;
    return 0;
}

static int open_pty(struct console *c, const char *path _unused_, struct error *e)
{
    char name[64];
    int r;

    c->in = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (c->in < 0 || grantpt(c->in) < 0 || unlockpt(c->in) < 0 ||
        ptsname_r(c->in, name, sizeof(name)) != 0)
        return error_set(e, -errno, "console: cannot make a pseudoterminal: %s", strerror(errno));
    c->out = c->in;
    c->may_drop = true;
    c->peer = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    r = c->peer < 0 ? -errno : make_raw(c, c->peer);
    if (r < 0)
        return error_set(e, r, "console: %s: %s", name, strerror(-r));
    log_info("console on %s", name);
    return 0;
}

/* A socket file that an earlier VM left behind is in the way of bind; anything else stays. */
static void remove_stale(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path);
}

static int open_socket(struct console *c, const char *path, struct error *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return error_set(e, -EINVAL, "console: the socket's path %s is too long", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->listener < 0)
        return error_set(e, -errno, "console: socket: %s", strerror(errno));
    remove_stale(path);
    if (bind(c->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(c->listener, 1) < 0)
        return error_set(e, -errno, "console: cannot listen at %s: %s", path, strerror(errno));
    c->may_drop = true;
    return 0;
}

static int open_file(struct console *c, const char *path, struct error *e)
{
    c->out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC, 0600);
    if (c->out < 0)
        return error_set(e, -errno, "console: cannot write %s: %s", path, strerror(errno));
    return 0;
}

static const struct console_kind kinds[] = {
    {"stdio", false, open_stdio},
    {"pty", false, open_pty},
    {"socket", true, open_socket},
    {"file", true, open_file},
};

/* The kind @spec names, and its path behind the colon. */
static const struct console_kind *find_kind(const char *spec, const char **ret_path)
{
    const char *colon = strchr(spec, ':');
    const size_t n = colon ? (size_t)(colon - spec) : strlen(spec);

    for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
        const struct console_kind *k = &kinds[i];

        if (strlen(k->name) != n || memcmp(k->name, spec, n) != 0)
            continue;
        if (k->has_path != (colon && colon[1]))
            return NULL;
        *ret_path = colon ? colon + 1 : NULL;
        return k;
    }
    return NULL;
}

int console_open(struct console *c, const char *spec, struct error *e)
{
    const char *path = NULL;
    const struct console_kind *kind = find_kind(spec, &path);
    int r;

    *c = (struct console){.in = -1, .out = -1, .listener = -1, .peer = -1, .timer = -1};
    if (!kind)
        return error_set(e, -EINVAL,
                         "no console is called '%s': give stdio, pty, socket:PATH or "
                         "file:PATH",
                         spec);
    c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (c->timer < 0)
        return error_set(e, -errno, "console: timer: %s", strerror(errno));
    r = kind->open(c, path, e);
    if (r < 0)
        console_done(c);
    return r;
}

static bool is_paused(const struct console *c)
{
    return c->wiring.paused && atomic_load(c->wiring.paused);
}

static bool wait_writable(const struct console *c, int timeout_ms)
{
    struct pollfd p = {.fd = c->out, .events = POLLOUT};

    return poll(&p, 1, timeout_ms) > 0;
}

/* Write the buffer. Gives up, keeping the rest, when the machine is paused while it waits: the
 * signal that stops the vCPU interrupts the wait. */
static void flush_buffer(struct console *c)
{
    unsigned done = c->out < 0 ? c->used : 0;

    while (done < c->used) {
        const ssize_t n = write(c->out, c->buffer + done, c->used - done);

        if (n > 0)
            done += (unsigned)n;
        else if (n < 0 && errno == EAGAIN && !c->may_drop)
            (void)wait_writable(c, -1);
        else if (n < 0 && errno != EINTR)
            done = c->used; /* nobody is left to read it */
        if (n < 0 && is_paused(c))
            break;
    }
    memmove(c->buffer, c->buffer + done, c->used - done);
    c->used -= done;
}

static void start_timer(const struct console *c, long ns)
{
    const struct itimerspec when = {.it_value.tv_nsec = ns};

    (void)timerfd_settime(c->timer, 0, &when, NULL);
}

static void set_timer(struct console *c, long ns)
{
    start_timer(c, ns);
    c->is_timed = true;
}

/* The main thread's way to the lock. A vCPU that waits for a reader of its output holds it, maybe
 * for ever, and the main thread has signals to take: it gives up and comes again. */
static bool lock_soon(const struct console *c)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOCK_NS;
    until.tv_sec += until.tv_nsec / SECOND_NS;
    until.tv_nsec %= SECOND_NS;
    return pthread_mutex_clocklock(c->wiring.lock, CLOCK_MONOTONIC, &until) == 0;
}

void console_put(struct console *c, uint8_t byte)
{
    c->total++;
    if (c->used == sizeof(c->buffer))
        flush_buffer(c);
    if (c->used < sizeof(c->buffer))
        c->buffer[c->used++] = byte;
    if (byte == '\n' || c->used == sizeof(c->buffer))
        flush_buffer(c);
    else if (!c->is_timed)
        set_timer(c, FLUSH_NS);
}

static int watch_input(struct console *c);

/* Input of a terminal goes to the guest, but for the way out. */
static void take_input(struct console *c, uint8_t byte)
{
    const bool escaped = c->escaped;

    c->escaped = false;
    if (c->is_raw && c->is_stdio && !escaped && byte == ESCAPE)
        c->escaped = true;
    else if (escaped && byte == ESCAPE_QUIT)
        c->wiring.quit(c->wiring.opaque);
    else
        serial_receive(c->wiring.serial, byte);
}

static void end_input(struct console *c)
{
    loop_remove(c->wiring.loop, c->in);
    if (c->listener >= 0) {
        c->out = -1;
        closep(&c->in);
    } else {
        c->in = -1;
    }
}

static void on_input(void *opaque, uint32_t events _unused_)
{
    struct console *c = opaque;
    uint8_t bytes[SERIAL_FIFO];
    unsigned room;
    ssize_t n;

    if (!lock_soon(c))
        return;
    room = serial_room(c->wiring.serial);
    if (room == 0) {
        c->is_starved = true;
        loop_remove(c->wiring.loop, c->in);
    } else {
        n = read(c->in, bytes, room);
        for (ssize_t i = 0; i < n; i++)
            take_input(c, bytes[i]);
        if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
            end_input(c);
    }
    pthread_mutex_unlock(c->wiring.lock);
}

static int watch_input(struct console *c)
{
    return loop_add(c->wiring.loop, c->in, EPOLLIN, on_input, c);
}

static void on_client(void *opaque, uint32_t events _unused_)
{
    struct console *c = opaque;
    int fd;

    if (!lock_soon(c))
        return;
    fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 && c->in >= 0) {
        close(fd); /* one at a time */
    } else if (fd >= 0) {
        c->in = c->out = fd;
        if (watch_input(c) < 0)
            end_input(c);
    }
    pthread_mutex_unlock(c->wiring.lock);
}

static void on_timer(void *opaque, uint32_t events _unused_)
{
    struct console *c = opaque;
    uint64_t ticks;

    (void)!read(c->timer, &ticks, sizeof(ticks));
    if (!lock_soon(c)) {
        start_timer(c, RETRY_NS);
        return;
    }
    c->is_timed = false;
    if (c->used > 0 && !c->may_drop && !wait_writable(c, 0))
        set_timer(c, RETRY_NS); /* to write now would be to wait for a reader */
    else
        flush_buffer(c);
    if (c->is_starved && c->in >= 0 && serial_room(c->wiring.serial) > 0) {
        c->is_starved = false;
        if (watch_input(c) < 0)
            end_input(c);
    }
    pthread_mutex_unlock(c->wiring.lock);
}

/* From a vCPU thread, which leaves the loop's sources alone: the main thread does it at once. */
void console_drained(struct console *c)
{
    if (c->is_starved)
        set_timer(c, 1);
}

int console_attach(struct console *c, const struct console_wiring *wiring, struct error *e)
{
    int r;

    c->wiring = *wiring;
    r = loop_add(wiring->loop, c->timer, EPOLLIN, on_timer, c);
    if (r == 0 && c->listener >= 0)
        r = loop_add(wiring->loop, c->listener, EPOLLIN, on_client, c);
    if (r == 0 && c->in >= 0) {
        r = watch_input(c);
        if (r == -EPERM) {
            c->in = -1; /* a regular file or /dev/null: no input */
            r = 0;
        }
    }
    return r < 0 ? error_set(e, r, "console: cannot watch it: %s", strerror(-r)) : 0;
}

void console_done(struct console *c)
{
    c->wiring.paused = NULL;
    if (c->out >= 0 && c->used > 0 && wait_writable(c, FAREWELL_MS))
        flush_buffer(c);
    if (c->is_raw)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &c->saved);
    c->is_raw = false;
    if (!c->is_stdio) {
        if (c->out != c->in)
            closep(&c->out);
        closep(&c->in);
    }
    c->in = c->out = -1;
    closep(&c->peer);
    closep(&c->listener);
    closep(&c->timer);
}
