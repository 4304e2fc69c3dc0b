/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sriov/ids.h"

#include "sriov/libpci.h"

#include <pthread.h>

#define KNOWN_MAX 32 /* kinds of card in one host; the oldest gives way */

static struct {
    pthread_mutex_t lock;
    size_t count; /* ever added */
    struct {
        uint16_t vendor, device;
        struct ids names;
    } known[KNOWN_MAX];
} ids_cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* libpci returns NULL for a name it doesn't have. */
static void ask_libpci(uint16_t vendor, uint16_t device, struct ids *ret)
{
    struct pci_access *access = libpci_open();
    char buf[IDS_NAME];
    const char *name;

    *ret = (struct ids){.vendor = ""};
    if (!access || setjmp(libpci_trap) != 0)
        return;
    name = pci_lookup_name(access, buf, sizeof(buf), PCI_LOOKUP_VENDOR | PCI_LOOKUP_NO_NUMBERS,
                           vendor);
    snprintf(ret->vendor, sizeof(ret->vendor), "%s", name ? name : "");
    name = pci_lookup_name(access, buf, sizeof(buf), PCI_LOOKUP_DEVICE | PCI_LOOKUP_NO_NUMBERS,
                           vendor, device);
    snprintf(ret->device, sizeof(ret->device), "%s", name ? name : "");
    pci_cleanup(access);
}

void ids_lookup(uint16_t vendor, uint16_t device, struct ids *ret)
{
    size_t i, used;

    pthread_mutex_lock(&ids_cache.lock);
    used = ids_cache.count < KNOWN_MAX ? ids_cache.count : KNOWN_MAX;
    for (i = 0; i < used; i++)
        if (ids_cache.known[i].vendor == vendor && ids_cache.known[i].device == device)
            break;
    if (i == used) {
        i = ids_cache.count++ % KNOWN_MAX;
        ids_cache.known[i].vendor = vendor;
        ids_cache.known[i].device = device;
        ask_libpci(vendor, device, &ids_cache.known[i].names);
    }
    *ret = ids_cache.known[i].names;
    pthread_mutex_unlock(&ids_cache.lock);
}
