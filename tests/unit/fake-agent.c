/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/fake-agent.h"

#include "basic/macro.h"
#include "src/bus.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define TURN_US 20000

#define REPORT(object, changed)                                                                    \
    "{\"object\":\"" object "\",\"changed\":" changed ",\"accepted\":false,\"steps\":[]}"

#define VF(n, vm, state, mac, vlan)                                                                \
    "{\"name\":\"eth0/vf" n "\",\"pci\":\"0000:01:10." n "\",\"driver\":\"vfio-pci\","             \
    "\"iommu_group\":1" n ",\"numa_node\":-1,\"mac\":" mac ",\"vlan\":" vlan ",\"trust\":false,"   \
    "\"vm\":" vm ",\"state\":\"" state "\"}"
#define VFS                                                                                        \
    "\"vfs\":[" VF("0", "\"vm1\"", "assigned", "\"52:54:00:00:00:01\"",                            \
                   "100") "," VF("1", "null", "free", "null", "0") "]"
#define PF                                                                                         \
    "{\"name\":\"eth0\",\"pci\":\"0000:01:00.0\",\"driver\":\"igb\",\"numa_node\":0,"              \
    "\"total_vfs\":7,\"num_vfs\":2," VFS "}"
#define NIC "{\"name\":\"eth0/vf0\",\"kind\":\"vf\",\"pci\":\"0000:01:10.0\",\"state\":\"in-use\"}"
#define VM  "{\"name\":\"vm1\",\"running\":true,\"nics\":[" NIC "]}"

/* What each name brings. A NULL error and a NULL reply: no answer at all. */
static const struct {
    const char *object, *error, *reply;
} answers[] = {
    {"bad", "org.sriovctl.Error.InvalidArgument", "bad: give a good one"},
    {"missing", "org.sriovctl.Error.NotFound", "there is no missing"},
    {"busy", "org.sriovctl.Error.Busy", "busy is leased to vm9"},
    {"impossible", "org.sriovctl.Error.NotSupported", "not supported by igb"},
    {"denied", "org.sriovctl.Error.AccessDenied", "only root may"},
    {"bus-denied", SD_BUS_ERROR_ACCESS_DENIED, "rejected by policy"},
    {"broken", "org.sriovctl.Error.Failed", "it broke"},
    {"gone", SD_BUS_ERROR_NO_REPLY, "disconnected"},
    {"slow", NULL, NULL},
    {"junk", NULL, "{\"object\":"},
    {"empty", NULL, ""},
    {"text", NULL, "\"text\""},
    {"unchanged", NULL, REPORT("unchanged", "false")},
    {"hostile", NULL, "{\"object\":\"\\u001b[2J\",\"changed\":true}"},
    {"eth0", NULL, PF},
    {"eth0/vf0", NULL,
     "{\"name\":\"eth0/vf0\",\"can_reset\":true,\"new key\":7,\"odd\":[1,2],"
     "\"lease\":{\"vm\":\"vm1\",\"policy\":{\"vlan\":100}},\"netdev\":null}"},
    {"vm1", NULL, VM},
    {"0000:00:02.0", "org.sriovctl.Error.NotFound", "0000:00:02.0 is no VF"},
    {"0000:01:10.1", NULL, REPORT("eth0/vf1", "false")},
    {"0000:01:10.7", "org.sriovctl.Error.Busy", "eth0/vf7 is leased to vm9"},
};

static pid_t bus_pid = -1;
static pthread_t thread;
static atomic_bool stopping;
static atomic_int ready;
static char log_text[4096];
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void log_add(const char *text)
{
    const size_t n = strlen(log_text);

    snprintf(log_text + n, sizeof(log_text) - n, "%s", text);
}

static void log_dict(sd_bus_message *m)
{
    const char *name, *value;
    char text[128];

    log_add(" {");
    sd_bus_message_enter_container(m, 'a', "{ss}");
    while (sd_bus_message_read(m, "{ss}", &name, &value) > 0) {
        snprintf(text, sizeof(text), "%s=%s,", name, value);
        log_add(text);
    }
    sd_bus_message_exit_container(m);
    log_add("}");
}

