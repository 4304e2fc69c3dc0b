/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake-sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <umockdev.h>

#define CALM_MS 50

static UMockdevTestbed *testbed;
static char *root;

/* How many fds this process has, by the highest that is likely: opening a directory to look would
 * be one more. */
static unsigned count_fds(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* The testbed starts a thread, which opens a few fds of its own a moment later: a test that counts
 * fds would take them for leaks. So wait until nothing has come for a while. */
static void wait_settled(void)
{
    unsigned last = count_fds();

    for (unsigned calm = 0; calm < CALM_MS; calm++) {
        const unsigned now = count_fds();

        poll(NULL, 0, 1);
        calm = now == last ? calm : 0;
        last = now;
    }
}

int fake_sys_setup(void **state _unused_)
{
    testbed = umockdev_testbed_new();
    root = umockdev_testbed_get_root_dir(testbed);
    wait_settled();
    return 0;
}

int fake_sys_teardown(void **state _unused_)
{
    g_clear_pointer(&root, g_free);
    g_clear_object(&testbed);
    return 0;
}

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fake-sys: %s: %s\n", what, strerror(errno));
        abort();
    }
}

/* Where @path really is, with the directories above it made. */
static void place(const char *path, char real[static PATH_MAX])
{
    must(snprintf(real, PATH_MAX, "%s%s", root, path) < PATH_MAX, path);
    for (char *p = real + strlen(root) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        must(mkdir(real, 0755) == 0 || errno == EEXIST, real);
        *p = '/';
    }
}

void fake_sys_dir(const char *path)
{
    char real[PATH_MAX];

    place(path, real);
    must(mkdir(real, 0755) == 0 || errno == EEXIST, real);
}

void fake_sys_file(const char *path, const char *text)
{
    char real[PATH_MAX];
    _cleanup_close_ int fd = -1;

    place(path, real);
    fd = open(real, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), real);
}

void fake_sys_link(const char *path, const char *target)
{
    char real[PATH_MAX];

    place(path, real);
    must(symlink(target, real) == 0, real);
}

void fake_sys_remove(const char *path)
{
    char real[PATH_MAX];

    place(path, real);
    must(unlink(real) == 0, real);
}

void fake_sys_pci(const char *bdf, int group, const char *driver, const char *class_code)
{
    char path[PATH_MAX], target[PATH_MAX];

    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/class", bdf);
    fake_sys_file(path, class_code);
    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", bdf);
    fake_sys_file(path, "(null)\n");
    if (driver) {
        snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s", driver);
        fake_sys_dir(path);
        snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", bdf);
        snprintf(target, sizeof(target), "../../drivers/%s", driver);
        fake_sys_link(path, target);
    }
    if (group < 0)
        return;
    snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%d/name", group);
    fake_sys_file(path, "\n");
    snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%d/devices/%s", group, bdf);
    snprintf(target, sizeof(target), "../../../../bus/pci/devices/%s", bdf);
    fake_sys_link(path, target);
    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
    snprintf(target, sizeof(target), "../../../../kernel/iommu_groups/%d", group);
    fake_sys_link(path, target);
}
