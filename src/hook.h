/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libvirt's qemu hook (https://libvirt.org/hooks.html). */
#ifndef SRC_HOOK_H
#define SRC_HOOK_H

#include "src/verb.h"

/* hook_run - the verb "hook": hook_qemu with standard input; every failure exits 1. */
int hook_run(const struct verb_line *line, struct error *e);

/**
 * hook_qemu - what libvirt asks for at one moment of a domain's life
 * @name, @op, @subop: as libvirt gives them, e.g. "prepare", "begin"
 * @xml_fd: the domain's XML; read only where it is needed
 *
 * Return: 0, or negative errno with the reason why the domain may not start. Only "prepare" can
 * fail: from other operations libvirt would kill the guest or ignore it.
 */
int hook_qemu(const char *name, const char *op, const char *subop, int xml_fd,
              struct error *e) _must_check_;

#endif