/* Log the call, and find what it is about (its first argument). */
static const char *log_call(sd_bus_message *m)
{
    const char *object = "", *text;
    char number[16], type;
    unsigned count;

    pthread_mutex_lock(&log_lock);
    log_add(sd_bus_message_get_member(m));
    while (sd_bus_message_peek_type(m, &type, NULL) > 0) {
        if (type == 'a') {
            log_dict(m);
        } else if (type == 'u') {
            sd_bus_message_read(m, "u", &count);
            snprintf(number, sizeof(number), " %u", count);
            log_add(number);
        } else {
            sd_bus_message_read(m, "s", &text);
            object = *object ? object : text;
            log_add(" ");
            log_add(text);
        }
    }
    log_add("\n");
    pthread_mutex_unlock(&log_lock);
    return object;
}

static int on_call(sd_bus_message *m, void *opaque _unused_, sd_bus_error *e _unused_)
{
    const char *object = log_call(m);

    for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
        if (!streq(answers[i].object, object))
            continue;
        if (answers[i].error)
            return sd_bus_reply_method_errorf(m, answers[i].error, "%s", answers[i].reply);
        if (!answers[i].reply)
            return 1;
        return sd_bus_reply_method_return(m, "s", answers[i].reply);
    }
    if (streq(sd_bus_message_get_member(m), "List"))
        return sd_bus_reply_method_return(m, "s", "[" PF "]");
    if (streq(sd_bus_message_get_member(m), "ListVms"))
        return sd_bus_reply_method_return(m, "s", "[" VM ",{\"name\":\"vm2\"}]");
    return sd_bus_reply_method_return(m, "s", REPORT("done", "true"));
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("List", "", "s", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ListVms", "", "s", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Show", "s", "s", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Enable", "sua{ss}", "s", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Assign", "ssa{ss}a{ss}", "s", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Release", "sa{ss}", "s", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Set", "sa{ss}a{ss}", "s", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Drain", "sa{ss}", "s", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static void *serve(void *opaque _unused_)
{
    sd_bus *bus = NULL;
    int r = sd_bus_open_system(&bus);

    if (r >= 0)
        r = sd_bus_add_object_vtable(bus, NULL, BUS_PATH, BUS_INTERFACE, vtable, NULL);
    if (r >= 0)
        r = sd_bus_request_name(bus, BUS_NAME, 0);
    ready = r < 0 ? r : 1;
    while (r >= 0 && !stopping) {
        r = sd_bus_process(bus, NULL);
        if (r == 0)
            sd_bus_wait(bus, TURN_US);
    }
    sd_bus_flush_close_unref(bus);
    return NULL;
}

int fake_agent_start(void **state _unused_)
{
    log_text[0] = '\0';
    stopping = false;
    ready = 0;
    assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
    while (ready == 0)
        usleep(1000);
    assert_int_equal(ready, 1);
    return 0;
}

int fake_agent_stop(void **state _unused_)
{
    stopping = true;
    pthread_join(thread, NULL);
    return 0;
}

const char *fake_agent_log(void)
{
    static char copy[sizeof(log_text)];

    pthread_mutex_lock(&log_lock);
    memcpy(copy, log_text, sizeof(copy));
    log_text[0] = '\0';
    pthread_mutex_unlock(&log_lock);
    return copy;
}

int fake_agent_bus_start(void **state _unused_)
{
    char address[512] = "";
    int fds[2];
    FILE *f;

    assert_int_equal(pipe(fds), 0);
    bus_pid = fork();
    if (bus_pid == 0) {
        char print[32];

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        snprintf(print, sizeof(print), "--print-address=%d", fds[1]);
        execlp("dbus-daemon", "dbus-daemon", "--session", "--nofork", print, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    f = fdopen(fds[0], "r");
    assert_non_null(f);
    assert_non_null(fgets(address, sizeof(address), f));
    fclose(f);
    address[strcspn(address, "\n")] = '\0';
    setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
    return 0;
}

int fake_agent_bus_stop(void **state _unused_)
{
    if (bus_pid > 0) {
        kill(bus_pid, SIGTERM);
        waitpid(bus_pid, NULL, 0);
    }
    bus_pid = -1;
    return 0;
}
