/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mock-host.h"

#include <assert.h>
#include <pci/pci.h>
#include <stdint.h>
#include <sys/stat.h>

#define CONFIG_SIZE 4096
#define EXPRESS     0x40 /* where the capabilities are put */
#define MSIX        0x70
#define ACS_OR_ARI  0x100
#define SRIOV       0x140

char *mock_host_path(struct mock_host *host, const char *device, const char *file)
{
    _cleanup_(freep) char *sys = umockdev_testbed_get_sys_dir(host->bed);
    char *path;

    if (asprintf(&path, "%s/devices/pci0000:00/%s/%s", sys, device, file) < 0)
        abort();
    return path;
}

void mock_host_set(struct mock_host *host, const char *device, const char *file, const char *text)
{
    _cleanup_(freep) char *path = mock_host_path(host, device, file);
    FILE *f;

    unlink(path);
    if (!text)
        return;
    f = fopen(path, "w");
    assert(f && fputs(text, f) >= 0);
    fclose(f);
}

void mock_host_link(struct mock_host *host, const char *device, const char *name,
                    const char *target)
{
    _cleanup_(freep) char *path = mock_host_path(host, device, name);

    unlink(path);
    assert(symlink(target, path) == 0);
}

static void put16(uint8_t *config, unsigned at, uint16_t value)
{
    config[at] = (uint8_t)value;
    config[at + 1] = (uint8_t)(value >> 8);
}

/* Config space with PCI Express at 0x40, of the given port type. */
static void put_express(uint8_t *config, unsigned type)
{
    put16(config, PCI_STATUS, PCI_STATUS_CAP_LIST);
    config[PCI_CAPABILITY_LIST] = EXPRESS;
    config[EXPRESS] = PCI_CAP_ID_EXP;
    put16(config, EXPRESS + PCI_EXP_FLAGS, (uint16_t)(type << 4 | 2));
}

static void put_extended(uint8_t *config, unsigned at, uint16_t id, unsigned next)
{
    put16(config, at, id);
    put16(config, at + 2, (uint16_t)(next << 4 | 1));
}

static void save(struct mock_host *host, const char *device, const uint8_t *config)
{
    _cleanup_(freep) char *path = mock_host_path(host, device, "config");
    FILE *f = fopen(path, "w");

    assert(f && fwrite(config, CONFIG_SIZE, 1, f) == 1);
    fclose(f);
}

static void make_card(struct mock_host *host, const char *device)
{
    uint8_t config[CONFIG_SIZE] = {0};

    put_express(config, PCI_EXP_TYPE_ENDPOINT);
    config[EXPRESS + 1] = MSIX;
    config[MSIX] = PCI_CAP_ID_MSIX;
    put16(config, MSIX + PCI_CAP_FLAGS, 10 - 1);
    put_extended(config, ACS_OR_ARI, PCI_EXT_CAP_ID_ARI, SRIOV);
    put_extended(config, SRIOV, PCI_EXT_CAP_ID_SRIOV, 0);
    put16(config, SRIOV + PCI_IOV_TOTALVF, 8);
    put16(config, SRIOV + PCI_IOV_DID, 0x10ca);
    save(host, device, config);
}

static void make_port(struct mock_host *host, const char *device, uint16_t acs)
{
    uint8_t config[CONFIG_SIZE] = {0};

    put_express(config, PCI_EXP_TYPE_ROOT_PORT);
    config[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_BRIDGE;
    put_extended(config, ACS_OR_ARI, PCI_EXT_CAP_ID_ACS, 0);
    put16(config, ACS_OR_ARI + PCI_ACS_CTRL, acs);
    save(host, device, config);
}

static void make_groups(struct mock_host *host)
{
    static const char *const dirs[] = {"kernel", "kernel/iommu_groups", "kernel/iommu_groups/9",
                                       "kernel/iommu_groups/10"};
    _cleanup_(freep) char *sys = umockdev_testbed_get_sys_dir(host->bed);

    for (size_t i = 0; i < ELEMENTSOF(dirs); i++) {
        _cleanup_(freep) char *path = NULL;

        assert(asprintf(&path, "%s/%s", sys, dirs[i]) > 0);
        mkdir(path, 0755);
    }
}

void mock_host_make(struct mock_host *host)
{
    GError *error = NULL;

    host->bed = umockdev_testbed_new();
    if (!umockdev_testbed_add_from_file(host->bed, DATA_DIR "/igb.umockdev", &error)) {
        fprintf(stderr, DATA_DIR "/igb.umockdev: %s\n", error->message);
        abort();
    }
    make_card(host, PF0);
    make_card(host, PF1);
    make_port(host, "0000:00:01.0", 0x1d);
    make_port(host, "0000:00:02.0", 0x00);
    make_groups(host);
}

void mock_host_free(struct mock_host *host)
{
    g_clear_object(&host->bed);
}
