/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI transport of virtio 1.x devices: what is alike in all of them. Modern only: no I/O
 * ports, no INTx.
 *
 * The guest drives a device through its status byte:
 *
 *   0 ──► ACKNOWLEDGE, DRIVER ──► FEATURES_OK ──► DRIVER_OK ──► (writes 0) ──► 0
 *
 *   before FEATURES_OK   features may be chosen; no queue can be enabled
 *   FEATURES_OK          stands only if the choice is acceptable; queues are set up and enabled,
 *                        each once: what was checked then can't be changed afterwards
 *   DRIVER_OK            the device runs (`running`): start has been called
 *   DEVICE_NEEDS_RESET   the guest asked for something impossible; only a reset leads out
 *
 * A queue's notification is an ioeventfd and its interrupt an MSI-X vector's eventfd, so a device
 * whose backend is in the kernel runs without this process.
 *
 * Virtual I/O Device 1.2, 2.1 (status), 4.1 (PCI).
 */
#ifndef VMM_VIRTIO_PCI_H
#define VMM_VIRTIO_PCI_H

#include "vmm/machine.h"
#include "vmm/msix.h"

#define VIRTIO_QUEUES_MAX 4
#define VIRTIO_CONFIG_MAX 64

struct virtio_pci;

/* One a type of device. */
struct virtio_ops {
    const char *name;    /* for messages and for the bus */
    uint16_t type;       /* virtio's device ID */
    uint16_t pci_class;  /* class and subclass */
    unsigned num_queues; /* at most VIRTIO_QUEUES_MAX */
    uint16_t queue_size; /* the most entries a queue may have, a power of two */
    /* Do these features, all of them offered, go together? */
    bool (*features_ok)(uint64_t features);
    /* Take up work on the queues that are enabled; on failure none of them runs. */
    int (*start)(struct virtio_pci *v);
    /* Stop: when it returns nothing touches the queues any more. Called only while running. */
    void (*stop)(struct virtio_pci *v);
    /* The interrupt of a queue that runs goes elsewhere; -1 nowhere. */
    int (*set_call)(struct virtio_pci *v, unsigned queue, int eventfd);
    /* Free the device, after virtio_pci_done. */
    void (*destroy)(struct virtio_pci *v);
};

struct virtio_queue {
    uint16_t size;
    uint16_t vector; /* of MSI-X, or VIRTIO_MSI_NO_VECTOR */
    bool enabled;
    uint64_t desc, avail, used; /* guest-physical */
    int kick;                   /* eventfd the guest's notification signals */
};

/* Devices embed this as a member and find themselves by CONTAINER_OF. */
struct virtio_pci {
    struct pci_device pci;
    const struct virtio_ops *ops;
    struct machine *machine;
    struct msix msix; /* a vector for configuration changes and one a queue */

    uint64_t offered;  /* features of the device */
    uint64_t accepted; /* what the guest chose of them */
    uint32_t offered_select, accepted_select;
    uint8_t status; /* VIRTIO_CONFIG_S_* */
    bool running;
    uint8_t isr;
    uint8_t generation;
    uint16_t config_vector;
    uint16_t queue_select;
    struct virtio_queue queues[VIRTIO_QUEUES_MAX];

    uint8_t config[VIRTIO_CONFIG_MAX]; /* device-specific, read-only to the guest */
    unsigned config_size;
    unsigned window; /* offset of the capability that gives access through config space */
};

/**
 * virtio_pci_init - make the PCI function of a virtio device, not yet plugged in
 * @features: to offer; VIRTIO_F_VERSION_1 is added
 * @config: the device-specific configuration, copied; at most VIRTIO_CONFIG_MAX bytes
 *
 * Return: 0 or negative errno; on failure nothing is left behind.
 */
int virtio_pci_init(struct virtio_pci *v, struct machine *m, const struct virtio_ops *ops,
                    uint64_t features, const void *config, unsigned config_size) _must_check_;

/* virtio_pci_done - stop it and free what virtio_pci_init made; takes the machine's lock. */
void virtio_pci_done(struct virtio_pci *v);

/* virtio_pci_call - eventfd that interrupts the guest for a queue; -1 if it wants no interrupt. */
int virtio_pci_call(struct virtio_pci *v, unsigned queue);

/* virtio_pci_ring - host addresses of an enabled queue's three parts. */
void virtio_pci_ring(const struct virtio_pci *v, unsigned queue, void **ret_desc, void **ret_avail,
                     void **ret_used);

#endif
