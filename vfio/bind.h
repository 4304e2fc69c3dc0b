/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which driver a PCI function is bound to.
 *
 * Binding goes by driver_override and drivers_probe, never by new_id (which captures every
 * device of that ID), and is verified by reading the driver link. The override is cleared again:
 * it isn't needed once bound, and left behind it would decide a later probe in our name.
 * Each call may be repeated, also after it was killed half-way.
 */
#ifndef VFIO_BIND_H
#define VFIO_BIND_H

#include "basic/error.h"
#include "basic/pci-addr.h"

#define VFIO_DRIVER "vfio-pci"

/**
 * bind_driver - bind the function to @driver, unbinding it from another first
 *
 * EBUSY and EAGAIN from a driver that still winds down are retried up to a deadline.
 *
 * Return: 0; -ENOENT if the driver isn't loaded (with "modprobe ..."); -EIO if the driver link
 * doesn't say @driver afterwards; another negative errno.
 */
int bind_driver(const struct pci_addr *dev, const char *driver, struct error *e) _must_check_;

/* bind_none - unbind from whatever driver; unbound already is success. Refuses (-EBUSY) a PF
 * that has VFs: its driver would destroy them; and a device whose group a process holds: the
 * kernel would wait for it, unkillably. bind_driver refuses them too. */
int bind_none(const struct pci_addr *dev, struct error *e) _must_check_;

/* bind_is - is it bound to @driver ("" for none), with no override left? 1, 0 or -errno. */
int bind_is(const struct pci_addr *dev, const char *driver) _must_check_;

/* bind_clear_override - forget a driver_override. */
int bind_clear_override(const struct pci_addr *dev, struct error *e) _must_check_;

/**
 * bind_reset - function-level reset through sysfs
 *
 * Return: 0; -EOPNOTSUPP where the function has no reset of its own; -errno of the kernel.
 */
int bind_reset(const struct pci_addr *dev, struct error *e) _must_check_;

#endif
