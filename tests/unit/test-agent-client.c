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
}

static void test_timeouts(void **state _unused_)
{
    assert_fails("set slow trust on --timeout 1", EXIT_STATUS_FAILED, "goes on in the agent");
    assert_fails("show slow --timeout 1", EXIT_STATUS_FAILED, "within 1 s");
}

static void test_what_is_sent(void **state _unused_)
{
    assert_prints("enable eth9 4", "done: 4 VFs\n");
    assert_prints("assign vf0 vm1 vlan 5 fallback virtio --no-wait", "done: assigned to vm1\n");
    assert_prints("release vf0 --dry-run", "done: released\n");
    /* Of what takes a NIC from a guest, --timeout is the guest's. */
    assert_prints("release vf0 --timeout 7", "done: released\n");
    assert_prints("drain eth9 --timeout 7", "done: drained\n");
    assert_prints("set vf0 trust on qos 3", "done: set\n");
    assert_string_equal(fake_agent_log(), "Enable eth9 4 {}\n"
                                          "Assign vf0 vm1 {vlan=5,} {fallback=virtio,no_wait=on,}\n"
                                          "Release vf0 {dry_run=on,}\n"
                                          "Release vf0 {deadline=7,}\n"
                                          "Drain eth9 {deadline=7,}\n"
                                          "Set vf0 {trust=on,qos=3,} {}\n");
}

static void test_what_is_printed(void **state _unused_)
{
    assert_prints("release unchanged", "unchanged: unchanged\n");
    assert_prints("release hostile", "?[2J: released\n");
    assert_prints("release hostile -j", "{\"object\":\"\\u001b[2J\",\"changed\":true}\n");
}

static void test_lists(void **state _unused_)
{
    assert_prints(
        "list", "NAME      PCI           DRIVER    GROUP  MAC                VLAN  VM   STATE\n"
                "eth0      0000:01:00.0  igb       -      -                  -     -    2/7 VFs\n"
                "eth0/vf0  0000:01:10.0  vfio-pci  10     52:54:00:00:00:01  100   vm1  assigned\n"
                "eth0/vf1  0000:01:10.1  vfio-pci  11     -                  -     -    free\n");
    assert_prints("list pf", "NAME  PCI           DRIVER  NUMA  VFS  FREE\n"
                             "eth0  0000:01:00.0  igb     0     2/7  1\n");
    assert_prints("list vm --no-legend", "vm1  yes  eth0/vf0  vf  0000:01:10.0  -  in-use\n"
                                         "vm2  no   -         -   -             -  -\n");
    assert_prints("list vf --no-legend",
                  "eth0/vf0  0000:01:10.0  vfio-pci  10  52:54:00:00:00:01  100  vm1  assigned\n"
                  "eth0/vf1  0000:01:10.1  vfio-pci  11  -                  -    -    free\n");
    assert_string_equal(fake_agent_log(), "List\nList\nListVms\nList\n");
}

/* On JSON's way through, keys stay as they are and in their order. */
static void test_lists_as_json(void **state _unused_)
{
    char output[2048];
    struct error e;

    assert_int_equal(run("list --json", output, sizeof(output), &e), 0);
    assert_ptr_equal(strstr(output, "[{\"name\":\"eth0\",\"pci\":"), output);
    assert_text_has(output, "\"vm\":null,\"state\":\"free\"}]}]\n");
    assert_int_equal(run("list vf -j", output, sizeof(output), &e), 0);
    assert_ptr_equal(strstr(output, "[{\"name\":\"eth0/vf0\","), output);
    assert_text_has(output, "\"state\":\"free\",\"pf\":\"eth0\"}]\n");
}

static void test_show(void **state _unused_)
{
    assert_prints("show eth0/vf0", "name:      eth0/vf0\n"
                                   "can_reset: yes\n"
                                   "new key:   7\n"
                                   "odd:       [ 1, 2 ]\n"
                                   "lease:\n"
                                   "  vm: vm1\n"
                                   "  policy:\n"
                                   "    vlan: 100\n"
                                   "netdev:    -\n");
    assert_prints("show vm1", "name:    vm1\n"
                              "running: yes\n"
                              "nics:\n"
                              "  NAME      KIND  PCI           STATE\n"
                              "  eth0/vf0  vf    0000:01:10.0  in-use\n");
    assert_prints("show eth0 --no-legend",
                  "name:      eth0\n"
                  "pci:       0000:01:00.0\n"
                  "driver:    igb\n"
                  "numa_node: 0\n"
                  "total_vfs: 7\n"
                  "num_vfs:   2\n"
                  "vfs:\n"
                  "  eth0/vf0  0000:01:10.0  vfio-pci  10  52:54:00:00:00:01  100  vm1  assigned\n"
                  "  eth0/vf1  0000:01:10.1  vfio-pci  11  -                  -    -    free\n");
    assert_prints("show vm1 --json",
                  "{\"name\":\"vm1\",\"running\":true,\"nics\":[{\"name\":\"eth0/"
                  "vf0\",\"kind\":\"vf\",\"pci\":\"0000:01:10.0\",\"state\":"
                  "\"in-use\"}]}\n");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_statuses, fake_agent_start, fake_agent_stop),
        cmocka_unit_test_setup_teardown(test_timeouts, fake_agent_start, fake_agent_stop),
        cmocka_unit_test_setup_teardown(test_what_is_sent, fake_agent_start, fake_agent_stop),
        cmocka_unit_test_setup_teardown(test_what_is_printed, fake_agent_start, fake_agent_stop),
        cmocka_unit_test_setup_teardown(test_lists, fake_agent_start, fake_agent_stop),
        cmocka_unit_test_setup_teardown(test_lists_as_json, fake_agent_start, fake_agent_stop),
        cmocka_unit_test_setup_teardown(test_show, fake_agent_start, fake_agent_stop),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_silent_bus),
    };

    return cmocka_run_group_tests(tests, fake_agent_bus_start, fake_agent_bus_stop);
}
