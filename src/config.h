/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration: /etc/sriovctl/sriovd.conf, then sriovd.conf.d/NAME.conf in order of name, later
 * values winning; and a VM's own /etc/sriovctl/vm/NAME.conf. See sriovd.conf(5).
 */
#ifndef SRC_CONFIG_H
#define SRC_CONFIG_H

#include "basic/error.h"
#include <net/if.h>
#include <sys/types.h>

#define CONFIG_DIR "/etc/sriovctl"

struct config {
    char fallback_bridge[IFNAMSIZ]; /* [Fallback] Bridge=; "" is none */
};

/**
 * config_load - read the files there are
 * @dir: CONFIG_DIR, or a test's
 *
 * Return: 0, also where there is no file; -EINVAL naming file and line of the first mistake.
 */
int config_load(const char *dir, struct config *ret, struct error *e) _must_check_;

/**
 * config_vm_owner - user that may run this VM, from Owner= in its file
 *
 * Return: 0; -ENOENT where no owner is declared (only root may run it); -EINVAL if the file names
 * a user that doesn't exist.
 */
int config_vm_owner(const char *dir, const char *vm, uid_t *ret, struct error *e) _must_check_;

#endif
