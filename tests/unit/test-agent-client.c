/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client against an agent that fails in every way: exit statuses, messages and what is sent. */
#include "src/agent-client.h"

#include "src/answer.h"
#include "src/verb.h"
#include "tests/unit/fake-agent.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

/* Parse and run a line as main does; @output receives what it wrote to standard output. */
static int run(const char *text, char *output, size_t size, struct error *e)
{
    char copy[256], *argv[16], *rest = copy;
    const int saved = dup(STDOUT_FILENO);
    struct verb_line line;
    FILE *f = tmpfile();
    int argc = 0, r;

    assert_non_null(f);
    snprintf(copy, sizeof(copy), "%s", text);
    while (rest && *rest)
        argv[argc++] = strsep(&rest, " ");
    *e = (struct error)ERROR_INIT;
    fflush(stdout);
    dup2(fileno(f), STDOUT_FILENO);
    r = verb_parse(argc, argv, &line, e);
    if (r == 0)
        r = line.verb->run(&line, e);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    rewind(f);
    output[fread(output, 1, size - 1, f)] = '\0';
    fclose(f);
    return r;
}

static void assert_fails(const char *line, enum exit_status status, const char *message)
{
    char output[256];
    struct error e;
    int r = run(line, output, sizeof(output), &e);

    if (r >= 0 || error_status(r) != status || !strstr(e.text, message))
        fail_msg("'%s': status %d '%s', not %d '%s'", line, error_status(r), e.text, status,
                 message);
    assert_string_equal(output, "");
}

static void assert_prints(const char *line, const char *expected)
{
    char output[1024];
    struct error e;
    int r = run(line, output, sizeof(output), &e);

    if (r < 0)
        fail_msg("'%s': %s", line, e.text);
    assert_string_equal(output, expected);
}

static void test_statuses(void **state _unused_)
{
    fake_agent_start();
    assert_fails("release bad", EXIT_STATUS_USAGE, "bad: give a good one");
    assert_fails("release missing", EXIT_STATUS_NOT_FOUND, "there is no missing");
    assert_fails("release busy", EXIT_STATUS_BUSY, "busy is leased to vm9");
    assert_fails("release impossible", EXIT_STATUS_IMPOSSIBLE, "not supported by igb");
    assert_fails("release denied", EXIT_STATUS_DENIED, "only root may");
    assert_fails("release bus-denied", EXIT_STATUS_DENIED, "run it as root");
    assert_fails("release broken", EXIT_STATUS_FAILED, "it broke");
    assert_fails("release gone", EXIT_STATUS_FAILED, "went away");
    assert_fails("release junk", EXIT_STATUS_FAILED, "isn't valid JSON");
    assert_fails("release empty", EXIT_STATUS_FAILED, "isn't valid JSON");
    assert_fails("show text", EXIT_STATUS_FAILED, "is no object");
    fake_agent_stop();
}

static void test_timeouts(void **state _unused_)
{
    fake_agent_start();
    assert_fails("release slow --timeout 1", EXIT_STATUS_FAILED, "goes on in the agent");
    assert_fails("show slow --timeout 1", EXIT_STATUS_FAILED, "within 1 s");
    fake_agent_stop();
}

static void test_what_is_sent(void **state _unused_)
{
    fake_agent_start();
    assert_prints("enable eth0 4", "done: 4 VFs\n");
    assert_prints("assign vf0 vm1 vlan 5 fallback virtio --no-wait", "done: assigned to vm1\n");
    assert_prints("release vf0 --dry-run", "done: released\n");
    assert_prints("set vf0 trust on qos 3", "done: set\n");
    assert_prints("list --json", "[]\n");
    assert_prints("list vm --json", "[]\n");
    assert_string_equal(fake_agent_log(), "Enable eth0 4 {}\n"
                                          "Assign vf0 vm1 {vlan=5,} {fallback=virtio,no_wait=on,}\n"
                                          "Release vf0 {dry_run=on,}\n"
                                          "Set vf0 {trust=on,qos=3,} {}\n"
                                          "List\n"
                                          "ListVms\n");
    fake_agent_stop();
}

static void test_what_is_printed(void **state _unused_)
{
    fake_agent_start();
    assert_prints("release unchanged", "unchanged: unchanged\n");
    assert_prints("release hostile", "?[2J: released\n");
    assert_prints("release hostile -j", "{\"object\":\"\\u001b[2J\",\"changed\":true}\n");
    fake_agent_stop();
}

static void test_nobody_there(void **state _unused_)
{
    const char *address = getenv("DBUS_SYSTEM_BUS_ADDRESS");
    char *saved = strdup(address ? address : "");

    assert_non_null(saved);
    assert_fails("list", EXIT_STATUS_UNREACHABLE, "systemctl start sriovd");
    setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
    assert_fails("list", EXIT_STATUS_UNREACHABLE, "systemctl start sriovd");
    setenv("DBUS_SYSTEM_BUS_ADDRESS", saved, 1);
    free(saved);
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A bus that takes the connection and says nothing. */
static void test_silent_bus(void **state _unused_)
{
    static const char name[] = "silent-bus-of-a-test";
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char *saved = strdup(getenv("DBUS_SYSTEM_BUS_ADDRESS"));
    const int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int64_t before = now_ms();
    struct error e = ERROR_INIT;
    struct sd_bus *bus = NULL;

    assert_non_null(saved);
    memcpy(a.sun_path + 1, name, sizeof(name));
    assert_int_equal(bind(sock, (struct sockaddr *)&a, sizeof(a.sun_family) + sizeof(name)), 0);
    assert_int_equal(listen(sock, 1), 0);
    setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:abstract=silent-bus-of-a-test", 1);
    assert_int_equal(agent_client_open(300, &bus, &e), -EHOSTDOWN);
    assert_text_has(e.text, "the system bus doesn't answer");
    assert_true(now_ms() - before < 5000);
    setenv("DBUS_SYSTEM_BUS_ADDRESS", saved, 1);
    close(sock);
    free(saved);
}

static int start_bus(void **state _unused_)
{
    fake_agent_bus_start();
    return 0;
}

static int stop_bus(void **state _unused_)
{
    fake_agent_bus_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses),     cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_what_is_sent), cmocka_unit_test(test_what_is_printed),
        cmocka_unit_test(test_nobody_there), cmocka_unit_test(test_silent_bus),
    };

    return cmocka_run_group_tests(tests, start_bus, stop_bus);
}
